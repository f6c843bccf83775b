"""Migrations: in order, once, safe against each other, and clear about a history that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
import trio

from storage import DatabaseUnavailable, MigrationError, migrate
from storage.connection import TrioConnection
from storage.migrate import OLDEST_PROGRAM, Migration, enrol, migrations, pending

ONE = Migration(1, "0001_one", "CREATE TABLE one (id int)")
TWO = Migration(2, "0002_two", "INSERT INTO one VALUES (2); INSERT INTO one VALUES (3)")
BORNE = Migration(
    2, "0002_borne", "-- compatible with programs from 0001\nALTER TABLE one ADD COLUMN extra int"
)
CONTRACTS = Migration(
    3, "0003_contracts", "-- compatible with programs from 0002\nALTER TABLE one DROP COLUMN id"
)


@asynccontextmanager
async def running(dsn: str, *ours: Migration) -> AsyncIterator[TrioConnection]:
    """The connection of a program that is enrolled."""
    connection = await TrioConnection.connect(dsn, autocommit=True)
    try:
        await enrol(connection, ours)
        yield connection
    finally:
        await connection.close()


async def ones(dsn: str) -> list[tuple[int]]:
    connection = await TrioConnection.connect(dsn)
    rows: list[tuple[int]] = await (await connection.execute("SELECT id FROM one")).fetchall()
    await connection.close()
    return rows


async def test_the_programs_own_migrations_apply_once(empty_database: str) -> None:
    assert await migrate(empty_database) == [each.name for each in migrations()]
    assert await migrate(empty_database) == []


async def test_only_what_is_new_is_applied(empty_database: str) -> None:
    await migrate(empty_database, [ONE])
    assert await migrate(empty_database, [ONE, TWO]) == [TWO.name]
    assert await ones(empty_database) == [(2,), (3,)]


async def test_several_at_once_apply_each_migration_once(empty_database: str) -> None:
    applied: list[str] = []

    async def run() -> None:
        applied.extend(await migrate(empty_database, [ONE, TWO]))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(run)
    assert applied == [ONE.name, TWO.name]
    assert await ones(empty_database) == [(2,), (3,)]


async def test_a_failing_migration_leaves_no_trace_and_those_before_it_stay(empty_database: str) -> None:
    bad = Migration(2, "0002_bad", "INSERT INTO one VALUES (1); SELECT 1/0")
    with pytest.raises(MigrationError, match="0002_bad failed: division by zero"):
        await migrate(empty_database, [ONE, bad])
    assert await ones(empty_database) == []
    assert await migrate(empty_database, [ONE, TWO]) == [TWO.name]


async def test_a_cancelled_migration_leaves_no_trace(empty_database: str) -> None:
    slow = Migration(2, "0002_slow", "INSERT INTO one VALUES (1); SELECT pg_sleep(60)")
    with trio.move_on_after(0.5):
        await migrate(empty_database, [ONE, slow])
    assert await ones(empty_database) == []
    assert await migrate(empty_database, [ONE, TWO]) == [TWO.name]


def test_an_edited_migration_is_refused_by_name() -> None:
    edited = Migration(1, "0001_one", "CREATE TABLE one (id bigint)")
    with pytest.raises(MigrationError, match=r"0001_one[^:]*:.*never be edited"):
        pending([edited], [(1, ONE.name, ONE.checksum)])


def test_a_newer_database_is_refused_with_both_names() -> None:
    applied = [(each.number, each.name, each.checksum) for each in (ONE, TWO)]
    with pytest.raises(MigrationError, match="0002_two, newer than this program's 0001_one"):
        pending([ONE], applied)


def test_numbers_must_be_in_a_row(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0003_b.sql"):
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match="0001_a, 0003_b"):
        migrations(tmp_path)


async def test_an_absent_database_is_unavailable(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate(psycopg.conninfo.make_conninfo(server, host=str(tmp_path)))


# Two programs of different age on one database


async def test_an_older_program_starts_on_a_migration_that_bears_it(empty_database: str) -> None:
    await migrate(empty_database, [ONE, BORNE])
    assert await migrate(empty_database, [ONE]) == []
    async with running(empty_database, ONE) as older:
        await older.execute("INSERT INTO one (id) VALUES (1)")
    assert await ones(empty_database) == [(1,)]


async def test_an_older_program_runs_on_while_a_migration_that_bears_it_is_applied(
    empty_database: str,
) -> None:
    await migrate(empty_database, [ONE])
    async with running(empty_database, ONE) as older:
        assert await migrate(empty_database, [ONE, BORNE]) == [BORNE.name]
        await older.execute("INSERT INTO one (id) VALUES (1)")


async def test_the_oldest_program_that_is_borne_is_of_all_migrations_together(empty_database: str) -> None:
    # 0003 bears 0002, which bears 0001; but 0003 does not bear 0001.
    await migrate(empty_database, [ONE, BORNE, CONTRACTS])
    assert await migrate(empty_database, [ONE, BORNE]) == []
    for refused in (partial(migrate, empty_database, [ONE]), running(empty_database, ONE).__aenter__):
        with pytest.raises(MigrationError, match="0003_contracts, newer than this program's 0001_one"):
            await refused()


async def test_a_migration_waits_for_programs_that_would_not_bear_it(empty_database: str) -> None:
    await migrate(empty_database, [ONE, BORNE])
    async with running(empty_database, ONE, BORNE):
        async with running(empty_database, ONE):
            with pytest.raises(
                MigrationError, match="0003_contracts cannot be applied while a gateway of an"
            ):
                await migrate(empty_database, [ONE, BORNE, CONTRACTS], step_aside=0.5)
            assert await ones(empty_database) == []  # the column is there
        assert await migrate(empty_database, [ONE, BORNE, CONTRACTS]) == [CONTRACTS.name]


async def test_a_program_that_enrols_during_a_migration_waits_and_is_refused(empty_database: str) -> None:
    slow = Migration(2, "0002_slow", "SELECT pg_sleep(1)")
    await migrate(empty_database, [ONE])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(migrate, empty_database, [ONE, slow])
        connection = await TrioConnection.connect(empty_database, autocommit=True)
        while not await _taken(connection):
            await trio.sleep(0.01)
        await connection.close()
        with pytest.raises(MigrationError, match="0002_slow, newer than"):
            await running(empty_database, ONE).__aenter__()


async def _taken(connection: TrioConnection) -> bool:
    """Whether a migration keeps older programs away."""
    cursor = await connection.execute(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ExclusiveLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return await cursor.fetchone() is not None


async def test_a_history_from_before_there_were_declarations_bears_its_last_program_alone(
    empty_database: str,
) -> None:
    connection = await TrioConnection.connect(empty_database, autocommit=True)
    await connection.execute(
        "CREATE TABLE migrations (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now()); CREATE TABLE one (id int)"
    )
    for each in (ONE, TWO):
        await connection.execute(
            "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
            (each.number, each.name, each.checksum),
        )
    assert await (await connection.execute(OLDEST_PROGRAM)).fetchone() == (2,)
    await connection.close()
    with pytest.raises(MigrationError, match="newer than this program's"):
        await migrate(empty_database, [ONE])
    assert await migrate(empty_database, [ONE, TWO]) == []


@pytest.mark.parametrize(
    "declared",
    [
        "compatible with programs from 0002",
        "compatible with programs from 0000",
        "compatible with programs from 1\n-- compatible with programs from 1",
    ],
)
def test_a_migration_names_one_older_program_or_none(tmp_path: Path, declared: str) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / "0002_b.sql").write_text(f"-- What it is for.\n-- {declared}\nSELECT 1")
    with pytest.raises(MigrationError, match="0002_b must name one older program"):
        migrations(tmp_path)
