"""Messages that are forgotten one by one."""

from __future__ import annotations

from storage import MessageStatus, StoreMessage
from storage.writes import DeleteMessage
from tests.storage.gateway import Gateway
from tests.storage.test_writer import UPSERT, message, outgoing


async def test_a_forgotten_message_is_gone_and_its_events_stay(gateway: Gateway) -> None:
    await gateway.session()
    kept, gone = message(wa_id="A"), message(wa_id="B")
    for each in (kept, gone):
        await gateway.writer.call(StoreMessage(message=each, events=(UPSERT,)))
    written = await gateway.writer.call(DeleteMessage("s1", gone.id))
    assert written.applied
    assert await gateway.reads.message("s1", gone.id) is None
    assert await gateway.reads.message("s1", kept.id) is not None
    assert len(await gateway.reads.session_events_after("s1", 0)) == 2


async def test_only_the_session_s_own_message_is_forgotten_and_none_that_is_being_sent(
    gateway: Gateway,
) -> None:
    await gateway.session()
    received, sending = message(wa_id="A"), outgoing()
    for each in (received, sending):
        await gateway.writer.call(StoreMessage(message=each, events=(UPSERT,)))
    assert not (await gateway.writer.call(DeleteMessage("s2", received.id))).applied
    assert not (await gateway.writer.call(DeleteMessage("s1", sending.id))).applied
    stored = await gateway.reads.message("s1", sending.id)
    assert stored is not None
    assert stored.status is MessageStatus.SENDING
