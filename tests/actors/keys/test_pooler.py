"""Many clients on few connections of the server: PgBouncer in transaction mode (docs/scaling-keys.md)."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from actors.keys import PostgresDevices
from actors.whatsapp.client import Client
from actors.whatsapp.events import Connected, Identified
from actors.whatsapp.proto import e2e
from storage.programs import give, system_user
from tests.actors.whatsapp.stand import PATIENCE, Session, network, stand

POOL = 3
SESSIONS = 8
EACH = 10  # messages that each session sends
PHONES = [f"62812000000{number:02}" for number in range(SESSIONS)]

pytestmark = pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="there is no pgbouncer here")


@pytest.fixture
def trusting(admin: psycopg.Connection) -> Iterator[None]:
    """Let PgBouncer, which runs as the server's own user, in by the kernel's word."""
    found = admin.execute("SHOW ident_file").fetchone()
    assert found is not None
    file = Path(found[0])
    before = file.read_text()
    file.write_text(f'{before}gateway "{system_user()}" terzetto\n')
    admin.execute("SELECT pg_reload_conf()")
    yield
    file.write_text(before)
    admin.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def pgbouncer(dsn: str) -> AsyncIterator[str]:
    """A pooler before the database; its connection string."""
    server = conninfo_to_dict(dsn)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    folder = Path(tempfile.mkdtemp())  # the server's user cannot look into pytest's
    give(folder)
    ini = folder / "pgbouncer.ini"
    ini.write_text(
        f"""
[databases]
keys = host={server["host"]} dbname={server["dbname"]} user={server["user"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = 1000
"""
    )
    give(ini)
    process = subprocess.Popen(  # noqa: ASYNC220 - in the main thread, and at once
        ["pgbouncer", "-q", ini],
        user=system_user() or None,
        stderr=subprocess.DEVNULL,
    )
    try:
        pooled = make_conninfo(host="127.0.0.1", port=port, dbname="keys", user=server["user"])
        with trio.fail_after(PATIENCE):
            while not _answers(pooled):
                await trio.sleep(0.05)
        yield pooled
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


async def until_all_are_there(session: Session, texts: set[str]) -> None:
    await session.until(lambda: texts <= set(session.texts()))


@pytest.mark.usefixtures("trusting")
async def test_sessions_that_all_write_at_once_share_as_many_connections_as_the_pooler_has(
    tmp_path: Path, empty_database: str
) -> None:
    seen: list[int] = []
    over = trio.Event()

    async def watch() -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(empty_database, autocommit=True) as look:
            while not over.is_set():
                row = look.execute(query).fetchone()
                assert row is not None
                seen.append(row[0] - 1)
                await trio.sleep(0.02)

    async def write(number: int, client: Client) -> None:
        to = f"{PHONES[(number + 1) % SESSIONS]}@s.whatsapp.net"
        for count in range(EACH):
            await client.send(to, e2e.Message(conversation=f"{number}: {count}"))

    async with (
        pgbouncer(empty_database) as dsn,
        network(tmp_path / "network") as net,
        stand(tmp_path / "sessions", **net.config) as s,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch)
        s.devices = PostgresDevices(dsn, "terzetto keys")
        sessions: list[Session] = []
        for number, phone in enumerate(PHONES):
            await net.phone(phone, f"Phone {number}")
            sessions.append(await s.session(f"s{number}"))
        clients = [await net.pair(s, each, phone) for each, phone in zip(sessions, PHONES, strict=True)]
        async with trio.open_nursery() as writers:
            for number, client in enumerate(clients):
                writers.start_soon(write, number, client)
        for number, session in enumerate(sessions):
            sender = (number - 1) % SESSIONS
            await until_all_are_there(session, {f"{sender}: {count}" for count in range(EACH)})

        # And all at once again, as after a cell's death.
        places = [len(session.events) for session in sessions]
        async with trio.open_nursery() as again:
            for session in sessions:
                jid = next(event.jid for event in session.events if isinstance(event, Identified))
                again.start_soon(s.attach, session, jid)
        for session, place in zip(sessions, places, strict=True):
            await session.until_event(Connected, after=place)
        over.set()
    assert max(seen) == POOL
