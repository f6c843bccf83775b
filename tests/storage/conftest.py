"""One PostgreSQL for all tests of a run, and a fresh, migrated database for each."""

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
def template(server: str, admin: psycopg.Connection) -> str:
    admin.execute("CREATE DATABASE template")
    trio.run(migrate, make_conninfo(server, dbname="template"))
    return "template"


_numbers = itertools.count(1)


@pytest.fixture
def empty_database(server: str, admin: psycopg.Connection) -> str:
    """The connection string of a database without tables."""
    return _database(server, admin, "template0")


@pytest.fixture
def database(server: str, admin: psycopg.Connection, template: str) -> str:
    """The connection string of a migrated, empty database."""
    return _database(server, admin, template)


def _database(server: str, admin: psycopg.Connection, template: str) -> str:
    # Never dropped: that takes as long as making it, and all go with the server.
    name = f"test_{next(_numbers)}"
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return make_conninfo(server, dbname=name)


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    """A writer that batches whatever is cast until something is called."""
    async with running_writer(database, batch_ms=60_000) as running:
        yield running
