"""psycopg's contract, held on Trio. These pin the private names that storage/connection.py stands on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import psycopg
import pytest
import trio
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from storage.connection import MAX_BUSY, TrioConnection


@pytest.fixture
async def connection(server: str) -> AsyncIterator[TrioConnection]:
    connection = await TrioConnection.connect(server, autocommit=True)
    await connection.execute("CREATE TEMP TABLE things (id int PRIMARY KEY, name text)")
    yield connection
    await connection.close()


async def one(connection: TrioConnection, query: str) -> object:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return row[0]


async def test_execute_returns_rows_in_types_of_python(connection: TrioConnection) -> None:
    cursor = await connection.execute("SELECT %s::int, %s, %s::jsonb", (1, "ü", '{"a": [1]}'))
    assert await cursor.fetchone() == (1, "ü", {"a": [1]})


async def test_a_failed_statement_raises_and_leaves_the_connection_usable(connection: TrioConnection) -> None:
    with pytest.raises(errors.DivisionByZero):
        await connection.execute("SELECT 1/0")
    assert await one(connection, "SELECT 1") == 1


async def test_statements_beyond_the_prepare_threshold_still_answer(connection: TrioConnection) -> None:
    for number in range(12):
        cursor = await connection.execute("SELECT %s::int + 1", (number,))
        assert await cursor.fetchone() == (number + 1,)


async def test_executemany_of_500_rows_does_not_go_round_the_loop_for_each(
    connection: TrioConnection,
) -> None:
    class Waits(trio.abc.Instrument):
        count = 0

        def before_io_wait(self, timeout: float) -> None:
            self.count += 1

    waits = Waits()
    trio.lowlevel.add_instrument(waits)
    async with connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO things VALUES (%s, %s)", [(n, str(n)) for n in range(500)])
    trio.lowlevel.remove_instrument(waits)
    assert await one(connection, "SELECT count(*) FROM things") == 500
    assert waits.count < 250  # 500 and more without asking poll() first


async def test_executemany_returns_the_rows_of_each_statement(connection: TrioConnection) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO things VALUES (%s, %s) RETURNING id", [(1, "a"), (2, "b")], returning=True
        )
        ids = [await cursor.fetchone()]
        while cursor.nextset():
            ids.append(await cursor.fetchone())
    assert ids == [(1,), (2,)]


async def test_a_transaction_commits_at_its_end(connection: TrioConnection) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO things VALUES (1, 'a')")
    assert connection.info.transaction_status is TransactionStatus.IDLE
    assert await one(connection, "SELECT count(*) FROM things") == 1


async def test_a_transaction_rolls_back_on_an_error_and_a_savepoint_only_its_part(
    connection: TrioConnection,
) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO things VALUES (1, 'a')")
        with pytest.raises(errors.UniqueViolation):
            async with connection.transaction():
                await connection.execute("INSERT INTO things VALUES (1, 'b')")
        await connection.execute("INSERT INTO things VALUES (2, 'c')")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with connection.transaction():
            await connection.execute("DELETE FROM things")
            raise ZeroDivisionError
    assert await one(connection, "SELECT array_agg(name ORDER BY id) FROM things") == ["a", "c"]


async def test_a_pipeline_answers_each_statement(connection: TrioConnection) -> None:
    async with connection.pipeline():
        cursors = [await connection.execute("SELECT %s::int", (number,)) for number in range(300)]
        assert [await cursor.fetchone() for cursor in cursors] == [(number,) for number in range(300)]


async def test_an_error_in_a_pipeline_aborts_the_rest(connection: TrioConnection) -> None:
    with pytest.raises(errors.DivisionByZero):  # noqa: PT012
        async with connection.pipeline():
            await connection.execute("SELECT 1/0")
            await connection.execute("INSERT INTO things VALUES (1, 'a')")
    assert await one(connection, "SELECT count(*) FROM things") == 0


async def test_copy_in_and_out_carries_more_than_a_socket_holds(connection: TrioConnection) -> None:
    text = "x" * 1000
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY things FROM STDIN") as copy:
            for number in range(5000):
                await copy.write_row((number, text))
        assert cursor.rowcount == 5000
        async with cursor.copy("COPY things TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            rows = [row async for row in copy.rows()]
    assert rows[-1] == (4999, text)
    assert len(rows) == 5000


async def test_work_that_never_waits_lets_other_tasks_run(connection: TrioConnection) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    def at_once() -> PQGen[None]:
        """As each portion of a COPY is that the socket takes without ado."""
        yield from ()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        await trio.lowlevel.checkpoint()
        turns = 0
        until = time.monotonic() + 40 * MAX_BUSY
        while time.monotonic() < until:
            await connection.wait(at_once())
        assert 3 <= turns <= 41
        nursery.cancel_scope.cancel()


async def test_a_copy_left_by_an_error_stores_nothing(connection: TrioConnection) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with connection.cursor() as cursor, cursor.copy("COPY things FROM STDIN") as copy:
            await copy.write_row((1, "a"))
            raise ZeroDivisionError
    assert await one(connection, "SELECT count(*) FROM things") == 0


async def test_a_server_cursor_fetches_in_portions(connection: TrioConnection) -> None:
    async with connection.transaction(), connection.cursor("portions") as cursor:
        await cursor.execute("SELECT generate_series(1, 1000)")
        assert len(await cursor.fetchmany(10)) == 10
        assert len([row async for row in cursor]) == 990


async def test_a_notification_reaches_a_waiting_listener(connection: TrioConnection, server: str) -> None:
    other = await TrioConnection.connect(server, autocommit=True)
    await connection.execute("LISTEN news")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.execute, "NOTIFY news, 'hello'")
        notices = [notice async for notice in connection.notifies(stop_after=1)]
    assert notices[0].payload == "hello"
    await other.close()


async def test_waiting_for_notifications_can_time_out(connection: TrioConnection) -> None:
    await connection.execute("LISTEN news")
    assert [notice async for notice in connection.notifies(timeout=0.01)] == []
    await connection.execute("NOTIFY news")
    assert len([notice async for notice in connection.notifies(timeout=0)]) == 1


async def test_a_killed_backend_is_an_operational_error(connection: TrioConnection, server: str) -> None:
    pid = connection.info.backend_pid

    async def kill() -> None:
        other = await TrioConnection.connect(server, autocommit=True)
        await until_active(other, pid)
        await other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        await other.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_sleep(60)")
    assert connection.closed


async def test_a_cancelled_statement_ends_in_the_server_and_the_connection_is_usable(
    connection: TrioConnection, server: str
) -> None:
    other = await TrioConnection.connect(server, autocommit=True)
    start = time.monotonic()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.execute, "SELECT pg_sleep(5)")
        await until_active(other, connection.info.backend_pid)
        nursery.cancel_scope.cancel()
    assert time.monotonic() - start < 2
    assert await one(connection, "SELECT 1") == 1
    await other.close()


async def test_cancelling_within_a_transaction_rolls_it_back(connection: TrioConnection) -> None:
    for _ in range(20):
        with trio.move_on_after(0.01) as scope:
            async with connection.transaction():
                await connection.execute("INSERT INTO things VALUES (1, 'a')")
                await connection.execute("SELECT pg_sleep(5)")
        assert scope.cancelled_caught
        assert connection.info.transaction_status is TransactionStatus.IDLE
        assert await one(connection, "SELECT count(*) FROM things") == 0


async def test_cancelling_within_a_pipeline_leaves_the_connection_usable_or_closed(
    connection: TrioConnection,
) -> None:
    with trio.move_on_after(0.01) as scope:
        async with connection.pipeline():
            await connection.execute("SELECT pg_sleep(5)")
            await connection.execute("SELECT 1")
    assert scope.cancelled_caught
    assert connection.closed or await one(connection, "SELECT 1") == 1


async def test_closing_wakes_the_task_that_waits(connection: TrioConnection) -> None:
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT pg_sleep(60)")

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await connection.close()


async def test_two_tasks_on_one_connection_take_turns(connection: TrioConnection) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(connection.execute, "INSERT INTO things VALUES (%s)", (number,))
    assert await one(connection, "SELECT count(*) FROM things") == 20


async def test_connect_bad_raises_operational_error(server: str, tmp_path: object) -> None:
    with pytest.raises(psycopg.OperationalError):
        await TrioConnection.connect(make_conninfo(server, host=str(tmp_path)))
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        await TrioConnection.connect(make_conninfo(server, dbname="nowhere"))


async def test_connect_to_a_silent_server_times_out() -> None:
    listener = trio.socket.socket()
    await listener.bind(("127.0.0.1", 0))
    listener.listen()
    host, port = listener.getsockname()
    with listener, pytest.raises(errors.ConnectionTimeout):
        await TrioConnection.connect(f"host={host} port={port} connect_timeout=1 user=x")


async def test_connect_tries_each_host_in_turn(server: str, tmp_path: object) -> None:
    good = psycopg.conninfo.conninfo_to_dict(server)["host"]
    connection = await TrioConnection.connect(make_conninfo(server, host=f"{tmp_path},{good}"))
    await connection.close()


async def until_active(connection: TrioConnection, pid: int) -> None:
    """Wait until another connection's backend runs a statement."""
    query = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s"
    while (await (await connection.execute(query, (pid,))).fetchone()) != (True,):
        await trio.lowlevel.checkpoint()
