"""Queued and scheduled messages, batches, receipts and the account's health over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from actors.outgoing.content import Location, Text
from actors.session.messages import GetPace, QueueChanged, QueuePace, Send
from actors.session.queued import queue
from storage.rows import Batch, MessageStatus, Session
from storage.writes import StoreBatch, StoreMessage, StoreReceipt, Update, UpdateMessage
from tests.api.stage import Stage

BUDI = "628110000002"
ME = "628110000001@s.whatsapp.net"
ABSENT = "msg_01AAAAAAAAAAAAAAAAAAAAAAAA"


def _text(text: str, **more: Any) -> StoreMessage:
    return queue(Send(to=BUDI, content=Text(text=text), **more), "ana", ME)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def _store(stage: Stage, *messages: StoreMessage) -> list[str]:
    for each in messages:
        await stage.services.writer.call(each)
    return [each.message.id for each in messages]


async def _becomes(stage: Stage, message_id: str, status: MessageStatus, **more: Any) -> None:
    await stage.services.writer.call(UpdateMessage(session_id="ana", id=message_id, status=status, **more))


async def test_the_queue_is_shown_in_the_order_of_going_with_times(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[GetPace] = QueuePace(first=-6.0, interval=6.0)
        one, two, three = await _store(stage, _text("one"), _text("two"), _text("three", priority=1))
        (later,) = await _store(stage, _text("later", send_at=_in(3600), client_ref="order-7"))
        view = (await client.get("/api/queue")).json()
        page = (await client.get("/api/queue", params={"limit": "2"})).json()
        rest = (await client.get("/api/queue", params={"cursor": page["cursor"]})).json()
    found = [(each["messageId"], each["position"]) for each in view["messages"]]
    assert found == [(three, 0), (one, 1), (two, 2), (later, 3)]
    etas = [each["etaMs"] for each in view["messages"]]
    assert etas[:3] == [0, 0, 6000]
    assert 3_500_000 < etas[3] <= 3_600_000
    last = view["messages"][3]
    assert (last["clientRef"], last["priority"], last["text"]) == ("order-7", "normal", "later")
    assert view["queued"] == page["queued"] == 4
    assert [each["messageId"] for each in page["messages"] + rest["messages"]] == [three, one, two, later]


async def test_a_session_that_cannot_say_its_pace_shows_no_times(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await _store(stage, _text("one"))
        await stage.services.sessions.supervisor.terminate_child("ana")
        (message,) = (await client.get("/api/queue")).json()["messages"]
    assert message["etaMs"] is None


async def test_deleting_the_queue_cancels_all_that_waits(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        one, two, gone = await _store(stage, _text("one"), _text("two", send_at=_in(60)), _text("gone"))
        await _becomes(stage, gone, MessageStatus.SENT, wa_id="WA1")
        assert (await client.delete("/api/queue")).json() == {"cancelled": 2}
        for message_id in (one, two):
            message = (await client.get(f"/api/messages/{message_id}")).json()
            assert (message["status"], message["error"]) == ("failed", "cancelled")
        assert (await client.get(f"/api/messages/{gone}")).json()["status"] == "sent"
        assert (await client.delete("/api/queue")).json() == {"cancelled": 0}
    assert QueueChanged() in stage.scripts["ana"].asked


async def test_only_what_waits_can_be_cancelled(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        (message_id,) = await _store(stage, _text("one"))
        done = await client.post(f"/api/messages/{message_id}/cancel")
        assert (done.status_code, done.json()["error"]) == (200, "cancelled")
        again = await client.post(f"/api/messages/{message_id}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "not_queued")
        absent = await client.post(f"/api/messages/{ABSENT}/cancel")
        assert (absent.status_code, absent.json()["code"]) == (404, "message_not_found")


@pytest.mark.parametrize("status", [MessageStatus.FAILED, MessageStatus.UNKNOWN])
async def test_what_failed_or_is_unknown_can_be_sent_again(stage: Stage, status: MessageStatus) -> None:
    async with await stage.session("ana") as client:
        (message_id,) = await _store(stage, _text("one", expires_at=_in(60)))
        refused = await client.post(f"/api/messages/{message_id}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_retryable")
        await _becomes(stage, message_id, status, error="479")
        again = await client.post(f"/api/messages/{message_id}/retry")
        assert (again.status_code, again.json()["status"], again.json()["error"]) == (200, "queued", None)
    assert stage.scripts["ana"].asked[-1] == QueueChanged()


async def test_what_others_wrote_cannot_be_sent_again(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        theirs = evolve(_text("hi").message, from_me=False, status=MessageStatus.FAILED, intent=None)
        (message_id,) = await _store(stage, StoreMessage(message=theirs))
        refused = await client.post(f"/api/messages/{message_id}/retry")
        assert refused.json()["code"] == "not_retryable"


async def test_a_scheduled_message_is_put_off_reworded_and_called_off(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await _store(stage, _text("at once"))
        second, first = await _store(stage, _text("b", send_at=_in(7200)), _text("a", send_at=_in(3600)))
        listed = (await client.get("/api/scheduled")).json()["messages"]
        assert [each["messageId"] for each in listed] == [first, second]
        at = _in(10_000).replace(microsecond=0)
        body = {"sendAt": at.isoformat(), "message": "A!"}
        changed = (await client.patch(f"/api/scheduled/{first}", json=body)).json()
        assert (datetime.fromisoformat(changed["sendAt"]), changed["text"]) == (at, "A!")
        assert (await client.get(f"/api/scheduled/{first}")).json() == changed
        stored = await stage.services.reads.message("ana", first)
        assert stored is not None
        assert stored.intent is not None
        assert stored.intent["content"]["text"] == "A!"
        only_time = await client.patch(f"/api/scheduled/{second}", json={"sendAt": at.isoformat()})
        assert only_time.json()["text"] == "b"
        assert (await client.delete(f"/api/scheduled/{first}")).status_code == 204
        for method in ("DELETE", "PATCH"):
            late = await client.request(method, f"/api/scheduled/{first}", json={"message": "x"})
            assert (late.status_code, late.json()["code"]) == (409, "not_queued")
        assert (await client.get(f"/api/scheduled/{first}")).status_code == 404


async def test_what_cannot_be_changed_of_a_scheduled_message_is_said(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        place = Send(to=BUDI, content=Location(latitude=1.0, longitude=2.0), send_at=_in(60))
        where, soon = await _store(stage, queue(place, "ana", ME), _text("at once"))
        for body, path in (({"message": "x"}, "message"), ({}, "")):
            refused = await client.patch(f"/api/scheduled/{where}", json=body)
            assert refused.status_code == 400
            assert [wrong["path"] for wrong in refused.json()["errors"]] == [path]
        assert (await client.get(f"/api/scheduled/{soon}")).status_code == 404


async def _batch(stage: Stage, batch_id: str, count: int) -> list[str]:
    send = Send(to=BUDI, content=Text(text="hello"))
    rows = tuple(queue(send, "ana", ME, batch_id) for _ in range(count))
    batch = Batch(id=batch_id, session_id="ana", total=count)
    await stage.services.writer.call(StoreBatch(batch=batch, messages=rows))
    return [each.message.id for each in rows]


async def test_a_batch_counts_its_messages_pauses_goes_on_and_ends(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        ids = await _batch(stage, "bat_1", 4)
        await _becomes(stage, ids[0], MessageStatus.DELIVERED, wa_id="WA1")
        await _becomes(stage, ids[1], MessageStatus.SENDING)
        seen = (await client.get("/api/batches/bat_1")).json()
        assert (seen["state"], seen["total"], seen["done"]) == ("running", 4, False)
        assert {name: count for name, count in seen["counts"].items() if count} == {
            "queued": 2,
            "sending": 1,
            "delivered": 1,
        }
        assert (await client.post("/api/batches/bat_1/pause")).json()["state"] == "paused"
        held = (await client.get("/api/queue")).json()["messages"]
        assert [(each["held"], each["etaMs"]) for each in held] == [(True, None)] * 2
        assert (await client.post("/api/batches/bat_1/resume")).json()["state"] == "running"
        await _becomes(stage, ids[1], MessageStatus.SENT, wa_id="WA2")
        ended = (await client.post("/api/batches/bat_1/cancel")).json()
        assert (ended["state"], ended["done"], ended["counts"]["failed"]) == ("cancelled", True, 2)
        refused = await client.post("/api/batches/bat_1/resume")
        assert (refused.status_code, refused.json()["code"]) == (409, "batch_cancelled")


async def test_batches_are_listed_newest_first_and_are_their_session_s_own(stage: Stage) -> None:
    async with await stage.session("ana") as client, await stage.session("budi") as other:
        for number in range(3):
            await _batch(stage, f"bat_{number}", 1)
        page = (await client.get("/api/batches", params={"limit": "2"})).json()
        rest = (await client.get("/api/batches", params={"cursor": page["cursor"]})).json()
        found = [each["batchId"] for each in page["batches"] + rest["batches"]]
        assert found == ["bat_2", "bat_1", "bat_0"]
        for path in ("", "/cancel", "/pause"):
            answer = await other.request("POST" if path else "GET", f"/api/batches/bat_1{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")


async def test_receipts_tell_who_received_a_message(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        (message_id,) = await _store(stage, _text("one"))
        await _becomes(stage, message_id, MessageStatus.SENT, wa_id="WA1")
        at = datetime(2026, 1, 31, 12, tzinfo=UTC)
        receipt = StoreReceipt(
            session_id="ana", wa_ids=("WA1",), participant=None, status=MessageStatus.READ, at=at
        )
        await stage.services.writer.call(receipt)
        view = (await client.get("/api/messages/WA1/receipts")).json()
    assert view == {
        "messageId": "WA1",
        "receipts": [
            {
                "participant": f"{BUDI}@s.whatsapp.net",
                "deliveredAt": None,
                "readAt": "2026-01-31T12:00:00.000Z",
                "playedAt": None,
            }
        ],
    }


async def test_the_account_s_health_shows_what_it_is_kept_from_until_that_is_over(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        assert (await client.get("/api/session/health")).json() == {
            "state": "ok",
            "reason": None,
            "until": None,
            "troubles": [],
        }
        since, until = _in(-60).isoformat(), _in(60).isoformat()
        health = {
            "restricted": {"reason": "463", "since": since, "until": until},
            "new_chat_cap": {"reason": "2 chats", "since": since, "until": since},
        }
        await stage.services.writer.call(Update(Session, "ana", {"health": health}))
        found = (await stage.client.get("/api/sessions/ana/health")).json()
    assert (found["state"], found["reason"]) == ("restricted", "463")
    assert [each["state"] for each in found["troubles"]] == ["restricted"]
