"""Messages that are known by their ids alone, and which of them are told as lost."""

from __future__ import annotations

from storage import NewEvent, StoreHeard, StoreMessage, TellLost, Written, now
from storage.writes import DeleteChat, DeleteMessage
from tests.storage.gateway import Gateway
from tests.storage.test_writer import CHAT, inbound, message

DATA = {"key": {"remoteJid": CHAT}}


def again(wa_id: str) -> StoreHeard:
    return StoreHeard(session_id="s1", wa_id=wa_id, untold=DATA)


def lost(wa_id: str) -> TellLost:
    return TellLost(session_id="s1", wa_id=wa_id, events=(NewEvent("messages.lost", DATA),))


async def untold(gateway: Gateway) -> list[str]:
    return [wa_id for wa_id, _ in await gateway.reads.untold("s1", now())]


async def test_what_came_again_and_is_not_stored_is_told_once(gateway: Gateway) -> None:
    await gateway.session()
    assert (await gateway.writer.call(again("A"))).applied
    assert await gateway.reads.untold("s1", now()) == [("A", DATA)]
    first: Written = await gateway.writer.call(lost("A"))
    assert [event.event for event in first.events] == ["messages.lost"]
    assert not (await gateway.writer.call(again("A"))).applied
    assert (await gateway.writer.call(lost("A"))).events == ()
    assert await untold(gateway) == []


async def test_what_was_stored_or_heard_of_before_is_not_lost(gateway: Gateway) -> None:
    await gateway.session()
    written = await gateway.together(
        inbound("A"), StoreHeard(session_id="s1", wa_id="B"), again("A"), again("B"), again("C")
    )
    assert written.applied
    assert await untold(gateway) == ["C"]


async def test_what_is_stored_or_heard_of_meanwhile_is_not_lost(gateway: Gateway) -> None:
    await gateway.session()
    for wa_id in ("A", "B", "C"):
        await gateway.writer.call(again(wa_id))
    await gateway.writer.call(inbound("A"))
    assert (await gateway.writer.call(StoreHeard(session_id="s1", wa_id="B"))).applied
    told = [(await gateway.writer.call(lost(wa_id))).applied for wa_id in ("A", "B", "C")]
    assert told == [False, False, True]


async def test_one_batch_may_hear_of_a_message_twice(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.together(again("A"), again("A"), StoreHeard(session_id="s1", wa_id="A"), lost("A"))
    assert await untold(gateway) == []
    assert gateway.events == []


async def test_a_message_that_was_deleted_is_not_lost(gateway: Gateway) -> None:
    await gateway.session()
    one, other = message(wa_id="A"), message(wa_id="B")
    for each in (one, other):
        await gateway.writer.call(StoreMessage(message=each))
    assert (await gateway.writer.call(DeleteMessage("s1", one.id))).applied
    assert (await gateway.writer.call(DeleteChat("s1", (CHAT,)))).applied
    assert not (await gateway.writer.call(DeleteChat("s1", (CHAT,)))).applied
    await gateway.together(again("A"), again("B"))
    assert await untold(gateway) == []


async def test_sessions_hear_for_themselves(gateway: Gateway) -> None:
    for session_id in ("s1", "s2"):
        await gateway.session(session_id)
    await gateway.writer.call(StoreHeard(session_id="s2", wa_id="A"))
    await gateway.writer.call(again("A"))
    assert await untold(gateway) == ["A"]
