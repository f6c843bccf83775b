"""Devices move from a gateway's files into PostgreSQL, and their sessions go on from there."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from attrs import define

from actors.keys import PostgresDevices
from actors.whatsapp.devices import device_in
from actors.whatsapp.events import Connected
from actors.whatsapp.proto import e2e
from api.cli import main
from storage import embedded_postgres
from tests.actors.whatsapp.stand import stand
from tests.whole.processes import ROOT, Gateway, Network, until

ANA, BUDI, CUSTOMER = "628140000001", "628140000002", "628140000003"
PHONE = "@s.whatsapp.net"


@define
class Done:
    """What the command answered."""

    code: int
    lines: list[str]
    error: str


async def import_keys(data: Path, dsn: str) -> Done:
    done = await trio.run_process(
        [sys.executable, "-m", "api", "keys", "import", "--data", str(data)],
        check=False,
        capture_stdout=True,
        capture_stderr=True,
        cwd=ROOT,
        env=os.environ | {"TERZETTO_KEYS_DSN": dsn},
    )
    return Done(done.returncode, done.stdout.decode().splitlines(), done.stderr.decode())


@pytest.fixture
async def dsn(tmp_path: Path) -> AsyncIterator[str]:
    async with embedded_postgres(tmp_path / "keys", fsync=False) as running:
        yield running


def settings(wa: Network) -> dict[str, Any]:
    """The network as cells are told of it."""
    names = {"proxy": "PROXY", "ca_file": "CA_FILE", "root_key": "ROOT_KEY"}
    return {name: wa.environment[f"TERZETTO_WHATSAPP_{variable}"] for name, variable in names.items()}


async def test_paired_sessions_go_on_from_postgresql_and_read_and_write_as_before(
    gw: Gateway, wa: Network, tmp_path: Path, dsn: str
) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await wa.phone(CUSTOMER)
    await gw.send(ana, BUDI, "before")
    await gw.send(budi, ANA, "before, too")

    async def are_there() -> bool:
        return await gw.received(budi) == ["before"] and await gw.received(ana) == ["before, too"]

    await until(are_there, "both have written")
    data = gw.folder / "data"
    refused = await import_keys(data, dsn)
    assert (refused.code, refused.lines) == (1, [])
    assert "another gateway runs on" in refused.error
    await gw.program.stop()

    jids = {name: str(device_in(data / "devices" / f"{name}.db")) for name in ("ana", "budi")}
    done = await import_keys(data, dsn)
    assert (done.code, done.error) == (0, "")
    assert [line.split(" (")[0] for line in done.lines] == ["ana: imported", "budi: imported"]
    assert sorted(path.name for path in (data / "devices.imported").iterdir()) == ["ana.db", "budi.db"]
    assert not list((data / "devices").iterdir())
    assert not list(data.glob("import.*"))

    async with stand(tmp_path / "elsewhere", **settings(wa)) as s:
        s.devices = PostgresDevices(dsn, "terzetto keys")
        sessions = {name: await s.session(name) for name in jids}
        clients = {name: await s.attach(sessions[name], jid) for name, jid in jids.items()}
        for session in sessions.values():
            await session.until_event(Connected)
        # A chat of before goes on, with the keys that both had; a stranger can begin one.
        await clients["ana"].send(BUDI + PHONE, e2e.Message(conversation="after"))
        await sessions["budi"].until(lambda: "after" in sessions["budi"].texts())
        await clients["budi"].send(ANA + PHONE, e2e.Message(conversation="after, too"))
        await sessions["ana"].until(lambda: "after, too" in sessions["ana"].texts())
        await wa.write(CUSTOMER, ANA, "are you open?")
        await sessions["ana"].until(lambda: "are you open?" in sessions["ana"].texts())

    # Their keys have been used: those of the files must not come back.
    (data / "devices.imported").rename(data / "devices.again")
    (data / "devices").rmdir()
    (data / "devices.again").rename(data / "devices")
    again = await import_keys(data, dsn)
    assert again.code == 1
    assert all("refused (PostgreSQL holds" in line for line in again.lines)
    assert len(list((data / "devices").glob("*.db"))) == 2


async def test_an_import_is_repeated_without_harm_and_overwrites_no_other_keys(
    gw: Gateway, wa: Network, dsn: str
) -> None:
    await gw.pair("ana", ANA)
    await gw.program.stop()
    data = gw.folder / "data"
    assert (await import_keys(data, dsn)).code == 0
    device = data / "devices.imported" / "ana.db"
    with psycopg.connect(dsn, autocommit=True) as look:
        query = "SELECT count(*), sum(uploaded::int) FROM whatsmeow_pre_keys"
        with closing(sqlite3.connect(device)) as file:
            assert look.execute(query).fetchone() == file.execute(query.replace("::int", "")).fetchone()

        # As it was broken off between the commit and the file's move.
        device.rename(data / "devices" / "ana.db")
        done = await import_keys(data, dsn)
        assert (done.code, [line.split(" (")[0] for line in done.lines]) == (0, ["ana: already there"])

        device.rename(data / "devices" / "ana.db")
        look.execute("UPDATE whatsmeow_device SET noise_key = sha256('other')")
        (data / "devices" / "broken.db").write_bytes(b"no database at all" * 100)
        sqlite3.connect(data / "devices" / "empty.db").close()
        done = await import_keys(data, dsn)
        assert done.code == 1
        ana, broken, empty = done.lines
        assert ana.startswith("ana: refused (PostgreSQL holds other keys")
        assert broken == "broken: refused (file is not a database)"
        assert empty == "empty: no device"
        assert look.execute("SELECT noise_key = sha256('other') FROM whatsmeow_device").fetchone() == (True,)


def test_a_directory_without_devices_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERZETTO_KEYS_DSN", "host=127.0.0.1 port=9")
    assert main(["keys", "import", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"terzetto: there are no devices in {tmp_path}\n"


def test_a_database_that_cannot_be_reached_is_a_failure_that_does_not_tell_its_password(
    tmp_path: Path,
) -> None:
    (tmp_path / "devices").mkdir()
    sqlite3.connect(tmp_path / "devices" / "ana.db").close()
    for dsn in ("host=127.0.0.1 port=9 password=HUSH", "postgresql://ana:HUSH%ZZ@127.0.0.1:9/x"):
        done = subprocess.run(
            [sys.executable, "-m", "api", "keys", "import", "--data", str(tmp_path)],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TERZETTO_KEYS_DSN": dsn},
        )
        assert done.returncode == 1
        assert done.stderr.startswith("terzetto: the database of the keys: ")
        assert "HUSH" not in done.stderr
