"""Migrations: in order, once, safe against each other, and clear about a history that is not ours."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import trio

from storage import DatabaseUnavailable, MigrationError, migrate
from storage.connection import TrioConnection
from storage.migrate import Migration, migrations, pending

ONE = Migration(1, "0001_one", "CREATE TABLE one (id int)")
TWO = Migration(2, "0002_two", "INSERT INTO one VALUES (2); INSERT INTO one VALUES (3)")


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
