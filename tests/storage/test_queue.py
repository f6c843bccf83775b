"""Queues, batches and receipts against a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import (
    Insert,
    Message,
    MessageStatus,
    NewEvent,
    Session,
    StoreMessage,
    UpdateMessage,
    WriteRefused,
)
from storage.ids import new_id
from storage.rows import Batch, BatchState
from storage.together import write_together
from storage.writes import StoreBatch, StoreReceipt, Update, Written
from tests.storage.gateway import Gateway

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CHAT, GROUP = "628110000002@s.whatsapp.net", "120363000000000001@g.us"
UPDATED = NewEvent("messages.update", {"key": {"remoteJid": CHAT}})


def waiting(message_id: str | None = None, **fields: Any) -> StoreMessage:
    defaults: dict[str, Any] = {
        "session_id": "s1",
        "id": message_id or new_id("msg"),
        "chat": CHAT,
        "sender": "me",
        "from_me": True,
        "type": "text",
        "text": "hello",
        "status": MessageStatus.QUEUED,
        "intent": {"to": CHAT},
    }
    return StoreMessage(message=Message(**defaults | fields), events=(UPDATED,))


def _in(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


async def _ids_in_turn(gateway: Gateway, now: datetime) -> list[str]:
    """Take the queue's messages one by one."""
    ids = []
    while (found := await gateway.reads.queue.next("s1", now)) is not None:
        ids.append(found.id)
        sending = UpdateMessage(session_id="s1", id=found.id, status=MessageStatus.SENDING)
        await gateway.writer.call(sending)
    return ids


async def test_due_messages_are_taken_by_priority_then_time_then_age(gateway: Gateway) -> None:
    await gateway.session()
    await write_together(
        gateway.writer,
        [
            waiting("m1"),
            waiting("m2", send_at=_in(-5)),
            waiting("m3", send_at=_in(-9), priority=1),
            waiting("m4", priority=1),
            waiting("m5", send_at=_in(1)),
            waiting("m6", expires_at=_in(-1)),
            waiting("m7", status=MessageStatus.SENT),
        ],
    )
    assert await _ids_in_turn(gateway, NOW) == ["m4", "m3", "m1", "m2"]
    assert await _ids_in_turn(gateway, _in(1)) == ["m5"]


async def test_a_queue_foretells_when_it_has_to_be_looked_at(gateway: Gateway) -> None:
    await gateway.session()
    batch = Batch(id="b1", session_id="s1", total=1)
    await gateway.writer.call(StoreBatch(batch=batch, messages=(waiting(batch_id="b1", send_at=_in(3)),)))
    await write_together(
        gateway.writer,
        [waiting(send_at=_in(7)), waiting(expires_at=_in(4)), waiting(send_at=_in(-7), expires_at=_in(9))],
    )
    outlook = await gateway.reads.queue.outlook("s1", NOW)
    assert (outlook.next_send_at, outlook.next_expires_at) == (_in(3), _in(4))
    await gateway.writer.call(Update(Batch, "b1", {"state": BatchState.PAUSED}))
    assert (await gateway.reads.queue.outlook("s1", NOW)).next_send_at == _in(7)


async def test_places_are_told_in_the_order_of_going_page_by_page(gateway: Gateway) -> None:
    await gateway.session()
    held = Batch(id="b1", session_id="s1", total=1, state=BatchState.PAUSED)
    await gateway.writer.call(StoreBatch(batch=held, messages=(waiting("held", batch_id="b1", priority=9),)))
    rows = [waiting("m1"), waiting("m2", send_at=_in(5), priority=9), waiting("m3", priority=1)]
    await write_together(gateway.writer, [*rows, waiting("m4", send_at=_in(2))])
    page = await gateway.reads.queue.listing("s1", NOW, limit=3)
    rest = await gateway.reads.queue.listing("s1", NOW, limit=3, cursor=page.cursor)
    found = [(each.message.id, each.position, each.held) for each in (*page.items, *rest.items)]
    assert found == [
        ("m3", 0, False),
        ("m1", 1, False),
        ("m4", 2, False),
        ("m2", 3, False),
        ("held", 4, True),
    ]
    assert rest.cursor is None
    assert await gateway.reads.queue.positions("s1", ["m2", "m3", "gone"], NOW) == {"m2": 3, "m3": 0}


async def test_a_batch_is_stored_whole_with_its_events_or_not_at_all(gateway: Gateway) -> None:
    await gateway.session()
    batch = Batch(id="b1", session_id="s1", total=2)
    messages = (waiting("m1", batch_id="b1", client_ref="order-7"), waiting("m2", batch_id="b1"))
    written: Written = await gateway.writer.call(StoreBatch(batch=batch, messages=messages))
    assert written.applied
    assert [event.data.get("clientRef") for event in gateway.events] == ["order-7", None]
    with pytest.raises(WriteRefused) as refused:
        await gateway.writer.call(StoreBatch(batch=batch, messages=(waiting("m3"),)))
    assert refused.value.reason == "duplicate"
    assert await gateway.reads.message("s1", "m3") is None
    counts = await gateway.reads.queue.batch_counts(["b1"])
    assert counts == {"b1": {MessageStatus.QUEUED: 2}}
    listed = await gateway.reads.queue.batches("s1")
    assert [each.id for each in listed.items] == ["b1"]


async def test_only_from_and_unchanged_since_say_how_the_message_has_to_be(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.writer.call(waiting("m1"))
    before = await gateway.reads.message("s1", "m1")
    assert before is not None

    async def change(**fields: Any) -> bool:
        written: Written = await gateway.writer.call(UpdateMessage(session_id="s1", id="m1", **fields))
        return written.applied

    as_read = {"only_from": MessageStatus.QUEUED, "unchanged_since": before.updated_at}
    assert not await change(only_from=MessageStatus.SENDING, text="no")
    assert await change(**as_read, text="yes", intent={"to": "you"})
    assert not await change(**as_read, text="once only")
    assert await change(only_from=MessageStatus.QUEUED, status=MessageStatus.SENDING)
    assert not await change(only_from=MessageStatus.QUEUED, status=MessageStatus.FAILED, error="cancelled")
    after = await gateway.reads.message("s1", "m1")
    assert after is not None
    assert (after.text, after.intent, after.status) == ("yes", {"to": "you"}, MessageStatus.SENDING)


async def test_put_back_a_message_keeps_its_times_and_tried_anew_it_loses_them(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.writer.call(
        waiting("m1", send_at=_in(-1), expires_at=_in(60), status=MessageStatus.SENDING)
    )
    back = UpdateMessage(
        session_id="s1", id="m1", status=MessageStatus.QUEUED, again=True, only_from=MessageStatus.SENDING
    )
    assert (await gateway.writer.call(back)).applied
    message = await gateway.reads.message("s1", "m1")
    assert message is not None
    assert (message.status, message.send_at, message.expires_at) == (MessageStatus.QUEUED, _in(-1), _in(60))
    assert not (await gateway.writer.call(back)).applied, "it is not sending any more"
    failed = UpdateMessage(session_id="s1", id="m1", status=MessageStatus.FAILED, error="expired")
    anew = UpdateMessage(session_id="s1", id="m1", status=MessageStatus.QUEUED, again=True)
    assert [
        each.applied for each in [await gateway.writer.call(failed), await gateway.writer.call(anew)]
    ] == [
        True,
        True,
    ]
    message = await gateway.reads.message("s1", "m1")
    assert message is not None
    assert (message.send_at, message.expires_at, message.error) == (None, None, None)


async def test_receipts_are_kept_by_participant_with_the_earliest_times(gateway: Gateway) -> None:
    await gateway.session()
    await gateway.writer.call(waiting("m1", wa_id="W1", chat=GROUP, status=MessageStatus.SENT))
    await gateway.writer.call(waiting("m2", wa_id="W2", status=MessageStatus.SENT))

    def receipt(status: MessageStatus, minutes: float, participant: str | None, *ids: str) -> StoreReceipt:
        return StoreReceipt(
            session_id="s1", wa_ids=ids, participant=participant, status=status, at=_in(minutes)
        )

    await gateway.together(
        receipt(MessageStatus.DELIVERED, 2, "ana", "W1"),
        receipt(MessageStatus.DELIVERED, 1, "ana", "W1"),
        receipt(MessageStatus.READ, 3, "ana", "W1"),
        receipt(MessageStatus.DELIVERED, 4, "budi", "W1"),
        receipt(MessageStatus.READ, 5, None, "W2", "unheard of"),
    )
    await gateway.writer.call(receipt(MessageStatus.READ, 9, "ana", "W1"))
    ana, budi = await gateway.reads.queue.receipts("s1", "m1")
    assert (ana.participant, ana.delivered_at, ana.read_at) == ("ana", _in(1), _in(3))
    assert (budi.participant, budi.delivered_at, budi.read_at) == ("budi", _in(4), None)
    (partner,) = await gateway.reads.queue.receipts("s1", "m2")
    assert (partner.participant, partner.read_at) == (CHAT, _in(5))
    assert not (await gateway.writer.call(receipt(MessageStatus.READ, 1, "x", "unheard of"))).applied


async def test_a_chat_is_known_by_what_came_from_it_or_arrived_there(gateway: Gateway) -> None:
    await gateway.session()
    await write_together(
        gateway.writer,
        [
            waiting(chat="1@lid", from_me=False, status=MessageStatus.RECEIVED),
            waiting(chat="2@lid", status=MessageStatus.DELIVERED),
            waiting(chat="3@lid", status=MessageStatus.FAILED),
            waiting(chat="4@lid"),
        ],
    )
    knows = [await gateway.reads.queue.knows("s1", [f"{number}@lid", "other"]) for number in range(1, 6)]
    assert knows == [True, True, False, False, False]


async def test_chats_begun_by_us_are_those_whose_first_message_is_ours(gateway: Gateway) -> None:
    await gateway.session()
    sent: dict[str, Any] = {"status": MessageStatus.SENT}
    theirs: dict[str, Any] = {"from_me": False, "status": MessageStatus.RECEIVED}
    await write_together(
        gateway.writer,
        [
            waiting(chat="1@lid", occurred_at=_in(5), **sent),
            waiting(chat="1@lid", occurred_at=_in(6), **sent),
            waiting(chat="2@lid", occurred_at=_in(4), **theirs),
            waiting(chat="2@lid", occurred_at=_in(5), **sent),
            waiting(chat="3@lid", occurred_at=_in(-5), **sent),
            waiting(chat="3@lid", occurred_at=_in(5), **sent),
            waiting(chat="4@lid", occurred_at=_in(5), status=MessageStatus.FAILED),
            waiting(chat="5@lid", occurred_at=_in(3), status=MessageStatus.UNKNOWN),
            waiting(chat=GROUP, occurred_at=_in(5), **sent),
        ],
    )
    assert await gateway.reads.queue.begun("s1", NOW, ["lid"]) == [_in(3), _in(5)]


async def test_a_session_keeps_what_its_account_is_kept_from(gateway: Gateway) -> None:
    await gateway.writer.call(Insert(Session(id="s1", name="Ana")))
    health = {"restricted": {"reason": "463", "since": NOW.isoformat(), "until": None}}
    await gateway.writer.call(Update(Session, "s1", {"health": health}))
    stored = await gateway.reads.session("s1")
    assert stored is not None
    assert stored.health == health
