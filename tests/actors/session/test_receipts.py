"""Receipts that wait for their messages, over the database and its writer."""

from functools import partial

import trio
from attrs import evolve

from actors.session.receipts import Receipts
from runtime import Mailbox
from storage import NewEvent
from storage.writes import Append
from tests.storage.gateway import Gateway, running_writer
from tests.storage.test_writer import inbound


def receipt(number: int, journal_seq: int | None = None) -> Append:
    return Append("s1", (NewEvent("message.ack", {"n": number}),), journal_seq)


async def stored(gateway: Gateway, count: int) -> list[int]:
    """The first so many that are stored, once there are any."""
    with trio.fail_after(10):
        while len(found := [event.data["n"] for event in gateway.events]) < count:
            await trio.sleep(0.01)
    return found


async def test_they_are_stored_in_order_once_the_messages_are(database: str) -> None:
    settled = trio.Event()
    async with running_writer(database) as gateway, trio.open_nursery() as nursery:
        await gateway.session()
        receipts = Receipts(settled.wait, gateway.writer)
        assert not receipts
        receipts.hold([receipt(1), receipt(2)])
        nursery.start_soon(receipts.release)
        receipts.hold([receipt(3)])
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert receipts
        assert gateway.events == []
        settled.set()
        assert await stored(gateway, 3) == [1, 2, 3]
        assert not receipts


async def test_each_is_stored_once_although_two_release_them(database: str) -> None:
    async with running_writer(database, mailbox=partial(Mailbox, 1)) as gateway:
        await gateway.session()
        receipts = Receipts(trio.lowlevel.checkpoint, gateway.writer)
        receipts.hold([receipt(number) for number in range(20)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receipts.release)
            nursery.start_soon(receipts.release)
        assert await stored(gateway, 20) == list(range(20))


async def test_a_new_message_is_stored_meanwhile_and_the_journal_not_forgotten(database: str) -> None:
    settled = trio.Event()
    async with running_writer(database) as gateway, trio.open_nursery() as nursery:
        await gateway.session()
        receipts = Receipts(settled.wait, gateway.writer)
        assert receipts.hold([receipt(1, journal_seq=5)]) == ()
        nursery.start_soon(receipts.release)
        (message,) = receipts.hold([evolve(inbound("A"), journal_seq=6)])
        await gateway.writer.call(message)
        assert receipts.hold([receipt(2, journal_seq=7)]) == ()
        assert [event.event for event in gateway.events] == ["messages.upsert"]
        assert await position(gateway) == 0
        settled.set()
        with trio.fail_after(10):
            while await position(gateway) < 7:
                await trio.sleep(0.01)
        assert [event.event for event in gateway.events] == ["messages.upsert", "message.ack", "message.ack"]


async def position(gateway: Gateway) -> int:
    """Up to which record of the journal all are stored."""
    session = await gateway.reads.session("s1")
    assert session is not None
    return session.journal_seq
