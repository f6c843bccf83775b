"""Devices in one PostgreSQL: each session keeps to its own, and an outage of it loses no message."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from actors.keys import PostgresDevices
from actors.whatsapp.errors import DeviceMissing, StartRefused
from actors.whatsapp.events import Connected, Identified, LoopEnded
from actors.whatsapp.proto import e2e
from storage.errors import DatabaseUnavailable
from tests.actors.whatsapp.stand import PATIENCE, Network, Session, Stand, network, stand

ANNA, BEN, CARO = "6281200000001", "6281200000002", "6281200000003"
PHONE = "@s.whatsapp.net"
NODE = "terzetto keys nod_1"


@asynccontextmanager
async def place(
    tmp_path: Path, dsn: str, **config: Any
) -> AsyncIterator[tuple[Stand, Network, psycopg.Connection]]:
    """A pool whose devices are in the database, a network with three phones, and a look into the database."""
    async with (
        network(tmp_path / "network") as net,
        stand(tmp_path / "sessions", **net.config, **config) as s,
    ):
        s.devices = PostgresDevices(dsn, NODE)
        for number, name in ((ANNA, "Anna"), (BEN, "Ben"), (CARO, "Caro")):
            await net.phone(number, name)
        with psycopg.connect(dsn, autocommit=True) as look:
            yield s, net, look


def text(words: str) -> Any:
    return e2e.Message(conversation=words)


def jid_of(session: Session) -> str:
    return next(event.jid for event in session.events if isinstance(event, Identified))


def connections(look: psycopg.Connection) -> int:
    found = look.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
        (NODE,),
    ).fetchone()
    assert found is not None
    return int(found[0])


def rows(look: psycopg.Connection) -> dict[str, int]:
    """How many rows of a device there are in each table, the shared one left out."""
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'whatsmeow%'"
    names = {name for (name,) in look.execute(query)} - {"whatsmeow_version", "whatsmeow_lid_map"}
    counts = {name: look.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in names}
    return {name: found[0] for name, found in counts.items() if found is not None and found[0]}


async def test_sessions_in_one_database_keep_to_their_own_devices(
    tmp_path: Path, empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    dsn = make_conninfo(empty_database, password="HUSH&HUSH")
    async with place(tmp_path, dsn) as (s, net, look):
        anna, ben = await s.session("a"), await s.session("b")
        client = await net.pair(s, anna, ANNA)
        other = await net.pair(s, ben, BEN)
        assert jid_of(anna).startswith(f"{ANNA}:")
        assert jid_of(ben).startswith(f"{BEN}:")

        await other.stop()
        await client.stop()
        positions = len(anna.events), len(ben.events)
        other = await s.attach(ben, jid_of(ben))
        client = await s.attach(anna, jid_of(anna))
        await anna.until_event(Connected, after=positions[0])
        await ben.until_event(Connected, after=positions[1])
        me, him = await client.get_me(), await other.get_me()
        assert me is not None
        assert him is not None
        assert (me.jid, him.jid) == (jid_of(anna), jid_of(ben))

        await client.send(BEN + PHONE, text("hello Ben"))
        await ben.until(lambda: "hello Ben" in ben.texts())
        await other.send(ANNA + PHONE, text("hello Anna"))
        await anna.until(lambda: "hello Anna" in anna.texts())

        # The library would keep two connections a client, and those of the four that ended.
        with trio.fail_after(PATIENCE):
            while connections(look):
                await trio.sleep(0.1)
        await net.write(CARO, ANNA, "still there?")
        await anna.until(lambda: "still there?" in anna.texts())
        await client.send(CARO + PHONE, text("yes"))
        assert connections(look)

        for cell in s.pool.cells:
            for file in ("cmdline", "environ"):
                assert b"HUSH" not in Path(f"/proc/{cell.pid}/{file}").read_bytes()
        place_ = await s.devices.place("a", jid_of(anna))
        assert "HUSH" in place_.name
        assert "HUSH" not in repr((place_, s.devices))
    assert "HUSH" not in caplog.text
    assert not list(Path.cwd().glob("postgres*:*"))  # the library takes its URL for a file's path first


async def test_a_device_that_is_not_in_the_database_is_missing_before_the_library_sees_it(
    tmp_path: Path, empty_database: str
) -> None:
    async with stand(tmp_path) as s:
        s.devices = PostgresDevices(empty_database, NODE)
        with pytest.raises(DeviceMissing):
            await s.attach(await s.session("a"), f"{ANNA}:1{PHONE}")
        assert s.pool.cells == ()


async def test_forgetting_a_device_leaves_the_others_alone(tmp_path: Path, empty_database: str) -> None:
    async with place(tmp_path, empty_database) as (s, net, look):
        anna = await s.session("a")
        client = await net.pair(s, anna, ANNA)
        await net.write(CARO, ANNA, "hello")
        await anna.until(lambda: "hello" in anna.texts())
        before = rows(look)
        assert {"whatsmeow_device", "whatsmeow_sessions", "whatsmeow_pre_keys"} <= set(before)

        ben = await s.session("b")
        gone = await net.pair(s, ben, BEN)
        await net.write(CARO, BEN, "hello")
        await ben.until(lambda: "hello" in ben.texts())
        query = "INSERT INTO whatsmeow_privacy_tokens VALUES (%s, 'x', 'y', 1, 1)"
        look.execute(query, (jid_of(ben),))
        await client.stop()
        await gone.stop()
        await s.devices.forget("b", jid_of(ben))
        with pytest.raises(DeviceMissing):
            await s.attach(ben, jid_of(ben))
        devices = look.execute("SELECT jid FROM whatsmeow_device").fetchall()
        assert devices == [(jid_of(anna),)]
        assert set(rows(look)) - set(before) <= {"whatsmeow_privacy_tokens"}
        tokens = look.execute("SELECT FROM whatsmeow_privacy_tokens WHERE our_jid = %s", (jid_of(ben),))
        assert not tokens.rowcount
        await s.devices.forget("b", jid_of(ben))
        await s.devices.forget("c", None)

        position = len(anna.events)
        await s.attach(anna, jid_of(anna))
        await anna.until_event(Connected, after=position)
        await net.write(CARO, ANNA, "and again")
        await anna.until(lambda: "and again" in anna.texts())


async def test_nothing_is_lost_of_what_comes_while_the_database_is_away(
    tmp_path: Path, empty_database: str, admin: psycopg.Connection
) -> None:
    """The library would acknowledge what it has no keys for, and give it up after a few tries."""
    name = str(conninfo_to_dict(empty_database)["dbname"])
    async with place(tmp_path, empty_database) as (s, net, look):
        anna = await s.session("a")
        await net.pair(s, anna, ANNA)
        await net.write(CARO, ANNA, "before")
        await anna.until(lambda: "before" in anna.texts())
        look.close()
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        position = len(anna.events)
        for number in range(8):
            await net.write(CARO, ANNA, f"meanwhile {number}")
        ended = await anna.until_event(LoopEnded, after=position)
        assert ended.error == "the store of the device's keys failed"
        with pytest.raises(StartRefused):
            await s.attach(anna, jid_of(anna))

        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        client = await s.attach(anna, jid_of(anna))
        await anna.until(lambda: {f"meanwhile {number}" for number in range(8)} <= set(anna.texts()))
        await client.send(CARO + PHONE, text("all here"))


async def test_a_database_that_cannot_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    nowhere = PostgresDevices("host=127.0.0.1 port=9 user=ann password=HUSH dbname=keys", NODE)
    async with stand(tmp_path) as s:
        s.devices = nowhere
        with pytest.raises(StartRefused) as caught:
            await s.attach(await s.session("a"))
    assert "HUSH" not in str(caught.value)
    with pytest.raises(DatabaseUnavailable):
        await nowhere.forget("a", f"{ANNA}:1{PHONE}")


async def test_nodes_that_open_a_new_database_at_once_do_so_one_by_one(empty_database: str) -> None:
    nodes = [PostgresDevices(empty_database, f"node {number}") for number in range(3)]
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.prepare)
    with psycopg.connect(empty_database) as look:
        assert len(look.execute("SELECT version FROM whatsmeow_version").fetchall()) == 1
