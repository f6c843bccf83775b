"""One PostgreSQL for all tests of a run, and an empty, migrated database for each."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import make_conninfo

from storage import migrate
from tests.storage.gateway import Gateway, running_writer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a running server."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("serve.py"), tmp_path_factory.mktemp("postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=20) == 0


@pytest.fixture(scope="session")
def admin(server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def migrated(server: str, admin: psycopg.Connection) -> str:
    admin.execute("CREATE DATABASE migrated")
    dsn = make_conninfo(server, dbname="migrated")
    trio.run(migrate, dsn)
    return dsn


@pytest.fixture
def database(migrated: str, admin: psycopg.Connection) -> str:
    """The connection string of a migrated, empty database."""
    # Emptied, which takes a tenth of making another; nobody of an earlier test is left in it.
    admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'migrated'")
    with psycopg.connect(migrated, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE sessions, keys, users, webhooks, deliveries, sinks, messages, events, audit, claims,"
            " writers RESTART IDENTITY CASCADE"
        )
        connection.execute("DELETE FROM nodes")
        connection.execute("UPDATE event_log SET position = 0, dropped = 0")
    return migrated


_numbers = itertools.count(1)


@pytest.fixture
def empty_database(server: str, admin: psycopg.Connection) -> str:
    """The connection string of a database without tables."""
    name = f"empty_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return make_conninfo(server, dbname=name)


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    """A writer that batches whatever is cast until something is called."""
    async with running_writer(database, batch_ms=60_000) as running:
        yield running
