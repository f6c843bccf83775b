"""Who shares a database and who does not keep off each other; who starts again has its sessions at once."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import trio

from tests.nodes.database import ROLE, database
from tests.whole.processes import Running, until

SHARED = "[cluster]\nenabled = true\nname = 'one'\nlease = 20\n"


@pytest.fixture
async def dsn(tmp_path: Path) -> AsyncIterator[str]:
    async with database(tmp_path / "database") as port:
        yield f"postgresql://{ROLE}@127.0.0.1:{port}/postgres?sslmode=disable"


def up(folder: Path, dsn: str, config: str) -> Running:
    folder.mkdir(exist_ok=True)
    (folder / "supervisor.toml").write_text(config)
    return Running.start(
        folder / "log",
        *("api", "up", "--listen", "127.0.0.1:0", "--data", str(folder / "data")),
        *("--config", str(folder / "supervisor.toml")),
        environment={"DATABASE_URL": dsn},
    )


@asynccontextmanager
async def running(folder: Path, dsn: str, config: str) -> AsyncIterator[Running]:
    gateway = up(folder, dsn, config)
    try:
        since = time.time()

        async def begun() -> bool:
            file = folder / "data" / "gateway.json"
            assert gateway.process.poll() is None, gateway.said()
            return file.exists() and file.stat().st_mtime >= since - 0.1

        await until(begun, "the gateway runs")
        yield gateway
    finally:
        gateway.process.kill()
        gateway.process.wait()


async def refused(folder: Path, dsn: str, config: str) -> str:
    """What a gateway says that ends instead of starting."""
    gateway = up(folder, dsn, config)
    try:
        with trio.fail_after(30):
            assert await trio.to_thread.run_sync(gateway.process.wait, abandon_on_cancel=True) == 1
    finally:
        gateway.process.kill()
    return gateway.said()


def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_one_that_shares_and_one_that_does_not_keep_off_each_other(tmp_path: Path, dsn: str) -> None:
    async with running(tmp_path / "one", dsn, SHARED):
        held = "SELECT FROM nodes WHERE expires_at > clock_timestamp()"
        await until(lambda: trio.to_thread.run_sync(ask, dsn, held), "it has its lease")
        said = await refused(tmp_path / "alone", dsn, "")
        assert "terzetto: nodes with [cluster] enabled share this database" in said
    ask(dsn, "DELETE FROM nodes RETURNING id")
    async with running(tmp_path / "alone", dsn, ""):
        said = await refused(tmp_path / "one", dsn, SHARED)
        assert "terzetto: a gateway without [cluster] enabled runs on this database" in said


async def test_who_starts_again_on_the_same_data_waits_for_no_lease(tmp_path: Path, dsn: str) -> None:
    async def owned() -> bool:
        return ask(dsn, "SELECT nodes.name FROM nodes JOIN sessions ON node = nodes.id") == [("one",)]

    async with running(tmp_path / "one", dsn, SHARED):
        url = json.loads((tmp_path / "one" / "data" / "gateway.json").read_text())["url"]
        assert url.startswith("http://127.0.0.1:")
        ask(
            dsn,
            "INSERT INTO sessions (id, name, desired, status, status_since, restarts, settings, metadata,"
            " created_at, updated_at) VALUES ('s1', 's1', 'stopped', 'stopped', now(), 0, '{}', '{}', now(),"
            " now()) RETURNING id",
        )
        await until(owned, "it takes the session")
    killed = time.monotonic()
    async with running(tmp_path / "one", dsn, SHARED):
        await until(owned, "it has the session again")
        await until(lambda: _epoch(dsn), "under the next epoch")
        assert time.monotonic() - killed < 18, "a lease of 20 s was not waited for"
    assert len(ask(dsn, "SELECT id FROM nodes")) == 1, "its predecessor is gone"


async def _epoch(dsn: str) -> bool:
    return ask(dsn, "SELECT epoch FROM sessions") == [(2,)]
