"""The event log in partitions: nothing is lost by them but what is dropped, and that is never silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import trio

from storage import (
    Append,
    DatabaseUnavailable,
    Delete,
    Event,
    EventsExpired,
    Expiry,
    NewEvent,
    Pool,
    Session,
    migrate,
    now,
)
from storage.migrate import migrations
from tests.storage.gateway import Gateway, running_writer

DAY = timedelta(days=1)


@pytest.fixture
async def fresh(empty_database: str) -> AsyncIterator[Gateway]:
    """A writer on a database of its own: its partitions may be dropped."""
    await migrate(empty_database)
    async with running_writer(empty_database) as gateway:
        await gateway.session()
        yield gateway


@pytest.fixture
async def expiry(fresh: Gateway) -> AsyncIterator[Expiry]:
    pool = Pool(fresh.dsn, 2, writable=True)
    yield Expiry(pool)
    pool.close()


async def append(gateway: Gateway, count: int = 1) -> list[Event]:
    written = await gateway.writer.call(Append("s1", [NewEvent("call", {"n": n}) for n in range(count)]))
    events: list[Event] = list(written.events)
    return events


def rows(dsn: str, query: str, *params: Any) -> list[Any]:
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(query.encode(), params)
        return cursor.fetchall() if cursor.description else []


def partitions(dsn: str) -> list[str]:
    return [name for (name,) in rows(dsn, "SELECT name FROM event_partitions ORDER BY ends")]


async def test_a_log_from_before_the_partitions_is_kept_whole_and_goes_on(empty_database: str) -> None:
    ours = migrations()
    before = [each for each in ours if each.number <= 7]
    await migrate(empty_database, before)
    rows(
        empty_database,
        "INSERT INTO sessions (id, name, desired, status, status_since, restarts, settings, metadata, seq,"
        " created_at, updated_at)"
        " SELECT id, id, 'running', 'connected', now(), 0, '{}', '{}', 500, now(), now()"
        " FROM unnest(ARRAY['s1', 's2']) id",
    )
    rows(
        empty_database,
        "INSERT INTO events (session_id, seq, event_id, event, occurred_at, data)"
        " SELECT 's' || (1 + (n & 1)), (n + 2) / 2, 'evt_' || n, 'call', now() - interval '1 year', '{}'"
        " FROM generate_series(0, 999) n",
    )
    told = "SELECT position, session_id, seq, event_id FROM events ORDER BY position"
    log = rows(empty_database, told)
    assert await migrate(empty_database) == [each.name for each in ours[7:]]
    assert rows(empty_database, told) == log
    async with running_writer(empty_database) as gateway:
        first, second = await append(gateway, 2)
        assert (first.seq, second.seq) == (501, 502)
        assert log[-1][0] < first.position < second.position
        stretch = await gateway.reads.events_after(log[-2][0])
        assert [event.event_id for event in stretch.events] == ["evt_999", first.event_id, second.event_id]
        assert await gateway.reads.event("evt_7") is not None
        assert len(await gateway.reads.session_events_after("s1", 0, limit=1000)) == 502
        await gateway.writer.call(Delete(Session, "s1"))
        assert await gateway.reads.session_events_after("s1", 0) == []
        assert len(await gateway.reads.session_events_after("s2", 0)) == 500


async def test_old_events_go_with_their_partition_and_who_has_missed_some_is_told(
    fresh: Gateway, expiry: Expiry
) -> None:
    first, last = (await append(fresh, 3))[::2]
    assert await expiry.events(now() - DAY, 10) == 0  # all that there is may be younger
    everything = len(partitions(fresh.dsn))
    assert await expiry.events(now() + 9 * DAY, everything) == everything
    for position in (0, first.position, last.position - 1):
        with pytest.raises(EventsExpired) as expired:
            await fresh.reads.events_after(position)
        assert expired.value.dropped == last.position == await fresh.reads.log_start()
    assert (await fresh.reads.events_after(last.position)).end == last.position
    # Empty partitions took nothing along.
    await expiry.extend_events(1)
    assert await expiry.events(now() + 9 * DAY, 10) > 0
    assert await fresh.reads.log_start() == last.position


async def test_an_event_without_a_partition_is_stored_and_gets_one_later(
    fresh: Gateway, expiry: Expiry
) -> None:
    await expiry.events(now() + 9 * DAY, 10)
    assert partitions(fresh.dsn) == []
    start = await fresh.reads.log_start()
    events = [(await append(fresh))[0] for _ in range(3)]
    assert (await fresh.reads.events_after(start)).events == events
    assert rows(fresh.dsn, "SELECT count(*) FROM events_unplaced") == [(3,)]
    assert await expiry.extend_events(1) > 0
    assert rows(fresh.dsn, "SELECT count(*) FROM events_unplaced") == [(0,)]
    events += await append(fresh)
    assert (await fresh.reads.events_after(start)).events == events
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert await expiry.extend_events(1) == 0


async def test_a_gateway_that_nobody_swept_for_long_catches_up(fresh: Gateway, expiry: Expiry) -> None:
    await expiry.events(now() + 9 * DAY, 10)
    rows(
        fresh.dsn,
        "INSERT INTO events (position, session_id, seq, event_id, event, occurred_at, data)"
        " SELECT event_position(now() - make_interval(days => n)), 's1', 50 - n, 'evt_' || n, 'call',"
        " now(), '{}'"
        " FROM generate_series(1, 45) n",
    )
    assert await expiry.extend_events(10) == 6
    assert rows(fresh.dsn, "SELECT count(*) FROM events_unplaced") == [(0,)]
    assert len((await fresh.reads.events_after(0)).events) == 45
    assert await expiry.events(now() - 20 * DAY, 10) == 2
    assert await expiry.events(now() - 20 * DAY, 10) == 0
    kept = (await fresh.reads.events_after(await fresh.reads.log_start())).events
    assert [event.seq for event in kept] == list(range(25, 50))


async def test_partitions_are_made_and_dropped_beside_writers_and_by_several_at_once(
    fresh: Gateway, expiry: Expiry
) -> None:
    start = await fresh.reads.log_start()

    async def write() -> None:
        for _ in range(20):
            await append(fresh, 2)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(write)
        for days in (5, 10, 20):
            nursery.start_soon(expiry.extend_events, days)
            nursery.start_soon(expiry.events, now() - DAY, 10)
    events = (await fresh.reads.events_after(start)).events
    assert [event.seq for event in events] == list(range(1, 121))
    assert events == fresh.events


async def test_a_reader_of_the_log_puts_off_the_drop_and_stops_no_writer(
    fresh: Gateway, expiry: Expiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.expiry._LOCK_TIMEOUT", "100ms")
    await append(fresh)
    before = partitions(fresh.dsn)
    with psycopg.connect(fresh.dsn) as reader:
        reader.execute("SELECT FROM events")
        with pytest.raises(DatabaseUnavailable):
            await expiry.events(now() + 9 * DAY, 10)
        await append(fresh)
    assert partitions(fresh.dsn) == before
    assert len((await fresh.reads.events_after(0)).events) == 2
    assert await expiry.events(now() + 9 * DAY, 10) == len(before)


async def test_within_a_partition_the_database_itself_refuses_a_number_or_an_id_twice(
    fresh: Gateway,
) -> None:
    (event,) = await append(fresh)
    copy = (
        "INSERT INTO events"
        " SELECT position + 1, session_id, seq + %s, event_id || %s, event, occurred_at, data"
        " FROM events WHERE position = %s"
    )
    for more, name, constraint in ((1, "", "event_id"), (0, "x", "pkey")):
        with pytest.raises(psycopg.errors.UniqueViolation, match=constraint):
            rows(fresh.dsn, copy, more, name, event.position)


async def test_positions_grow_though_the_clock_goes_back(fresh: Gateway) -> None:
    ahead = int((now() + 30 * DAY).timestamp() * 1_000_000)
    rows(fresh.dsn, "UPDATE event_log SET position = %s", ahead)
    events = await append(fresh, 2) + await append(fresh)
    assert [event.position for event in events] == [ahead + 1, ahead + 2, ahead + 3]
    assert (await fresh.reads.events_after(ahead)).events == events
