"""Webhooks, with a real endpoint on loopback and a real database."""

import base64
import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.delivery import Schedule
from actors.signature import new_secret, signed
from runtime import Backoff
from storage import Delete, Insert, Reads, Session, Update, Webhook, now
from tests.actors.endpoint import Endpoint, serving
from tests.actors.webhooks_stage import SECRET, SOON, Stage, running

ROOT = Path(__file__).resolve().parents[2]


def names(endpoint: Endpoint) -> list[str]:
    """The events that arrived."""
    return [json.loads(request.body)["event"] for request in endpoint.requests]


def seqs(endpoint: Endpoint, session_id: str = "s1") -> list[int]:
    """The numbers of a session's events that arrived."""
    bodies = [json.loads(request.body) for request in endpoint.requests]
    return [body["seq"] for body in bodies if body["sessionId"] == session_id]


async def caught_up(stage: Stage, position: int, webhook_id: str = "whk_1") -> None:
    """Wait until the cursor is stored there."""
    with trio.fail_after(20):
        while await stage.cursor(webhook_id) != position:
            await trio.sleep(0.01)


async def test_an_event_arrives_signed_in_the_fixed_form_and_moves_the_cursor(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url, headers={"X-Token": "ours"})
        (event,) = await stage.happen("messages.upsert")
        (request,) = await endpoint.until(1)
        body = json.loads(request.body)
        assert list(body) == ["sessionId", "event", "data", "eventId", "seq", "occurredAt", "cursor"]
        assert (body["sessionId"], body["event"], body["data"]) == ("s1", "messages.upsert", {"n": 0})
        assert request.path == "/hook"
        assert request.headers["x-token"] == "ours"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["webhook-id"] == body["eventId"] == event.event_id
        at = request.headers["webhook-timestamp"]
        assert abs(int(at) - time.time()) < 60
        # As a receiver does it, with the published library.
        assert standardwebhooks.Webhook(SECRET).verify(request.body, request.headers) == body
        for wrong in ({"webhook-id": "evt_other"}, {"webhook-timestamp": str(int(at) - 1)}):
            with pytest.raises(standardwebhooks.WebhookVerificationError):
                standardwebhooks.Webhook(SECRET).verify(request.body, request.headers | wrong)
        await caught_up(stage, event.position)


async def test_only_what_the_webhook_asked_for_arrives_in_order(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as one, serving(Endpoint()) as all_:
        await stage.session("s1")
        await stage.session("s2")
        await stage.happen("call")
        await stage.webhook(one.url, session_id="s1", events=("messages.upsert", "poll.vote"))
        await stage.webhook(all_.url, id="whk_2")
        await stage.happen("messages.upsert", "call", "poll.vote")
        await stage.happen("messages.upsert", session_id="s2")
        await stage.happen("messages.upsert")
        await one.until(3)
        await all_.until(5)
        assert names(one) == ["messages.upsert", "poll.vote", "messages.upsert"]
        assert seqs(one) == [2, 4, 5]
        # In order within each session; what happens in another may overtake.
        assert seqs(all_, "s1") == [2, 3, 4, 5]
        assert seqs(all_, "s2") == [1]


async def test_what_is_not_acknowledged_is_sent_again_before_anything_later(database: str) -> None:
    async with (
        running(database) as stage,
        serving(Endpoint(lambda n: 202 if n >= 3 else (500, 404, 302)[n])) as endpoint,
    ):
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        first, second = await stage.happen("call", "poll.vote")
        requests = await endpoint.until(5)
        assert names(endpoint) == ["call"] * 4 + ["poll.vote"]
        assert {request.headers["webhook-id"] for request in requests[:4]} == {first.event_id}
        await caught_up(stage, second.position)


async def test_an_event_is_passed_over_when_its_time_is_up(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = Schedule(backoff=Backoff(0.01, 0.05), give_up_after=0.2)
    async with running(database, schedule) as stage, serving(Endpoint()) as endpoint:
        endpoint.answer = lambda _: 200 if len(given_up(caplog)) else 503
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        first, second = await stage.happen("call", "poll.vote")
        while "poll.vote" not in names(endpoint):
            await endpoint.until(len(endpoint.requests) + 1)
        await caught_up(stage, second.position)
        (message,) = given_up(caplog)
        assert f"event={first.event_id}" in message
        assert "reason=status 503" in message
        assert endpoint.url not in caplog.text


def given_up(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if message.startswith("delivery_given_up")]


async def test_an_endpoint_that_does_not_answer_is_timed_out_and_delays_no_other(database: str) -> None:
    async with (
        running(database, timeout=0.2, connect_timeout=0.2) as stage,
        serving(Endpoint(lambda n: None if n < 2 else 200)) as silent,
        serving(Endpoint()) as quick,
    ):
        await stage.session("s1")
        await stage.webhook(silent.url)
        await stage.webhook(quick.url, id="whk_2")
        await stage.happen("call")
        began = trio.current_time()
        await quick.until(1)
        assert trio.current_time() - began < 0.2
        await silent.until(3)
        assert [request.status for request in silent.requests] == [0, 0, 200]


async def test_an_endpoint_that_is_not_there_yet_gets_everything_when_it_is(database: str) -> None:
    async with running(database) as stage:
        async with serving(Endpoint()) as endpoint:
            pass
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        events = await stage.happen("call", "call", "call")
        async with serving(Endpoint()) as late:
            await stage.webhooks.update("whk_1", {"url": late.url})
            await late.until(3)
            assert seqs(late) == [1, 2, 3]
            await caught_up(stage, events[-1].position)


async def test_connections_are_kept(database: str) -> None:
    async with running(database) as stage, serving(Endpoint(answer_body=b"x" * 1000)) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        await stage.happen(*["call"] * 20)
        await endpoint.until(20)
        assert endpoint.connections == 1


async def test_an_endless_answer_holds_nothing_up(database: str) -> None:
    async with running(database) as stage, serving(Endpoint(answer_body=b"x" * 3_000_000)) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        await stage.happen("call", "call")
        await endpoint.until(2)


async def test_a_webhook_made_while_the_others_are_begun_is_begun_once(database: str) -> None:
    gate = trio.Event()

    class Late(Reads):
        async def webhooks(self, **about: Any) -> list[Webhook]:
            await gate.wait()
            return await super().webhooks(**about)

    async with running(database, reads=Late) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        begun = stage.webhooks._couriers["whk_1"]
        await stage.writer.call(Insert(await stage.row(endpoint.url, id="whk_2")))
        gate.set()
        await stage.happen("call")
        await endpoint.until(2)
        assert stage.webhooks._couriers["whk_1"] is begun


async def test_a_paused_webhook_goes_on_where_it_stopped(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        (first,) = await stage.happen("call")
        await endpoint.until(1)
        await caught_up(stage, first.position)
        paused = await stage.webhooks.update("whk_1", {"active": False})
        assert paused is not None
        assert not paused.active
        assert stage.webhooks.supervisor.which_children() == []
        await stage.happen("call", "call")
        await stage.webhooks.update("whk_1", {"active": True})
        await endpoint.until(3)
        assert seqs(endpoint) == [1, 2, 3]


async def test_a_deleted_webhook_is_told_nothing_more(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint, serving(Endpoint()) as other:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        assert await stage.webhooks.delete("whk_1")
        assert not await stage.webhooks.delete("whk_1")
        assert await stage.webhooks.update("whk_1", {"active": True}) is None
        await stage.webhook(other.url, id="whk_2")
        await stage.happen("call")
        await other.until(1)
        assert endpoint.requests == []
        assert [child.id for child in stage.webhooks.supervisor.which_children()] == ["whk_2"]


async def test_a_deleted_session_takes_its_deliveries_along(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.session("s2")
        await stage.webhook(endpoint.url, session_id="s1")
        await stage.webhook(endpoint.url, id="whk_2", session_id="s2")
        await stage.happen("call", session_id="s2")
        await stage.happen("call")
        await endpoint.until(2)
        await stage.writer.call(Delete(Session, "s1"))
        await stage.webhooks.session_deleted("s1")
        assert [child.id for child in stage.webhooks.supervisor.which_children()] == ["whk_2"]


async def test_a_delivery_that_is_killed_begins_again_at_its_cursor(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        await stage.webhook(endpoint.url)
        (first,) = await stage.happen("call")
        await caught_up(stage, first.position)
        await stage.webhooks.supervisor.kill_child("whk_1")
        await stage.happen("call")
        await endpoint.until(2)
        assert seqs(endpoint) == [1, 2]


async def test_while_the_secret_changes_both_sign(database: str) -> None:
    async with running(database) as stage, serving(Endpoint()) as endpoint:
        await stage.session("s1")
        changes = {"secret": new_secret(), "previous_secret": SECRET}
        await stage.webhook(endpoint.url)
        for until, count in ((timedelta(hours=1), 2), (timedelta(seconds=-1), 1)):
            await stage.webhooks.update("whk_1", changes | {"previous_secret_until": now() + until})
            (event,) = await stage.happen("call")
            await caught_up(stage, event.position)
            signatures = (await endpoint.until(3 - count))[-1].headers["webhook-signature"].split(" ")
            assert len(signatures) == count
            assert len(set(signatures)) == count


async def test_cancelled_requests_do_not_spoil_the_pool(database: str) -> None:
    async with (
        running(database, timeout=0.05, connections=2) as stage,
        serving(Endpoint(lambda n: None if n < 40 else 200)) as endpoint,
    ):
        await stage.session("s1")
        for number in range(8):
            await stage.webhook(endpoint.url, id=f"whk_{number}")
        await stage.happen("call")
        for _ in range(10):
            await trio.sleep(0.02)
            for number in range(4):
                await stage.webhooks.update(f"whk_{number}", {"active": True})
        requests = await endpoint.until(48)
        assert [request.status for request in requests[40:48]] == [200] * 8


async def test_after_a_kill_every_event_arrives_at_least_once_and_in_order(database: str) -> None:
    async with serving(Endpoint()) as endpoint:
        async with running(database) as stage:
            await stage.session("s1")
            await stage.webhook(endpoint.url, active=False)
            await stage.happen(*["call"] * 300)
            # Behind the back of the webhooks: the processes to come begin with it.
            await stage.writer.call(Update(Webhook, "whk_1", {"active": True}))
        for mark in (60, 130, 220):
            process = subprocess.Popen(  # noqa: ASYNC220 - waiting for it is the point
                [sys.executable, Path(__file__).with_name("webhooks_stage.py"), database],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            try:
                await endpoint.until(mark)
            finally:
                process.kill()
                process.wait()
        async with running(database) as stage:
            while 300 not in seqs(endpoint):
                await endpoint.until(len(endpoint.requests) + 1)
            assert set(seqs(endpoint)) == set(range(1, 301))
            first_seen = list(dict.fromkeys(seqs(endpoint)))
            assert first_seen == list(range(1, 301))


def test_the_signature_is_that_of_the_published_example() -> None:
    headers = signed([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_new_secret_has_256_bits_and_differs() -> None:
    assert len(base64.b64decode(new_secret().removeprefix("whsec_"), validate=True)) == 32
    assert new_secret() != new_secret()


@given(failures=st.integers(1, 500), trying=st.floats(0, 90_000), seed=st.integers())
def test_a_failure_is_tried_again_within_the_bounds_or_given_up(
    failures: int, trying: float, seed: int
) -> None:
    schedule = Schedule()
    wait = schedule.wait(failures, trying, random.Random(seed))
    if wait is None:
        assert trying > schedule.give_up_after - schedule.backoff.max * 1.2
    else:
        assert min(2.0 ** (failures - 1), 600) <= wait <= min(2.0 ** (failures - 1), 600) * 1.2
        assert trying + wait <= schedule.give_up_after


def test_a_day_holds_a_number_of_tries_that_hurts_nobody() -> None:
    schedule, rng, trying, failures = Schedule(), random.Random(1), 0.0, 1
    while (wait := schedule.wait(failures, trying, rng)) is not None:
        trying += wait
        failures += 1
    assert 100 < failures < 200
    assert SOON.give_up_after == schedule.give_up_after == 86400
