"""The readers: few connections, lent in turns, broken ones replaced."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import trio
from psycopg.conninfo import make_conninfo

from storage import BadQuery, DatabaseUnavailable, Pool


async def pid(pool: Pool) -> int:
    async with pool.connection() as connection:
        return connection.info.backend_pid


async def test_a_connection_is_lent_again(database: str) -> None:
    pool = Pool(database)
    assert await pid(pool) == await pid(pool)
    pool.close()


async def test_no_more_than_size_are_lent_at_once(database: str) -> None:
    pool = Pool(database, size=2)
    lent = most = 0

    async def borrow() -> None:
        nonlocal lent, most
        async with pool.connection() as connection:
            lent += 1
            most = max(most, lent)
            await connection.execute("SELECT pg_sleep(0.005)")
            lent -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(borrow)
    assert most == 2
    pool.close()


async def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    database: str, admin: psycopg.Connection
) -> None:
    pool = Pool(database)
    first = await pid(pool)
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    assert await pid(pool) != first
    pool.close()


async def test_a_connection_that_breaks_while_lent_is_unavailable_once(
    database: str, admin: psycopg.Connection
) -> None:
    pool = Pool(database)
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012
        async with pool.connection() as connection:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            await connection.execute("SELECT 1")
    assert await pid(pool)
    pool.close()


async def test_a_cancelled_query_does_not_cost_its_connection(database: str) -> None:
    pool = Pool(database, size=1)
    first = await pid(pool)
    with trio.move_on_after(0.02):
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)")
    with trio.fail_after(5):
        assert await pid(pool) == first
    pool.close()


async def test_an_open_transaction_is_not_lent_on(database: str) -> None:
    pool = Pool(database, size=1)
    async with pool.connection() as connection:
        first = connection.info.backend_pid
        await connection.execute("BEGIN")
    assert await pid(pool) != first
    pool.close()


async def test_readers_cannot_write(database: str) -> None:
    pool = Pool(database)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM sessions")
    pool.close()


async def test_a_value_the_server_cannot_take_is_a_bad_query_that_does_not_quote_it(database: str) -> None:
    pool = Pool(database)
    for value in ("secret\0", "secret\ud800", "secret"):
        with pytest.raises(BadQuery) as caught:
            async with pool.connection() as connection:
                await connection.execute("SELECT %s::timestamptz", (value,))
        assert caught.value.__cause__ is None
        assert "secret" not in str(caught.value)
    pool.close()


async def test_an_absent_database_is_unavailable_and_takes_no_place(database: str, tmp_path: Path) -> None:
    pool = Pool(make_conninfo(database, host=str(tmp_path)), size=1)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await pid(pool)


async def test_a_closed_pool_lends_nothing_and_keeps_nothing(database: str) -> None:
    pool = Pool(database)
    async with pool.connection() as connection:
        pool.close()
    assert connection.closed
    with pytest.raises(DatabaseUnavailable):
        await pid(pool)
