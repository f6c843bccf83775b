"""Leases: what a node holds, loses and gets, and what it may write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from storage import Append, Insert, NewEvent, Session, WriteRefused, Written
from storage.fencing import Fence, Fenced, FencedWriter
from storage.nodes import Ended, Load, Nodes
from storage.rows import Leftover
from storage.writes import ForgetLeftovers
from tests.storage.gateway import Gateway, running_writer

LOAD = Load(memory=1, memory_total=2)


@pytest.fixture
async def nodes(database: str) -> AsyncIterator[Nodes]:
    nodes = Nodes(database)
    yield nodes
    nodes.close()


async def registered(nodes: Nodes, name: str = "one", **more: str) -> str:
    return await nodes.register(
        name=name, url=f"http://{name}", version="1", lease=30, **{"process": f"run_{name}"} | more
    )


def expire(database: str, node_id: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE nodes SET expires_at = clock_timestamp() - interval '1 ms' WHERE id = %s", (node_id,)
        )


async def test_a_session_is_claimed_once_and_each_time_under_the_next_epoch(
    database: str, gateway: Gateway, nodes: Nodes
) -> None:
    for name in ("s1", "s2", "s3"):
        await gateway.session(name)
    one, two = await registered(nodes), await registered(nodes, "two")
    assert await nodes.claim(one, 2) == {"s1": 1, "s2": 1}
    assert await nodes.claim(two, 5) == {"s3": 1}
    assert await nodes.claim(two, 5) == {}
    expire(database, one)
    assert await nodes.claim(two, 5) == {}, "only reaping frees"
    assert await nodes.reap() == [one]
    assert await nodes.claim(two, 5) == {"s1": 2, "s2": 2}


async def test_who_is_too_late_to_renew_has_lost_all(database: str, gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    one = await registered(nodes)
    await nodes.claim(one, 1)
    assert await nodes.renew(one, 30, LOAD)
    expire(database, one)
    assert not await nodes.renew(one, 30, LOAD)
    await nodes.reap()
    assert not await nodes.renew(one, 30, LOAD)
    assert (await nodes.holding(one)).sessions == {}
    assert await nodes.owner("s1") is None


async def test_a_predecessor_makes_room_at_once(gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    one = await registered(nodes)
    await nodes.claim(one, 1)
    again = await registered(nodes, process="run_again", predecessor=one)
    assert [node.id for node in await nodes.nodes()] == [again]
    assert await nodes.claim(again, 1) == {"s1": 2}


async def test_a_session_is_handed_over_to_who_is_there(
    database: str, gateway: Gateway, nodes: Nodes
) -> None:
    await gateway.session("s1")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 1)
    assert not await nodes.hand_over("s1", node_id=one, epoch=0, to=two), "not its epoch"
    assert not await nodes.hand_over("s1", node_id=two, epoch=1, to=one), "not its own"
    assert await nodes.hand_over("s1", node_id=one, epoch=1, to=two)
    owner = await nodes.owner("s1")
    assert owner is not None
    assert (owner.node_id, owner.url, owner.epoch) == (two, "http://two", 2)
    expire(database, one)
    assert not await nodes.hand_over("s1", node_id=two, epoch=2, to=one), "its lease is over"


async def test_a_duty_is_one_nodes_until_it_lets_go(nodes: Nodes) -> None:
    one, two = await registered(nodes), await registered(nodes, "two")
    assert (await nodes.claim_duties(one, ["webhooks"])).keys() == {"webhooks"}
    taken = await nodes.claim_duties(two, ["webhooks", "sinks"])
    assert taken.keys() == {"sinks"}
    holder = await nodes.holder("webhooks")
    assert holder is not None
    assert holder.node_id == one
    await nodes.release_duty("webhooks", node_id=one, epoch=holder.epoch)
    assert (await nodes.claim_duties(two, ["webhooks"])) == {"webhooks": holder.epoch + 1}


async def test_a_listing_says_what_each_has(gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    await gateway.session("s2")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(two, 1)
    await nodes.renew(two, 30, LOAD)
    assert await nodes.drain(one)
    assert not await nodes.drain("nod_0")
    holding = await nodes.holding(two)
    assert [(node.name, node.sessions, node.state) for node in holding.nodes] == [
        ("one", 0, "draining"),
        ("two", 1, "running"),
    ]
    assert holding.nodes[1].load == {"memory": 1, "memoryTotal": 2}
    assert (holding.sessions, holding.free, holding.total) == ({"s1": 1}, 1, 2)


async def test_an_old_epochs_write_is_refused_and_its_neighbours_are_not(
    gateway: Gateway, nodes: Nodes
) -> None:
    await gateway.session("s1")
    await gateway.session("s2")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 2)
    first = FencedWriter(gateway.writer, Fence("sessions", "s1", 1))
    other = FencedWriter(gateway.writer, Fence("sessions", "s2", 1))
    written: Written = await first.call(Append("s1", (NewEvent("e", {}),)))
    assert written.applied
    await nodes.hand_over("s1", node_id=one, epoch=1, to=two)
    for number in range(5):
        await first.cast(Append("s1", (NewEvent("old", {"n": number}),)))
        await other.cast(Append("s2", (NewEvent("e", {"n": number}),)))
    with pytest.raises(WriteRefused, match="lease_moved"):
        await first.call(Append("s1", (NewEvent("old", {}),)))
    await gateway.writer.call(Fenced(Append("s1", (NewEvent("new", {}),)), Fence("sessions", "s1", 2)))
    told = [(event.session_id, event.event) for event in gateway.events]
    assert told == [("s1", "e"), *[("s2", "e")] * 5, ("s1", "new")]


@pytest.mark.parametrize("first", ["old", "new"])
async def test_an_old_epochs_write_is_refused_beside_one_of_the_same_session_that_came_back(
    gateway: Gateway, nodes: Nodes, first: str
) -> None:
    await gateway.session("s1")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 1)
    for epoch in range(1, 17, 2):  # which of the two fences a set has last is chance
        await nodes.hand_over("s1", node_id=one, epoch=epoch, to=two)
        await nodes.hand_over("s1", node_id=two, epoch=epoch + 1, to=one)
        writes = [
            Fenced(Append("s1", (NewEvent(name, {}),)), Fence("sessions", "s1", epoch + later))
            for name, later in (("old", 0), ("new", 2))
        ]
        for write in writes if first == "old" else reversed(writes):
            await gateway.writer.cast(write)
        await gateway.writer.call(Append("s1"))
    assert [event.event for event in gateway.events] == ["new"] * 8


async def test_an_old_duty_writes_no_more(gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    one = await registered(nodes)
    epoch = (await nodes.claim_duties(one, ["webhooks"]))["webhooks"]
    writer = FencedWriter(gateway.writer, Fence("duties", "webhooks", epoch))
    await writer.call(Append("s1"))
    await nodes.leave(one)
    two = await registered(nodes, "two")
    await nodes.claim_duties(two, ["webhooks"])
    with pytest.raises(WriteRefused, match="lease_moved"):
        await writer.call(Append("s1"))


async def test_a_dead_node_is_cut_off_in_the_middle_of_its_transaction(
    database: str, gateway: Gateway, nodes: Nodes
) -> None:
    await gateway.session("s1")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 1)
    with psycopg.connect(database, application_name="terzetto writer run_one") as stuck:
        stuck.execute("SELECT FROM sessions WHERE id = 's1' FOR UPDATE")
        expire(database, one)
        assert await nodes.reap() == [one]
        assert await nodes.claim(two, 1) == {"s1": 2}
        with pytest.raises(psycopg.OperationalError):
            stuck.execute("SELECT 1")


async def test_a_lone_gateway_is_seen(database: str, nodes: Nodes) -> None:
    assert not await nodes.lone_gateway()
    async with running_writer(database) as gateway:
        await gateway.writer.call(Insert(Session(id="s1", name="s1")))
        assert await nodes.lone_gateway()


async def test_a_time_that_is_over_is_told_with_how_far_it_was_stored(gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    await gateway.session("s2")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 2)
    await gateway.writer.call(Append("s1", (), journal_seq=7))
    assert await nodes.ended([("s1", 1), ("s2", 1)]) == [], "they are this node's now"
    await nodes.hand_over("s1", node_id=one, epoch=1, to=two)
    await gateway.writer.call(Append("s1", (), journal_seq=9))
    assert await nodes.ended([("s1", 1), ("s2", 1)]) == [Ended("s1", 1, 7)]
    assert await nodes.ended([("gone", 4)]) == [Ended("gone", 4, None)]


async def test_what_is_handed_in_waits_for_whoever_has_the_session(gateway: Gateway, nodes: Nodes) -> None:
    await gateway.session("s1")
    one, two = await registered(nodes), await registered(nodes, "two")
    await nodes.claim(one, 1)
    await nodes.hand_over("s1", node_id=one, epoch=1, to=two)
    records = [
        Leftover(session_id="s1", epoch=1, seq=seq, kind=3, at=5, payload=bytes([seq])) for seq in (8, 9)
    ]
    (ended,) = await nodes.ended([("s1", 1)])
    await nodes.hand_in(ended, records)
    await nodes.hand_in(ended, records)
    assert (await nodes.holding(two)).leftovers == {"s1"}
    assert (await nodes.holding(one)).leftovers == frozenset()
    assert await nodes.ended([("s1", 1)]) == [Ended("s1", 1, None)], "once"
    assert await gateway.reads.leftovers("s1", 10) == records
    written = await gateway.writer.call(ForgetLeftovers(session_id="s1", epoch=1, seq=8))
    assert written.applied
    assert await gateway.reads.leftovers("s1", 10) == records[1:]


async def test_what_belongs_to_a_session_that_is_gone_is_nobodys(gateway: Gateway, nodes: Nodes) -> None:
    record = Leftover(session_id="s1", epoch=1, seq=1, kind=3, at=5, payload=b"")
    await nodes.hand_in(Ended("s1", 1, 0), [record])
    assert await gateway.reads.leftovers("s1", 10) == []
