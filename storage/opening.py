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
from storage.expiry import Expiry
from storage.media import MediaStore
from storage.migrate import migrate
from storage.pool import Pool
from storage.reads import Reads

_logger = logging.getLogger("storage")

RETRY = 0.5
"""Seconds between tries to reach a database that is not there yet."""


@frozen
class Storage:
    """An open database: the queries, the files, what deletes the old, and the DSN for a Writer."""

    dsn: str = field(repr=False)
    reads: Reads
    media: MediaStore
    expiry: Expiry


@asynccontextmanager
async def open_storage(
    where: str | Path, *, readers: int = 4, filers: int = 4, patience: float = 30.0
) -> AsyncIterator[Storage]:
    """Open a database given by connection string, or an embedded server's by directory, and migrate it.

    It is given `readers` connections for the queries and `filers` for files and what deletes the old. A
    database elsewhere may take `patience` seconds to appear. Raises DatabaseUnavailable when it has not,
    MigrationError, and for a directory ServerError.
    """
    if isinstance(where, Path):
        async with (
            embedded_postgres(where) as dsn,
            open_storage(dsn, readers=readers, filers=filers) as storage,
        ):
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
    reading, filing = Pool(where, readers), Pool(where, filers, name="media", writable=True)
    try:
        yield Storage(where, Reads(reading), MediaStore(filing), Expiry(filing))
    finally:
        reading.close()
        filing.close()
