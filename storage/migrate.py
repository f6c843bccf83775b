"""Numbered SQL files, applied in order and once: each in a transaction, recorded with its checksum."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import psycopg
import trio
from attrs import frozen

from storage.connection import TrioConnection
from storage.errors import DatabaseUnavailable, MigrationError

_logger = logging.getLogger("storage")

DIRECTORY = Path(__file__).with_name("migrations")

_LOCK = 0x7465727A  # "terz": any number that all our processes agree on
_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations (
        number     integer PRIMARY KEY,
        name       text NOT NULL,
        checksum   text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


@frozen
class Migration:
    """One step of the database's history; `name` is the file's, `0001_tables`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(directory: Path = DIRECTORY) -> list[Migration]:
    """The program's migrations in order. Raises MigrationError where the numbers are not 1, 2, 3, …"""
    found = [
        Migration(number=int(path.stem.split("_", 1)[0]), name=path.stem, sql=path.read_text("utf-8"))
        for path in sorted(directory.glob("*.sql"))
    ]
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"migrations are not numbered in a row: {', '.join(each.name for each in found)}"
        )
    return found


def pending(ours: Sequence[Migration], applied: Sequence[tuple[int, str, str]]) -> Sequence[Migration]:
    """What is to be applied to a database with this history of (number, name, checksum).

    Raises MigrationError when the history is no beginning of ours.
    """
    if len(applied) > len(ours):
        raise MigrationError(
            f"the database is at migration {applied[-1][1]}, newer than this program's {ours[-1].name}:"
            " run the program that migrated it, or a newer one"
        )
    for migration, (number, name, checksum) in zip(ours, applied, strict=False):
        if (migration.number, migration.checksum) != (number, checksum):
            raise MigrationError(
                f"the database was migrated with another {name} than this program's {migration.name}:"
                " an applied migration must never be edited"
            )
    return ours[len(applied) :]


async def migrate(dsn: str, ours: Sequence[Migration] | None = None) -> list[str]:
    """Bring the database up to date; the names of the migrations now applied.

    Safe to run by several at once: one works, the others wait and find nothing left to do. A migration that
    fails leaves no trace and raises MigrationError; those before it stay. Raises DatabaseUnavailable.
    """
    if ours is None:
        ours = await trio.to_thread.run_sync(migrations)
    done: list[str] = []
    try:
        connection = await TrioConnection.connect(dsn, autocommit=True)
        try:
            # Held by the connection, and let go with it whatever happens.
            await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            await connection.execute(_CREATE_TABLE)
            cursor = await connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number")
            for migration in pending(ours, await cursor.fetchall()):
                await _apply(connection, migration)
                done.append(migration.name)
        finally:
            connection.close_now()
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseUnavailable(type(error).__name__) from error
    return done


async def _apply(connection: TrioConnection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql.encode())
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name} failed: {error}") from error
    _logger.info("migration_applied name=%s", migration.name)
