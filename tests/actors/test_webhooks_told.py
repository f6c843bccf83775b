"""What webhooks are told, and how: several events in one request, and in WAHA's form."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import trio

from actors.delivery import Schedule
from actors.waha import name_of, waha_event
from runtime import Backoff
from storage import DeliveryStatus, Event, Insert, Json, Session, WebhookFormat
from tests.actors.endpoint import Endpoint, serving
from tests.actors.webhooks_stage import SECRET, Stage, running

TOGETHER = {"maxEvents": 10, "maxWaitMs": 10_000}
SOON = {"maxEvents": 10, "maxWaitMs": 0}


def batches(endpoint: Endpoint, *, taken: bool = True) -> list[list[int]]:
    """The numbers of the events in each request that was acknowledged, or refused."""
    return [
        [told["seq"] for told in json.loads(request.body)]
        for request in endpoint.requests
        if (request.status == 200) is taken
    ]


async def statuses(stage: Stage, events: list[Event]) -> list[tuple[str, int]]:
    """Status and tries of the record of each event."""
    await stage.cursor()
    found = [await stage.reads.delivery("whk_1", event.event_id) for event in events]
    return [(each.status, each.attempts) for each in found if each is not None]


async def recorded(stage: Stage, events: list[Event], expected: list[tuple[str, int]]) -> None:
    """Wait until the records are these."""
    with trio.fail_after(20):
        while await statuses(stage, events) != expected:
            await trio.sleep(0.01)


async def test_events_that_happen_together_go_in_one_signed_request_and_are_recorded_one_by_one(
    database: str,
) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url, batch=TOGETHER)
        # Ten do not wait for more; the rest waits for its time, which does not come in this test.
        events = await stage.happen(*["call"] * 20)
        (first, second) = await endpoint.until(2)
        assert batches(endpoint) == [list(range(1, 11)), list(range(11, 21))]
        told = json.loads(first.body)
        assert list(told[0]) == ["sessionId", "event", "data", "eventId", "seq", "occurredAt", "cursor"]
        assert standardwebhooks.Webhook(SECRET).verify(first.body, first.headers) == told
        assert first.headers["webhook-id"].startswith("bat_")
        assert first.headers["webhook-id"] != second.headers["webhook-id"]
        await recorded(stage, events, [("delivered", 1)] * 20)


async def test_a_batch_that_is_not_full_goes_when_its_time_has_come(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url, batch={"maxEvents": 500, "maxWaitMs": 100})
        await stage.happen("call")
        await endpoint.until(1)
        assert batches(endpoint) == [[1]]


async def test_a_batch_that_fails_comes_again_under_its_id_before_what_follows_and_holds_nobody_else(
    database: str,
) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        endpoint.answer_to = lambda body: 500 if b'"s1"' in body and len(endpoint.requests) < 6 else 200
        for session_id in ("s1", "s2"):
            await stage.session(session_id)
        row = await stage.row(endpoint.url, batch=SOON)
        old = await stage.happen(*["call"] * 15)
        (other,) = await stage.happen("call", session_id="s2")
        await stage.webhooks.create(row)
        await recorded(stage, [other], [("delivered", 1)])
        with trio.fail_after(20):
            while {status for status, _ in await statuses(stage, old)} != {"delivered"}:
                await trio.sleep(0.01)
        own = [request for request in endpoint.requests if b'"s1"' in request.body]
        assert [told["seq"] for told in json.loads(own[0].body)] == list(range(1, 11))
        repeated = [request for request in own if request.body == own[0].body]
        assert len(repeated) > 1
        assert len({request.headers["webhook-id"] for request in repeated}) == 1
        told = [
            each["seq"]
            for request in own
            if request.status == 200
            for each in json.loads(request.body)
            if each["sessionId"] == "s1"
        ]
        assert told == list(range(1, 16))


async def test_a_batch_is_given_up_event_by_event_and_a_redelivery_takes_one_out(database: str) -> None:
    schedule = Schedule(backoff=Backoff(60, 60), circuit_failures=100)
    async with running(database, schedule) as stage, serving(Endpoint(lambda _: 500)) as endpoint:
        await stage.session("s1")
        row = await stage.row(endpoint.url, batch=SOON)
        events = await stage.happen("call", "call", "call")
        webhook = await stage.webhooks.create(row)
        await recorded(stage, events, [("failing", 1)] * 3)
        endpoint.answer = lambda _: 200
        again = await stage.webhooks.redeliver(webhook, events[1])
        assert (again.status, again.attempts) == (DeliveryStatus.DELIVERED, 2)
        await recorded(stage, events, [("delivered", 2)] * 3)
        assert batches(endpoint, taken=False) == [[1, 2, 3]]
        assert batches(endpoint) == [[2], [1, 3]]


async def test_a_replay_goes_in_batches_too(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        for session_id in ("s1", "s2"):
            await stage.session(session_id)
        await stage.happen(*["call"] * 12)
        await stage.happen("call", session_id="s2")
        last = (await stage.happen("call"))[-1]
        await stage.webhook(endpoint.url, batch=SOON)
        await stage.webhooks.replay("whk_1", 0, last.position)
        await endpoint.until(4)
        assert batches(endpoint) == [list(range(1, 11)), [11, 12], [1], [13]]


KEY = {"remoteJid": "628222@s.whatsapp.net", "fromMe": False, "id": "3EB0AA"}
IN_GROUP = {
    "remoteJid": "123@g.us",
    "fromMe": True,
    "id": "3EB0BB",
    "participant": "628111@s.whatsapp.net",
}
ANA = Session(id="s1", name="s1", phone="628111", lid="1@lid", push_name="Ana", metadata={"shop": "7"})
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def happened(name: str, data: Json) -> Event:
    return Event(position=1, session_id="s1", seq=1, event_id="evt_1", event=name, occurred_at=AT, data=data)


def told(name: str, data: Json) -> tuple[str, Any]:
    """An event's name and payload in WAHA's form."""
    body = waha_event(happened(name, data), ANA, "1.2.3")
    return body["event"], body["payload"]


def test_the_envelope_is_wahas() -> None:
    data = {"status": "connected", "previous": "starting", "reason": None}
    assert waha_event(happened("session.status", data), ANA, "1.2.3") == {
        "id": "evt_1",
        "timestamp": 1769860800000,
        "event": "session.status",
        "session": "s1",
        "metadata": {"shop": "7"},
        "me": {"id": "628111@c.us", "lid": "1@lid", "pushName": "Ana"},
        "engine": "GOWS",
        "environment": {"version": "1.2.3", "engine": "GOWS", "tier": "CORE", "browser": None},
        "payload": {"name": "s1", "status": "WORKING", "_data": data},
    }


def test_messages_have_their_text_file_and_quote() -> None:
    message = {"conversation": "Halo"}
    data = {"key": KEY, "message": message, "pushName": "Budi", "messageTimestamp": 1769860800}
    name, payload = told("messages.upsert", data)
    assert name == "message"
    assert (payload["id"], payload["from"], payload["to"]) == (
        "false_628222@c.us_3EB0AA",
        "628222@c.us",
        "628111@c.us",
    )
    assert (payload["body"], payload["hasMedia"], payload["replyTo"]) == ("Halo", False, None)
    image = {
        "imageMessage": {
            "mimetype": "image/png",
            "caption": "Lihat",
            "contextInfo": {"stanzaId": "3EB0CC", "participant": "628222@s.whatsapp.net"},
        }
    }
    name, payload = told("messages.upsert", {**data, "key": IN_GROUP, "message": image})
    assert name == "message.any"
    assert payload["id"] == "true_123@g.us_3EB0BB_628111@c.us"
    assert (payload["from"], payload["to"], payload["participant"]) == (
        "628111@c.us",
        "123@g.us",
        "628111@c.us",
    )
    assert (payload["body"], payload["hasMedia"]) == ("Lihat", True)
    assert payload["media"] == {"url": None, "mimetype": "image/png", "filename": None}
    assert payload["replyTo"] == {"id": "3EB0CC", "participant": "628222@c.us", "body": None}


@pytest.mark.parametrize(
    ("name", "data", "expected", "some"),
    [
        ("messages.update", {"key": KEY, "status": "read"}, "message.ack", {"ack": 3, "ackName": "READ"}),
        (
            "messages.reaction",
            {"key": IN_GROUP, "reaction": {"key": KEY, "text": "👍"}},
            "message.reaction",
            {
                "id": "false_628222@c.us_3EB0AA",
                "reaction": {"text": "👍", "messageId": "true_123@g.us_3EB0BB_628111@c.us"},
            },
        ),
        (
            "messages.edited",
            {"key": KEY, "message": {"extendedTextMessage": {"text": "Hai"}}, "messageTimestamp": 7},
            "message.edited",
            {"body": "Hai", "editedMessageId": "3EB0AA"},
        ),
        (
            "messages.revoked",
            {"key": KEY, "revokedBy": "628222@s.whatsapp.net"},
            "message.revoked",
            {"revokedMessageId": "3EB0AA", "before": None},
        ),
        (
            "poll.vote",
            {
                "key": KEY,
                "voter": "628222@s.whatsapp.net",
                "options": ["Ya"],
                "timestamp": 7,
                "pollUpdates": [],
            },
            "poll.vote",
            {},
        ),
        (
            "call",
            {"callId": "C1", "stage": "offered", "from": "628222@s.whatsapp.net", "media": "video"},
            "call.received",
            {"id": "C1", "from": "628222@c.us", "isVideo": True},
        ),
        (
            "chat.presence",
            {"chat": "628222@s.whatsapp.net", "sender": "628222@s.whatsapp.net", "state": "composing"},
            "presence.update",
            {
                "id": "628222@c.us",
                "presences": [
                    {"participant": "628222@c.us", "lastKnownPresence": "typing", "lastSeen": None}
                ],
            },
        ),
        (
            "presence.update",
            {"jid": "628222@s.whatsapp.net", "online": False, "lastSeen": 7},
            "presence.update",
            {
                "id": "628222@c.us",
                "presences": [{"participant": "628222@c.us", "lastKnownPresence": "offline", "lastSeen": 7}],
            },
        ),
    ],
)
def test_each_event_has_its_name_and_payload_there(name: str, data: Json, expected: str, some: Json) -> None:
    event, payload = told(name, data)
    assert event == expected
    assert payload | some == payload


def test_what_waha_has_no_name_for_is_not_told() -> None:
    for name, data in (
        ("account.health", {}),
        ("history.sync", {}),
        ("messages.update", {"key": KEY, "status": "unknown"}),
        ("call", {"stage": "latency"}),
    ):
        assert name_of(happened(name, data)) is None


async def test_a_webhook_in_wahas_form_is_told_those_events_alone(database: str) -> None:
    async with running(database, version="1.2.3") as stage, serving(Endpoint()) as endpoint:
        await stage.writer.call(Insert(ANA))
        await stage.webhook(endpoint.url, format=WebhookFormat.WAHA)
        await stage.append("s1", "account.health", {"state": "ok"})
        update = await stage.append("s1", "messages.update", {"key": KEY, "status": "delivered"})
        (request,) = await endpoint.until(1)
        body = json.loads(request.body)
        assert (body["event"], body["id"], body["me"]["pushName"]) == ("message.ack", update.event_id, "Ana")
        assert request.headers["webhook-id"] == update.event_id
        assert body["environment"]["version"] == "1.2.3"
