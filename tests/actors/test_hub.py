"""The hub: what listeners get, and what becomes of those that do not keep up."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
import trio

from actors.hub import Hub, Listener, Publish, Published, Subscribe, Unsubscribe
from runtime import ChildSpec, Ref, Supervisor
from storage import Event


def event(
    position: int, session_id: str = "s1", name: str = "messages.upsert", seq: int | None = None
) -> Event:
    return Event(
        position=position,
        session_id=session_id,
        seq=position if seq is None else seq,
        event_id=f"evt_{position}",
        event=name,
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        data={},
    )


@asynccontextmanager
async def running(capacity: int = 100) -> AsyncIterator[tuple[Supervisor, Ref]]:
    """A hub under a supervisor."""
    root = Supervisor([ChildSpec("hub", partial(Hub, capacity=capacity))], intensity=5)
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        yield root, root.ref("hub")
        await root.stop()


async def publish(hub: Ref, *events: Event) -> None:
    """Publish, and wait until it was done."""
    await hub.call(Publish(events))


def taken(listener: Listener) -> list[int]:
    """The positions that have come so far."""
    positions = []
    while True:
        try:
            positions.append(listener.events.receive_nowait().position)
        except (trio.WouldBlock, trio.EndOfChannel):
            return positions


async def ended(listener: Listener) -> bool:
    """Whether its channel is at its end."""
    try:
        listener.events.receive_nowait()
    except trio.EndOfChannel:
        return True
    except trio.WouldBlock:
        return False
    return False


async def test_a_listener_gets_the_events_it_asked_for_in_order() -> None:
    async with running() as (_, hub):
        all_ = await hub.call(Subscribe())
        ours = await hub.call(Subscribe(sessions=frozenset({"s1", "s3"})))
        named = await hub.call(Subscribe(frozenset({"s1"}), frozenset({"call"})))
        await publish(hub, event(1), event(2, "s2"), event(3, name="call", seq=2), event(4, "s3"))
        assert taken(all_) == [1, 2, 3, 4]
        assert taken(ours) == [1, 3, 4]
        assert taken(named) == [3]


async def test_an_event_is_encoded_once_for_all_its_listeners() -> None:
    async with running() as (_, hub):
        first, second = await hub.call(Subscribe()), await hub.call(Subscribe(frozenset({"s1"})))
        await publish(hub, event(1))
        assert await first.events.receive() is await second.events.receive()


async def test_what_is_published_is_the_envelope() -> None:
    async with running() as (_, hub):
        listener = await hub.call(Subscribe())
        await publish(hub, event(9))
        published: Published = await listener.events.receive()
        assert (published.position, published.session_id, published.event) == (9, "s1", "messages.upsert")
        assert json.loads(published.body)["eventId"] == "evt_9"


async def test_a_listener_that_does_not_take_is_cut_off_and_delays_nobody() -> None:
    async with running(capacity=2) as (_, hub):
        slow = await hub.call(Subscribe())
        quick = await hub.call(Subscribe())
        for position in range(1, 5):
            await publish(hub, event(position))
            assert taken(quick) == [position]
        assert taken(slow) == [1, 2]
        assert await ended(slow)
        assert slow.lagged
        assert not quick.lagged


async def test_an_unsubscribed_listener_gets_no_more_and_twice_is_no_harm() -> None:
    async with running() as (_, hub):
        listener = await hub.call(Subscribe())
        await publish(hub, event(1))
        await hub.call(Unsubscribe(listener))
        await hub.call(Unsubscribe(listener))
        await publish(hub, event(2))
        assert taken(listener) == [1]
        assert await ended(listener)
        assert not listener.lagged


async def test_a_listener_that_closed_its_channel_is_forgotten() -> None:
    async with running() as (_, hub):
        gone = await hub.call(Subscribe())
        other = await hub.call(Subscribe())
        gone.events.close()
        await publish(hub, event(1), event(2))
        assert taken(other) == [1, 2]


async def test_listeners_of_a_session_whose_events_went_unannounced_are_sent_back_to_the_table() -> None:
    async with running() as (_, hub):
        all_, ours, others = [
            await hub.call(Subscribe(sessions)) for sessions in (None, frozenset({"s1"}), frozenset({"s2"}))
        ]
        await publish(hub, event(1), event(2, "s2", seq=1), event(4, seq=3), event(5, "s2", seq=2))
        assert taken(ours) == [1]
        assert taken(all_) == [1, 2]
        assert taken(others) == [2, 5]
        assert (ours.lagged, all_.lagged, others.lagged) == (True, True, False)
        again = await hub.call(Subscribe())
        await publish(hub, event(6, seq=4))
        assert taken(again) == [6]


async def test_a_session_made_anew_under_its_old_name_begins_anew() -> None:
    async with running() as (_, hub):
        listener = await hub.call(Subscribe())
        await publish(hub, event(1, seq=8), event(2, seq=1), event(3, seq=2))
        assert taken(listener) == [1, 2, 3]


@pytest.mark.parametrize("how", ["terminate_child", "kill_child"])
async def test_when_the_hub_ends_no_listener_waits_for_ever(how: str) -> None:
    async with running() as (root, hub):
        listener = await hub.call(Subscribe())
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def wait() -> None:
                    with pytest.raises(trio.EndOfChannel):
                        await listener.events.receive()

                await trio.testing.wait_all_tasks_blocked()
                await getattr(root, how)("hub")
        assert not listener.lagged
