"""Numbered SQL files, applied in order and once: each in a transaction, recorded with its checksum.

A program is known by the number of its last migration. A migration that older programs bear says from which
on, in a line of its own:

    -- compatible with programs from 0014

Those go on running while it is applied and after it, and start on what it made. Without the line only
programs that have the migration run on it: it is not applied while an older one is enrolled, and none can
enrol after it.
"""

from __future__ import annotations

import hashlib
import logging
import re
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
_PROGRAMS = 0x74657270  # with a program's number: shared by those that run, taken by what they would not bear
_COMPATIBLE = re.compile(r"^-- compatible with programs from (\d+)$", re.MULTILINE)
_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS migrations (
        number     integer PRIMARY KEY,
        name       text NOT NULL,
        checksum   text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE migrations ADD COLUMN IF NOT EXISTS oldest_program integer;
"""
_HISTORY = "SELECT number, name, checksum FROM migrations ORDER BY number"

OLDEST_PROGRAM = """
    SELECT max(coalesce((to_jsonb(migrations) ->> 'oldest_program')::integer, number)) FROM migrations
"""
"""The oldest program that the database bears; a table from before there was that column may be asked, too."""


@frozen
class Migration:
    """One step of the database's history; `name` is the file's, `0001_tables`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def oldest_program(self) -> int:
        """The oldest program that runs on what this makes. Raises MigrationError if it names none older."""
        match [int(number) for number in _COMPATIBLE.findall(self.sql)]:
            case []:
                return self.number
            case [number] if 0 < number < self.number:
                return number
            case _:
                raise MigrationError(f"{self.name} must name one older program that it is compatible with")


def migrations(directory: Path = DIRECTORY) -> list[Migration]:
    """The program's migrations in order.

    Raises MigrationError where the numbers are not 1, 2, 3, …, or one names no older program as compatible.
    """
    found = [
        Migration(number=int(path.stem.split("_", 1)[0]), name=path.stem, sql=path.read_text("utf-8"))
        for path in sorted(directory.glob("*.sql"))
    ]
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"migrations are not numbered in a row: {', '.join(each.name for each in found)}"
        )
    for each in found:
        _ = each.oldest_program
    return found


def pending(
    ours: Sequence[Migration], applied: Sequence[tuple[int, str, str]], oldest: int | None = None
) -> Sequence[Migration]:
    """What is to be applied to a database with this history of (number, name, checksum).

    `oldest` is the oldest program that the database bears; None: that is not known. Raises MigrationError
    when the history is neither a beginning of ours nor ours with newer ones that bear it.
    """
    if len(applied) > len(ours) and (oldest is None or oldest > len(ours)):
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


async def migrate(
    dsn: str, ours: Sequence[Migration] | None = None, *, step_aside: float = 10.0
) -> list[str]:
    """Bring the database up to date; the names of the migrations now applied.

    Safe to run by several at once: one works, the others wait and find nothing left to do. A migration that
    fails leaves no trace and raises MigrationError; those before it stay. It fails, too, when a program that
    would not bear it is enrolled and does not end within `step_aside` seconds. Raises DatabaseUnavailable.
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
            for migration in await _pending(connection, ours):
                await _apply(connection, migration, step_aside)
                done.append(migration.name)
        finally:
            connection.close_now()
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseUnavailable(type(error).__name__) from error
    return done


async def enrol(connection: TrioConnection, ours: Sequence[Migration]) -> None:
    """Have it known, for as long as the connection lives, that a program with these migrations runs.

    Waits for a migration under way that the program would not bear. Raises MigrationError when the database
    has become too new for it, and psycopg's errors.
    """
    await connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_PROGRAMS, ours[-1].number))
    await _pending(connection, ours)


async def _pending(connection: TrioConnection, ours: Sequence[Migration]) -> Sequence[Migration]:
    applied = await (await connection.execute(_HISTORY)).fetchall()
    (oldest,) = await (await connection.execute(OLDEST_PROGRAM)).fetchall()
    found = pending(ours, applied, *oldest)
    if len(applied) > len(ours):
        _logger.info("database_newer at=%s program=%s", applied[-1][1], ours[-1].name)
    return found


async def _apply(connection: TrioConnection, migration: Migration, step_aside: float) -> None:
    try:
        async with connection.transaction():
            await _take_from_older(connection, migration, step_aside)
            await connection.execute(migration.sql.encode())
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum, oldest_program) VALUES (%s, %s, %s, %s)",
                (migration.number, migration.name, migration.checksum, migration.oldest_program),
            )
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error as error:
        raise MigrationError(f"{migration.name} failed: {error}") from error
    _logger.info("migration_applied name=%s", migration.name)


async def _take_from_older(connection: TrioConnection, migration: Migration, patience: float) -> None:
    """Wait until no program is enrolled that would not bear a migration; none is until that is committed."""
    try:
        await connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{patience}s",))
        await connection.execute(
            "SELECT pg_advisory_xact_lock(%s, number) FROM generate_series(1, %s) number",
            (_PROGRAMS, migration.oldest_program - 1),
        )
        await connection.execute("SET LOCAL lock_timeout TO DEFAULT")
    except psycopg.errors.LockNotAvailable:
        raise MigrationError(
            f"{migration.name} cannot be applied while a gateway of an older release runs on this database:"
            " stop all of them first"
        ) from None
