"""The overview: what it counts, for whom, and that many who look cost as little as one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trio

from actors.outgoing.content import Text
from actors.session.messages import GetStatus, Send
from actors.session.queued import queue
from api.remembered import Remembered
from storage.errors import DatabaseUnavailable
from storage.rows import Batch, Delivery, DeliveryStatus, Message, MessageStatus, Session, now
from storage.writes import StoreBatch, StoreDelivery, StoreMessage, Update
from tests.api.stage import Stage

Json = dict[str, Any]
PASSWORD = "correct horse battery staple"


async def look(client: httpx.AsyncClient, hours: str = "1") -> Json:
    answer = await client.get("/api/overview", params={"hours": hours})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def sessions(stage: Stage, *names: str) -> None:
    for name in names:
        await (await stage.session(name)).aclose()


async def is_now(stage: Stage, session_id: str, status: str, error: str | None = None) -> None:
    changes = {"status": status, "status_since": now(), "last_error": error}
    await stage.services.writer.call(Update(Session, session_id, changes))


async def moved(
    stage: Stage, session_id: str, name: str, status: MessageStatus, ago: timedelta, **more: Any
) -> None:
    message = Message(
        session_id=session_id,
        id=f"msg_{name}",
        wa_id=f"WA_{name}",
        chat="1@s.whatsapp.net",
        sender="1@s.whatsapp.net",
        from_me=status is not MessageStatus.RECEIVED,
        type="text",
        text="this is what the customer wrote",
        status=status,
        occurred_at=now() - ago,
        **more,
    )
    await stage.services.writer.call(StoreMessage(message=message))


def summed(overview: Json) -> tuple[int, int, int]:
    traffic = overview["messages"]["traffic"]
    received, sent, failed = (sum(each[what] for each in traffic) for what in ("received", "sent", "failed"))
    return received, sent, failed


# What it counts


async def test_sessions_are_counted_by_status_and_those_in_trouble_are_named(stage: Stage) -> None:
    await sessions(stage, "ana", "budi", "citra", "dewi")
    await is_now(stage, "ana", "connected")
    await is_now(stage, "budi", "connected")
    await is_now(stage, "citra", "logged_out", "the phone unlinked it")
    await is_now(stage, "dewi", "reconnecting")
    found = (await look(stage.client))["sessions"]
    assert found["total"] == 4
    assert found["byStatus"] == {"connected": 2, "logged_out": 1, "reconnecting": 1}
    (citra,) = found["troubled"]
    assert (citra["id"], citra["status"], citra["lastError"]) == (
        "citra",
        "logged_out",
        "the phone unlinked it",
    )


async def test_messages_are_counted_where_in_time_they_were(stage: Stage) -> None:
    await sessions(stage, "ana")
    minute = timedelta(minutes=1)
    await moved(stage, "ana", "one", MessageStatus.RECEIVED, 10 * minute)
    await moved(stage, "ana", "two", MessageStatus.RECEIVED, 10 * minute)
    await moved(stage, "ana", "three", MessageStatus.DELIVERED, 20 * minute)
    await moved(stage, "ana", "four", MessageStatus.FAILED, 20 * minute)
    await moved(stage, "ana", "queued", MessageStatus.QUEUED, 5 * minute)
    await moved(stage, "ana", "of old", MessageStatus.RECEIVED, 10 * minute, history=True)
    await moved(stage, "ana", "yesterday", MessageStatus.RECEIVED, timedelta(hours=23))
    await moved(stage, "ana", "last week", MessageStatus.SENT, timedelta(days=6))
    hour, day, week = [await look(stage.client, hours) for hours in ("1", "24", "168")]
    assert [summed(each) for each in (hour, day, week)] == [(2, 1, 1), (3, 1, 1), (3, 2, 1)]
    sizes = [
        (len(each["messages"]["traffic"]), each["messages"]["stepSeconds"]) for each in (hour, day, week)
    ]
    assert sizes == [(60, 60), (96, 900), (84, 7200)]
    (busy,) = [each for each in hour["messages"]["traffic"] if each["received"]]
    begins = datetime.fromisoformat(busy["at"])
    assert (busy["received"], begins.second, begins.microsecond) == (2, 0, 0)
    assert timedelta(minutes=9) < datetime.now(UTC) - begins < timedelta(minutes=12)


async def test_the_queue_tells_apart_what_is_due_later_and_held_back(stage: Stage) -> None:
    await sessions(stage, "ana")
    writer = stage.services.writer
    text = Text(text="Halo")
    await writer.call(queue(Send(to="628110000002", content=text), "ana", "1@s.whatsapp.net"))
    past, future = now() - timedelta(minutes=7), now() + timedelta(hours=1)
    await writer.call(queue(Send(to="628110000002", content=text, send_at=past), "ana", "1@s.whatsapp.net"))
    await writer.call(queue(Send(to="628110000002", content=text, send_at=future), "ana", "1@s.whatsapp.net"))
    await writer.call(
        StoreBatch(batch=Batch(id="bat_1", session_id="ana", state="paused", total=1), messages=())
    )
    await moved(stage, "ana", "held", MessageStatus.QUEUED, timedelta(), batch_id="bat_1")
    found = (await look(stage.client))["queue"]
    oldest = datetime.fromisoformat(found.pop("oldestDue"))
    assert found == {"waiting": 2, "scheduled": 1, "held": 1}
    assert abs(oldest - past) < timedelta(seconds=1)


async def test_webhooks_tell_who_is_behind_and_what_was_given_up(stage: Stage) -> None:
    await sessions(stage, "ana")
    ids = []
    for _ in range(3):
        body = {"url": "http://127.0.0.1:9/", "events": ["messages.upsert"]}
        made = await stage.client.post("/api/webhooks", json=body, headers={"x-session-id": "ana"})
        ids.append(made.json()["webhook"]["id"])
    await stage.client.post(f"/api/webhooks/{ids[2]}/pause")
    behind = (now() - timedelta(hours=3)).replace(microsecond=0)
    tried: Json = {"session_id": "ana", "event": "messages.upsert", "attempts": 3, "latency_ms": 5}
    tried |= {"first_attempt_at": behind, "last_attempt_at": now(), "error": "refused"}
    tried |= {"response_status": None, "response_body": ""}
    for webhook_id, event_id, status in (
        (ids[1], "evt_1", DeliveryStatus.FAILING),
        (ids[2], "evt_2", DeliveryStatus.DEAD),
        (ids[2], "evt_3", DeliveryStatus.DEAD),
    ):
        row = Delivery(webhook_id=webhook_id, event_id=event_id, status=status, **tried)
        await stage.services.writer.call(StoreDelivery(row))
    with trio.fail_after(5):
        while (circuit := stage.services.webhooks.circuit(ids[0])) is None:
            await trio.sleep(0.01)
    circuit.opened_at = now()
    found = (await look(stage.client))["webhooks"]
    assert (found["active"], found["paused"], found["circuitsOpen"], found["deadLetters"]) == (2, 1, 1, 2)
    first, *others = found["troubled"]
    assert (first["id"], datetime.fromisoformat(first["failingSince"])) == (ids[1], behind)
    assert [(each["id"], each["circuit"], each["deadLetters"]) for each in others] == [
        (ids[0], "open", 0),
        (ids[2], "closed", 2),
    ]


async def test_what_crashed_is_named_with_the_kind_of_its_error(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    assert (await look(stage.client))["running"]["crashes"] == []

    async def die(message: object) -> None:
        raise DatabaseUnavailable

    stage.scripts["ana"].answers[GetStatus] = die
    await stage.client.get("/api/sessions/ana/status")
    with trio.fail_after(5):  # a look is good for a second
        while not (found := (await look(stage.client))["running"]["crashes"]):
            await trio.sleep(0.05)
    (crash,) = found
    assert (crash["path"], crash["lastExit"][:27]) == ("sessions/ana", "error (DatabaseUnavailable)")
    assert datetime.now(UTC) - datetime.fromisoformat(crash["since"]) < timedelta(seconds=10)


async def test_the_gateway_tells_of_itself_and_its_database(stage: Stage) -> None:
    found = await look(stage.client)
    assert (found["version"], bool(found["node"])) == ("1.2.3", True)
    assert datetime.now(UTC) - datetime.fromisoformat(found["startedAt"]) < timedelta(minutes=1)
    database = found["running"]["database"]
    assert (database["reachable"], found["running"]["deadLetters"]) == (True, 0)
    assert database["commitMs"] > 0
    assert database["sizeBytes"] > 1_000_000


# For whom


async def test_who_has_certain_sessions_is_told_of_those_alone(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    await is_now(stage, "budi", "failed", "broken")
    for name in ("ana", "budi"):
        await moved(stage, name, name, MessageStatus.RECEIVED, timedelta(minutes=1))
        await moved(stage, name, f"{name} waits", MessageStatus.QUEUED, timedelta())
    for owner in ({"x-session-id": "budi"}, {}):
        made = await stage.client.post("/api/webhooks", json={"url": "http://127.0.0.1:9/"}, headers=owner)
        assert made.status_code == 201
    user = {"name": "vera", "password": PASSWORD, "role": "viewer", "sessions": ["ana"]}
    assert (await stage.client.post("/api/users", json=user)).status_code == 201
    key = await stage.key(session_id="ana", scopes=("read",))
    async with stage.client_with(None) as viewer, stage.client_with(key) as own:
        await viewer.post("/api/sign-in", json={"name": "vera", "password": PASSWORD})
        for client in (viewer, own):
            found = await look(client)
            assert (found["sessions"]["total"], found["sessions"]["troubled"]) == (1, [])
            assert summed(found) == (1, 0, 0)
            assert found["queue"]["waiting"] == 1
            assert found["webhooks"]["active"] == 0
            assert found["running"] is None
    everybody = await look(stage.client)
    assert (everybody["sessions"]["total"], summed(everybody)[0]) == (2, 2)
    assert (everybody["queue"]["waiting"], everybody["webhooks"]["active"]) == (2, 2)


@pytest.mark.parametrize(("scope", "told"), [("status", False), ("operate", True)])
async def test_the_gateway_itself_is_for_who_operates_it(stage: Stage, scope: str, told: bool) -> None:
    await sessions(stage, "ana")
    async with stage.client_with(await stage.key(scopes=(scope,))) as client:
        found = await look(client)
    assert found["sessions"]["total"] == 1
    assert (found["running"] is not None) == told


async def test_no_text_and_no_address_is_in_it(stage: Stage) -> None:
    await sessions(stage, "ana")
    await moved(stage, "ana", "one", MessageStatus.FAILED, timedelta(minutes=1))
    answer = await stage.client.get("/api/overview")
    assert "customer" not in answer.text
    assert "whatsapp.net" not in answer.text


async def test_other_lengths_of_time_are_refused(stage: Stage) -> None:
    answer = await stage.client.get("/api/overview", params={"hours": "2"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "hours")


# How much it costs


async def test_of_many_who_ask_at_once_one_looks(autojump_clock: object) -> None:
    remembered, looks = Remembered(), 0

    async def count() -> int:
        nonlocal looks
        looks += 1
        await trio.sleep(1)
        return looks

    found: list[int] = []

    async def ask() -> None:
        found.append(await remembered.get("a", 2, count))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    await trio.sleep(1.9)
    await ask()
    assert (found, looks) == ([1] * 6, 1)
    await trio.sleep(0.2)
    await ask()
    assert found[-1] == 2


async def test_a_look_that_failed_is_not_remembered_and_old_ones_are_forgotten(
    autojump_clock: object,
) -> None:
    remembered = Remembered()

    async def fail() -> int:
        raise DatabaseUnavailable

    async def answer() -> int:
        return 1

    with pytest.raises(DatabaseUnavailable):
        await remembered.get("a", 1, fail)
    assert await remembered.get("a", 1, answer) == 1
    for number in range(20):
        await trio.sleep(2)
        await remembered.get(number, 1, answer)
    assert len(remembered) == 1
