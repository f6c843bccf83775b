"""Endpoints that fail: who waits for whom, what is recorded, given up, and forbidden."""

import json
import os
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.circuit import Circuit
from actors.delivery import Retention, Schedule
from actors.egress import Egress
from actors.progress import Progress
from runtime import Backoff
from storage import Delivery, DeliveryStatus, Event, StoreDelivery, Update, Webhook, now
from tests.actors.endpoint import Endpoint, serving
from tests.actors.webhooks_stage import Stage, running

ROOT = Path(__file__).resolve().parents[2]
LATER = Schedule(backoff=Backoff(60, 60), circuit_failures=100)


def seqs(endpoint: Endpoint, session_id: str, *, taken: bool = True) -> list[int]:
    """The numbers of a session's events that the endpoint acknowledged, or refused."""
    return [
        body["seq"]
        for request in endpoint.requests
        if (request.status == 200) is taken and (body := json.loads(request.body))["sessionId"] == session_id
    ]


def failing_for(session_id: str) -> Endpoint:
    return Endpoint(answer_to=lambda body: 500 if json.loads(body)["sessionId"] == session_id else 200)


async def row(stage: Stage) -> Webhook:
    """The webhook, once all that was written of it is stored."""
    await stage.cursor()
    found = await stage.reads.webhook("whk_1")
    assert found is not None
    return found


async def record(stage: Stage, event: Event, status: str) -> Delivery:
    """The record of an event, once it has a status."""
    with trio.fail_after(20):
        while True:
            found = await stage.reads.delivery("whk_1", event.event_id)
            if found is not None and found.status == status:
                return found
            await trio.sleep(0.01)


async def arrived(endpoint: Endpoint, session_id: str, wanted: list[int]) -> None:
    """Wait until these were acknowledged; each new one in its order."""
    while list(dict.fromkeys(seqs(endpoint, session_id))) != wanted:
        assert set(seqs(endpoint, session_id)) <= set(wanted)
        await endpoint.until(len(endpoint.requests) + 1)


async def test_a_session_whose_event_fails_holds_up_no_other(database: str) -> None:
    async with running(database, LATER) as stage, serving(failing_for("s1")) as endpoint:
        for session_id in ("s1", "s2"):
            await stage.session(session_id)
        await stage.webhook(endpoint.url)
        await stage.happen("call", "call")
        await stage.happen(*["call"] * 5, session_id="s2")
        await arrived(endpoint, "s2", [1, 2, 3, 4, 5])
        assert seqs(endpoint, "s1", taken=False) == [1]
        assert stage.webhooks.held("whk_1") == 1


async def test_a_held_session_catches_up_in_order_and_is_held_no_more(database: str) -> None:
    async with running(database) as stage, serving(failing_for("s1")) as endpoint:
        for session_id in ("s1", "s2"):
            await stage.session(session_id)
        await stage.webhook(endpoint.url)
        await stage.happen(*["call"] * 3)
        await stage.happen("call", session_id="s2")
        await endpoint.until(4)
        await stage.happen(*["call"] * 250)
        endpoint.answer_to = lambda _: 200
        await arrived(endpoint, "s1", list(range(1, 254)))
        (last,) = await stage.happen("call")
        await record(stage, last, "delivered")
        stored = await row(stage)
        assert (stored.cursor, stored.held) == (last.position, {})
        assert await stage.reads.failing("whk_1") == []


async def test_after_kills_a_failing_session_misses_nothing_either(database: str) -> None:
    async with serving(failing_for("s1")) as endpoint:
        async with running(database) as stage:
            for session_id in ("s1", "s2", "s3"):
                await stage.session(session_id)
            await stage.webhook(endpoint.url, active=False)
            for _ in range(40):
                for session_id in ("s1", "s2", "s3"):
                    await stage.happen("call", session_id=session_id)
            await stage.writer.call(Update(Webhook, "whk_1", {"active": True}))
        for bad, mark in (("s1", 30), ("s2", 70), ("none", 110)):
            endpoint.answer_to = failing_for(bad).answer_to
            process = subprocess.Popen(  # noqa: ASYNC220 - waiting for it is the point
                [sys.executable, Path(__file__).with_name("webhooks_stage.py"), database],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            try:
                await endpoint.until(mark)
            finally:
                process.kill()
                process.wait()
        async with running(database):
            for session_id in ("s1", "s2", "s3"):
                await arrived(endpoint, session_id, list(range(1, 41)))


async def test_each_event_leaves_a_record_of_its_tries(database: str) -> None:
    body = b"x" * 2000
    async with (
        running(database) as stage,
        serving(Endpoint(lambda n: 503 if n < 2 else 200, answer_body=body)) as endpoint,
    ):
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        (event,) = await stage.happen("call")
        found = await record(stage, event, "delivered")
        assert (found.attempts, found.response_status, found.error) == (3, 200, None)
        assert found.response_body == "x" * 1024
        assert found.first_attempt_at < found.last_attempt_at
        assert (found.session_id, found.event) == ("s1", "call")
        assert 0 <= found.latency_ms < 5000


async def test_records_are_kept_within_their_bound(database: str) -> None:
    async with (
        running(database, retention=Retention(count=20)) as stage,
        serving(Endpoint()) as endpoint,
    ):
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        events = await stage.happen(*["call"] * 100)
        await record(stage, events[-1], "delivered")
        await stage.cursor()
        kept = (await stage.reads.deliveries("whk_1", limit=500)).items
        assert 20 <= len(kept) <= 22
        assert kept[0].event_id == events[-1].event_id


async def test_an_event_given_up_is_a_dead_letter_counted_from_its_first_try_before_a_restart(
    database: str,
) -> None:
    long_ago = now() - timedelta(hours=25)
    async with running(database, LATER) as stage, serving(failing_for("s1")) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        dead, next_ = await stage.happen("call", "call")
        first = await record(stage, dead, "failing")
        await stage.writer.call(StoreDelivery(attrs.evolve(first, first_attempt_at=long_ago)))
        endpoint.answer_to = lambda body: 500 if json.loads(body)["seq"] == 1 else 200
        # A new life begins with what is stored.
        await stage.webhooks.update("whk_1", {"active": True})
        letter = await record(stage, dead, "dead")
        assert (letter.attempts, letter.error, letter.response_status) == (2, "status 500", 500)
        await record(stage, next_, "delivered")
        assert seqs(endpoint, "s1") == [2]
        assert stage.webhooks.stats.given_up == 1

        # It can still be delivered.
        webhook = await row(stage)
        assert (await stage.webhooks.redeliver(webhook, dead)).status is DeliveryStatus.DEAD
        endpoint.answer_to = lambda _: 200
        again = await stage.webhooks.redeliver(webhook, dead)
        assert (again.status, again.attempts) == (DeliveryStatus.DELIVERED, 4)
        assert seqs(endpoint, "s1") == [2, 1]


async def test_an_event_delivered_out_of_its_turn_lets_its_session_go_on_at_once(database: str) -> None:
    async with running(database, LATER) as stage, serving(failing_for("s1")) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        first, second = await stage.happen("call", "call")
        await record(stage, first, "failing")
        endpoint.answer_to = lambda _: 200
        await stage.webhooks.redeliver(await row(stage), first)
        await record(stage, second, "delivered")
        assert seqs(endpoint, "s1") == [1, 2]


async def test_a_stretch_of_the_log_is_replayed_beside_what_happens_and_over_a_restart(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        for session_id in ("s1", "s2"):
            await stage.session(session_id)
        old = await stage.happen(*["call"] * 150)
        await stage.webhook(endpoint.url)
        endpoint.answer_to = failing_for("s1").answer_to
        await stage.webhooks.replay("whk_1", old[9].position, old[139].position)
        await stage.happen("call", session_id="s2")
        await arrived(endpoint, "s2", [1])
        await stage.webhooks.update("whk_1", {"active": False})
        endpoint.answer_to = lambda _: 200
        await stage.webhooks.update("whk_1", {"active": True})
        await arrived(endpoint, "s1", list(range(11, 141)))
        await record(stage, old[139], "delivered")
        assert (await row(stage)).replay is None


async def test_a_dead_endpoint_is_probed_by_one_request_at_a_time_until_it_answers(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "webhooks")
    schedule = Schedule(backoff=Backoff(0.05, 0.1), circuit_failures=3)
    async with running(database, schedule) as stage, serving(Endpoint(lambda _: 500)) as endpoint:
        sessions = [f"s{n}" for n in range(12)]
        for session_id in sessions:
            await stage.session(session_id)
        await stage.webhook(endpoint.url)
        for session_id in sessions:
            await stage.happen("call", session_id=session_id)
        while (circuit := stage.webhooks.circuit("whk_1")) is None or not circuit.is_open:
            await endpoint.until(len(endpoint.requests) + 1)
        (opened,) = [line for line in caplog.messages if line.startswith("webhook_circuit_opened")]
        assert "webhook=whk_1 failures=3 reason=status 500" in opened
        # Those that were under way together may still arrive; from then on one after the other, apart.
        await endpoint.until(8)
        began, count = trio.current_time(), len(endpoint.requests)
        await endpoint.until(count + 4)
        assert trio.current_time() - began > 3 * 0.05
        endpoint.answer = lambda _: 200
        for session_id in sessions:
            await arrived(endpoint, session_id, [1])
        assert not circuit.is_open
        assert any(line.startswith("webhook_circuit_closed") for line in caplog.messages)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_a_circuit_is_open_exactly_after_enough_failures_in_a_row(
    outcomes: list[bool], threshold: int
) -> None:
    circuit, rng, at, in_a_row = Circuit(threshold, Backoff(1, 8, jitter=0)), random.Random(1), 0.0, 0
    for ok in outcomes:
        at += 1
        was_open = circuit.is_open
        if ok:
            in_a_row = 0
            assert circuit.succeeded() is was_open
        else:
            in_a_row += 1
            opened = circuit.failed(at, now(), rng)
            assert opened is (in_a_row == threshold)
            if circuit.is_open:
                assert circuit.probe_at - at == min(8, 2 ** (in_a_row - threshold))
        assert circuit.is_open is (in_a_row >= threshold)


@given(st.data())
def test_from_whatever_is_stored_no_unsettled_event_is_left_out(data: st.DataObject) -> None:
    """A model: sessions' events are read, settled in order, held, caught up with; then all is forgotten."""
    log = [data.draw(st.sampled_from("abc")) for _ in range(data.draw(st.integers(1, 25)))]
    events = [event_of(position, session) for position, session in enumerate(log, start=1)]
    webhook = Webhook(id="w", url="https://x", secret="s")
    queues: dict[str, list[int]] = {session: [] for session in "abc"}
    progress, settled = Progress.of(webhook), set[int]()
    for _ in range(60):
        todo = [event for event in events if event.position > progress.scanned]
        match data.draw(st.sampled_from(["read", "settle", "hold", "catch up"])):
            case "read" if todo:
                if progress.read(todo[0]):
                    queues[todo[0].session_id].append(todo[0].position)
            case "settle" if busy := [queue for queue in queues.values() if queue]:
                position = data.draw(st.sampled_from(busy)).pop(0)
                progress.settled(position)
                settled.add(position)
            case "hold" if busy_sessions := [session for session, queue in queues.items() if queue]:
                session = data.draw(st.sampled_from(busy_sessions))
                progress.hold(session, queues[session][:])
                queues[session].clear()
            case "catch up" if progress.held:
                session = data.draw(st.sampled_from(sorted(progress.held)))
                lag = progress.held[session]
                own = [e.position for e in events if e.session_id == session]
                missing = [position for position in own if lag.position < position <= lag.last]
                if missing:
                    settled.add(missing[0])
                    lag.position = missing[0]
                else:
                    progress.release(session)
        stored = attrs.evolve(webhook, **progress.stored())
        told = {e.position for e in events if e.position > stored.held.get(e.session_id, stored.cursor)}
        assert {event.position for event in events} - settled <= told


def event_of(position: int, session_id: str) -> Event:
    fields: dict[str, Any] = {"seq": position, "event_id": f"e{position}", "event": "call", "data": {}}
    return Event(position=position, session_id=session_id, occurred_at=now(), **fields)


async def test_an_address_that_is_forbidden_is_not_connected_to(database: str) -> None:
    async with running(database, egress=Egress()) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        port = endpoint.url.rpartition(":")[2]
        for number, host in enumerate(("127.0.0.1", "localhost", "[::ffff:127.0.0.1]")):
            await stage.webhook(f"http://{host}:{port}", id=f"whk_{number}")
        (event,) = await stage.happen("call")
        found = await record(stage, event, "failing")
        assert found.error == "url_forbidden: its address is this machine"
        for number in (0, 2):
            webhook = await stage.reads.webhook(f"whk_{number}")
            assert webhook is not None
            outcome = await stage.webhooks.test(webhook)
            assert outcome.error == "url_forbidden: its address is this machine"
        assert endpoint.connections == 0


async def test_a_redirect_is_a_failure_that_says_so(database: str) -> None:
    async with running(database, LATER) as stage, serving(Endpoint(lambda _: 307)) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        (event,) = await stage.happen("call")
        assert (await record(stage, event, "failing")).error == "status 307, redirects are not followed"
        assert len(endpoint.requests) == 1


async def test_filters_keep_back_messages_and_nothing_else(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        filters = {"chats": ["1@s.whatsapp.net"], "fromMe": False, "types": ["image"]}
        await stage.webhook(endpoint.url, filters=filters)
        mine = {"remoteJid": "1@s.whatsapp.net", "fromMe": False, "id": "A"}
        for data in (
            {"key": mine | {"remoteJid": "2@s.whatsapp.net"}, "message": {"imageMessage": {}}},
            {"key": mine | {"fromMe": True}, "message": {"imageMessage": {}}},
            {"key": mine, "message": {"conversation": "hi"}},
            {"key": mine | {"remoteJid": "9@lid", "remoteJidAlt": "1@s.whatsapp.net"}, "status": "read"},
            {"key": mine, "message": {"imageMessage": {}}},
            {"status": "connected"},
        ):
            await stage.append("s1", "messages.upsert", data)
        await arrived(endpoint, "s1", [4, 5, 6])
