"""Opening the database: the embedded server or one that runs elsewhere, brought up to date."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import field, frozen

from storage.embedded import embedded_postgres
from storage.errors import DatabaseUnavailable
from storage.migrate import migrate
from storage.pool import Pool
from storage.reads import Reads

_logger = logging.getLogger("storage")

RETRY = 0.5
"""Seconds between tries to reach a database that is not there yet."""


@frozen
class Storage:
    """An open database: the queries, and the connection string for a Writer."""

    dsn: str = field(repr=False)
    reads: Reads


@asynccontextmanager
async def open_storage(
    where: str | Path, *, readers: int = 4, patience: float = 30.0
) -> AsyncIterator[Storage]:
    """Open a database given by connection string, or an embedded server's by directory, and migrate it.

    A database elsewhere may take `patience` seconds to appear. Raises DatabaseUnavailable when it has not,
    MigrationError, and for a directory ServerError.
    """
    if isinstance(where, Path):
        async with embedded_postgres(where) as dsn, open_storage(dsn, readers=readers) as storage:
            yield storage
        return
    deadline = trio.current_time() + patience
    while True:
        try:
            applied = await migrate(where)
            break
        except DatabaseUnavailable:
            if trio.current_time() >= deadline:
                raise
            await trio.sleep(RETRY)
    if applied:
        _logger.info("database_migrated migrations=%s", ",".join(applied))
    pool = Pool(where, readers)
    try:
        yield Storage(where, Reads(pool))
    finally:
        pool.close()
