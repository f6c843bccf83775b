"""Queued sends: in which order they go, what keeps them, and that none goes twice."""

from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing
from attrs import evolve

from actors.errors import AccountRestricted, NewChatCap, QueueFull, SessionRestarting, WhatsAppFailed
from actors.outgoing.content import Options, PollVote
from actors.session.messages import Send
from actors.session.queued import CANCELLED, give_up, queue, reword, send_again
from actors.session.settings import Limits
from actors.whatsapp.errors import CallTimedOut, NotConnected, WhatsAppError
from storage.ids import new_id
from storage.rows import Batch, BatchState, Message, MessageStatus
from storage.writes import StoreMessage, Update, UpdateMessage
from tests.actors.session.sending_stage import AT_WILL, BUDI, CITRA, DEWI, SESSION, jid, queued, sends

UNASKED = WhatsAppError(463, "server returned error 463")


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _inbound(phone: str) -> StoreMessage:
    return StoreMessage(
        message=Message(
            session_id=SESSION,
            id=new_id("msg"),
            wa_id=f"IN{phone}",
            chat=jid(phone),
            sender=jid(phone),
            from_me=False,
            type="text",
            text="hello",
            status=MessageStatus.RECEIVED,
        )
    )


async def test_messages_wait_for_the_connection_and_go_by_priority_time_and_age(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        await stage.keep("later", send_at=_in(3600))
        ids = await stage.keep("first", "second")
        await stage.keep("urgent", priority=1)
        await stage.keep("overdue", send_at=_in(-60))
        assert stage.line.sent == []
        stage.connect(up=True)
        await stage.becomes(ids[1], MessageStatus.SENT)
        assert [text for _, text in stage.line.sent][:3] == ["urgent", "first", "second"]
        with trio.fail_after(5):
            while len(stage.line.sent) < 4:
                await trio.sleep(0.005)
        assert stage.line.sent[3:] == [(BUDI, "overdue")]
        updates = [each for each in await stage.told("messages.update") if each["key"]["id"] == ids[0]]
        assert [each["status"] for each in updates] == ["queued"], "then it has WhatsApp's id"


async def test_a_message_goes_when_its_time_has_come(database: str) -> None:
    async with sends(database) as stage:
        (message_id,) = await stage.keep("soon", send_at=_in(0.2))
        message = await stage.becomes(message_id, MessageStatus.SENT)
        assert message.send_at is not None
        assert message.updated_at >= message.send_at
        assert message.wa_id == "WA1"


async def test_positions_count_those_that_go_before(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        first, second = [await stage.sending.keep(queued(text)) for text in ("one", "two")]
        urgent = await stage.sending.keep(queued("urgent", priority=1))
        later = await stage.sending.keep(queued("later", send_at=_in(60)))
        assert [each.position for each in (first, second, urgent, later)] == [0, 1, 0, 3]
        assert later.eta >= _in(59)


async def test_more_than_may_wait_are_refused_and_a_batch_is_stored_whole_or_not_at_all(
    database: str,
) -> None:
    async with sends(database, queued_max=3) as stage:
        stage.connect(up=False)
        await stage.keep("one")
        with pytest.raises(QueueFull):
            await stage.sending.keep_batch((queued("a"), queued("b"), queued("c")), "bat_1")
        assert await stage.gateway.reads.queue.batch(SESSION, "bat_1") is None
        kept = await stage.sending.keep_batch((queued("a"), queued("b")), "bat_2")
        assert [each.position for each in kept] == [1, 2]
        assert await stage.gateway.reads.queue.batch_counts(["bat_2"]) == {"bat_2": {MessageStatus.QUEUED: 2}}
        with pytest.raises(QueueFull):
            await stage.keep("one too many")


async def test_a_message_too_late_is_given_up_without_a_connection(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        (message_id,) = await stage.keep("milk", expires_at=_in(0.1))
        message = await stage.becomes(message_id, MessageStatus.FAILED)
        assert message.error == "expired"
        assert (await stage.told("messages.update"))[-1]["error"] == "expired"


async def test_a_paused_batch_waits_and_others_pass_it(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        await stage.sending.keep_batch((queued("held"),), "bat_1")
        (message_id,) = await stage.keep("free")
        await stage.write(Update(Batch, "bat_1", {"state": BatchState.PAUSED}))
        stage.connect(up=True)
        await stage.becomes(message_id, MessageStatus.SENT)
        assert stage.line.sent == [(BUDI, "free")]
        await stage.write(Update(Batch, "bat_1", {"state": BatchState.RUNNING}))
        with trio.fail_after(5):
            while len(stage.line.sent) < 2:
                await trio.sleep(0.005)


async def test_a_message_cancelled_while_it_is_prepared_does_not_go(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        (message_id,) = await stage.keep("never mind")

        async def cancel() -> None:
            await stage.gateway.writer.call(give_up(await stage.message(message_id), CANCELLED))

        stage.line.looked_up = cancel
        stage.connect(up=True)
        message = await stage.becomes(message_id, MessageStatus.FAILED)
        assert message.error == "cancelled"
        assert (await stage.ask("after it")).message_id == "WA1"


async def test_a_message_reworded_while_it_is_prepared_goes_as_reworded(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        (message_id,) = await stage.keep("teh")

        async def correct() -> None:
            stage.line.looked_up = None
            await stage.gateway.writer.call(reword(await stage.message(message_id), "the"))

        stage.line.looked_up = correct
        stage.connect(up=True)
        message = await stage.becomes(message_id, MessageStatus.SENT)
        assert message.text == "the"
        assert stage.line.sent == [(BUDI, "the")]


async def test_what_certainly_was_not_sent_waits_again_and_goes_once(database: str) -> None:
    async with sends(database) as stage:
        stage.line.failures["hello"] = NotConnected("no link")
        (message_id,) = await stage.keep("hello")
        await stage.becomes(message_id, MessageStatus.SENT)
        assert stage.line.sent == [(BUDI, "hello")]


async def test_what_may_have_been_sent_is_unknown_until_somebody_wants_it_again(database: str) -> None:
    async with sends(database) as stage:
        stage.line.failures["hello"] = CallTimedOut("SendMessage", 75)
        message_id, after = await stage.keep("hello", "next")
        await stage.becomes(after, MessageStatus.SENT)
        message = await stage.becomes(message_id, MessageStatus.UNKNOWN)
        assert stage.line.sent == [(BUDI, "next")]
        await stage.write(send_again(message))
        await stage.becomes(message_id, MessageStatus.SENT)
        assert stage.line.sent == [(BUDI, "next"), (BUDI, "hello")]


async def test_what_whatsapp_refuses_fails_and_the_next_one_goes(database: str) -> None:
    async with sends(database) as stage:
        stage.line.failures["spam"] = WhatsAppError(479, "server returned error 479")
        refused, after = await stage.keep("spam", "ham")
        await stage.becomes(after, MessageStatus.SENT)
        assert (await stage.message(refused)).error == "server returned error 479"


async def test_what_cannot_be_made_fails_and_the_next_one_goes(database: str) -> None:
    unmakable = queue(
        Send(to=BUDI, content=PollVote(message_id="nothing", options=("a",))), SESSION, jid("1")
    )
    broken = StoreMessage(message=evolve(unmakable.message, id=new_id("msg"), intent={"no": "intent"}))
    async with sends(database, before=(unmakable, broken)) as stage:
        (after,) = await stage.keep("fine")
        await stage.becomes(after, MessageStatus.SENT)
        assert (await stage.message(unmakable.message.id)).error == "message_not_found"
        assert (await stage.message(broken.message.id)).error == "internal_error"


async def test_what_an_earlier_life_left_sending_is_unknown_and_what_it_left_queued_goes(
    database: str,
) -> None:
    left, waits = queue(queued("in the air"), SESSION, jid("1")), queue(queued("waits"), SESSION, jid("1"))
    sending = UpdateMessage(session_id=SESSION, id=left.message.id, status=MessageStatus.SENDING)
    async with sends(database, before=(left, sending, waits)) as stage:
        await stage.becomes(waits.message.id, MessageStatus.SENT)
        message = await stage.becomes(left.message.id, MessageStatus.UNKNOWN)
        assert message.error == "interrupted"
        assert stage.line.sent == [(BUDI, "waits")]


async def test_a_send_that_somebody_waits_for_goes_before_the_queue(database: str) -> None:
    async with sends(database) as stage:
        stage.line.gate = trio.Event()
        queued_ids = await stage.keep("one", "two")
        with trio.fail_after(5):
            while not stage.line.sent:
                await trio.sleep(0.005)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.ask, "now, please")
            await stage.gateway.reads.session(SESSION)
            await trio.testing.wait_all_tasks_blocked(0.05)
            stage.line.gate.set()
        await stage.becomes(queued_ids[1], MessageStatus.SENT)
        assert [text for _, text in stage.line.sent] == ["one", "now, please", "two"]


async def test_a_slow_pace_lets_only_the_burst_go(database: str) -> None:
    async with sends(database, limits=Limits(per_minute=1, burst=2)) as stage:
        ids = await stage.keep("one", "two", "three")
        await stage.becomes(ids[1], MessageStatus.SENT)
        view = await stage.gateway.reads.queue.listing(SESSION, datetime.now(UTC))
        assert [(each.message.id, each.position) for each in view.items] == [(ids[2], 0)]
        assert stage.sending.pace.of_queue(trio.current_time()).wait(0) > 50


async def test_after_a_463_strangers_wait_and_known_chats_go_on(database: str) -> None:
    async with sends(database, before=(_inbound(CITRA),)) as stage:
        stage.line.failures["hi, stranger"] = UNASKED
        (cold,) = await stage.keep("hi, stranger")
        with trio.fail_after(5):
            while (await stage.message(cold)).send_at is None:
                await trio.sleep(0.005)
        parked = await stage.message(cold)
        assert parked.status is MessageStatus.QUEUED
        assert parked.send_at is not None
        assert parked.send_at > _in(23 * 3600)
        with pytest.raises(AccountRestricted) as refused:
            await stage.ask("hi, another", to=DEWI)
        assert refused.value.until == parked.send_at
        (known,) = await stage.keep("hi, friend", to=CITRA)
        await stage.becomes(known, MessageStatus.SENT)
        assert stage.line.sent == [(CITRA, "hi, friend")]
        (health,) = await stage.told("account.health")
        assert health["state"] == "restricted"


async def test_so_many_chats_a_day_are_begun_and_those_of_earlier_lives_count(database: str) -> None:
    earlier = queue(queued("earlier", to=DEWI), SESSION, jid("1"))
    was_sent = UpdateMessage(session_id=SESSION, id=earlier.message.id, wa_id="W", status=MessageStatus.SENT)
    limits = Limits(per_minute=AT_WILL.per_minute, burst=AT_WILL.burst, new_chats_per_day=2)
    async with sends(database, limits=limits, before=(earlier, was_sent)) as stage:
        await stage.ask("the second", to=BUDI)
        await stage.ask("the second chat again", to=BUDI)
        with pytest.raises(NewChatCap) as refused:
            await stage.ask("the third", to=CITRA)
        assert 23 * 3600 < refused.value.retry_after <= 24 * 3600
        await stage.ask("known", to=DEWI)
        (cold,) = await stage.keep("the third, queued", to=CITRA)
        with trio.fail_after(5):
            while (await stage.message(cold)).send_at is None:
                await trio.sleep(0.005)
        assert [each["state"] for each in await stage.told("account.health")] == ["new_chat_cap"]


async def test_a_chat_whose_first_message_was_refused_was_not_begun(database: str) -> None:
    limits = Limits(per_minute=AT_WILL.per_minute, burst=AT_WILL.burst, new_chats_per_day=1)
    async with sends(database, limits=limits) as stage:
        stage.line.failures["no"] = WhatsAppError(479, "server returned error 479")
        with pytest.raises(WhatsAppFailed):
            await stage.ask("no")
        await stage.ask("yes", to=CITRA)


async def test_a_send_without_a_connection_is_refused_and_stores_nothing(database: str) -> None:
    async with sends(database) as stage:
        stage.connect(up=False)
        with pytest.raises(SessionRestarting):
            await stage.ask("hello")
        assert (await stage.gateway.reads.messages(SESSION)).items == []


async def test_typing_is_shown_before_the_message(database: str) -> None:
    async with sends(database) as stage:
        send = Send(to=BUDI, content=queued("hi").content, options=Options(typing_ms=20))
        await stage.asking.call(send, timeout=30)
        assert stage.line.presence == [(jid(BUDI), True), (jid(BUDI), False)]
