"""GET /metrics: who may read it, what it says of what was just done, and that nobody can keep it waiting."""

from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.outgoing import Text
from actors.session import messages as ask
from actors.session.state import SessionState
from actors.session.stats import AllSessionStats
from api.metrics.sessions import Sessions
from runtime import ActorDied, ChildType, State, TreeNode
from storage.rows import Key, now
from storage.writes import Append, Update
from tests.actors.endpoint import Endpoint, serving
from tests.api.scrape import Scrape, read
from tests.api.stage import ADMIN_KEY, Stage, running_api
from tests.api.test_events import ending, socket

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"


async def scrape(stage: Stage) -> Scrape:
    with trio.fail_after(5):
        return read(await stage.client.get("/metrics"))


async def until(stage: Stage, name: str, value: float, **labels: str) -> Scrape:
    """Scrape until it says so."""
    with trio.fail_after(10):
        while (seen := await scrape(stage))(name, **labels) != value:
            await trio.sleep(0.02)
    return seen


# Who may read it


async def test_it_needs_a_key_that_administers_the_gateway(stage: Stage) -> None:
    async with stage.client_with(None) as nobody, await stage.session("ana") as own:
        assert (await nobody.get("/metrics")).status_code == 401
        assert (await nobody.get("/metrics", headers={"authorization": "Bearer no"})).status_code == 401
        assert (
            await nobody.get("/metrics", headers={"authorization": f"Basic {ADMIN_KEY}"})
        ).status_code == 401
        assert (await own.get("/metrics")).status_code == 403
        assert (await nobody.get("/metrics", headers={"x-api-key": ADMIN_KEY})).status_code == 200
        assert (
            await nobody.get("/metrics", headers={"authorization": f"Bearer {ADMIN_KEY}"})
        ).status_code == 200


async def test_an_operator_may_open_it_to_all(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, open_metrics=True) as stage, stage.client_with(None) as nobody:
        assert read(await nobody.get("/metrics"))("part_running", part="hub") == 1


async def test_a_key_is_refused_as_soon_as_it_was_revoked(stage: Stage) -> None:
    async with stage.client_with(await stage.key()) as scraper:
        assert (await scraper.get("/metrics")).status_code == 200
        (row,) = [each for each in await stage.services.reads.keys() if each.name == "a key"]
        revoked = Update(Key, row.id, {"revoked_at": now() - timedelta(seconds=1)})
        await stage.services.writer.call(revoked)
        assert (await scraper.get("/metrics")).status_code == 401


async def test_it_comes_as_text_and_as_openmetrics(stage: Stage) -> None:
    plain = await stage.client.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert read(plain)("build_info", version="1.2.3") == 1
    asked = await stage.client.get("/metrics", headers={"accept": OPENMETRICS})
    assert asked.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert read(asked)("build_info", version="1.2.3") == 1
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "python_gc_collections_total"):
        assert name in {sample for sample, _ in read(asked).samples}


# Nothing keeps it waiting


async def test_a_stuck_actor_is_scraped_all_the_same(stage: Stage) -> None:
    async with await stage.session("ana"), trio.open_nursery() as nursery:
        stage.scripts["ana"].gate = trio.Event()
        ana = stage.services.sessions.ref("ana")
        nursery.start_soon(ana.call, ask.Send(to="628110000002", content=Text(text="stuck"), client_ref=None))
        await wait_all_tasks_blocked()  # it is in hand
        nursery.start_soon(ana.call, ask.GetStatus())
        seen = await until(stage, "session_mailbox_depth", 1, session="ana")
        assert seen("mailbox_depth", part="sessions") == 1
        assert 0 < seen("message_in_hand_seconds", part="sessions") < 10
        assert 0 < seen("mailbox_oldest_seconds", part="sessions") < 10
        stage.scripts["ana"].gate.set()


async def test_a_writer_without_room_keeps_no_scrape_waiting(stage: Stage) -> None:
    fresh = await stage.key()
    await stage.services.root.suspend_child("writer")
    for _ in range(1024):
        await stage.services.writer.cast(Append("nobody"))
    async with stage.client_with(fresh) as scraper:
        with trio.fail_after(1):
            seen = read(await scraper.get("/metrics"))
    assert seen("mailbox_depth", part="writer") == 1024
    assert seen("actors", part="writer", state="suspended") == 1
    await stage.services.root.resume_child("writer")


async def test_without_a_database_a_key_that_was_good_is_good_still(stage: Stage) -> None:
    unknown = await stage.key()
    await scrape(stage)
    stage.services.reads._pool.close()
    assert (await stage.client.get("/api/sessions")).status_code == 503
    assert (await scrape(stage))(
        "http_requests_total", method="GET", route="/api/sessions", status="503"
    ) == 1
    async with stage.client_with(unknown) as scraper:
        assert (await scraper.get("/metrics")).status_code == 503


# What labels there are


async def test_only_so_many_sessions_have_series_of_their_own(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, max_sessions=2) as stage:
        for name in ("other", "ana", "budi", "citra", "dewi"):
            await (await stage.session(name)).aclose()
        for name in ("ana", "citra", "dewi", "other"):
            stage.services.metrics.stats.sessions.of(name).sends["sent"] += 1
        seen = await scrape(stage)
        for metric in ("session_connected", "sends_total", "session_mailbox_peak", "received_total"):
            assert seen.values(metric, "session") == {"ana", "budi", "other"}
        assert seen("sends_total", session="ana", outcome="sent") == 1
        assert seen("sends_total", session="other", outcome="sent") == 3
        await stage.client.delete("/api/sessions/ana")
        await (await stage.session("eka")).aclose()
        seen = await scrape(stage)
        assert seen.values("sends_total", "session") == {"budi", "eka", "other"}


async def test_whatever_clients_send_makes_no_new_series(stage: Stage) -> None:
    async def series() -> int:
        await scrape(stage)  # counted in the next one
        return len((await scrape(stage)).samples)

    async def strange(number: int) -> None:
        await stage.client.request(f"X{number}", "/api/sessions")
        await stage.client.get(f"/nowhere/{number}")
        await stage.client.get(f"/api/sessions/nobody-{number}", headers={"x-request-id": f"r{number}"})

    await strange(0)
    before = await series()
    for number in range(1, 10):
        await strange(number)
    assert await series() == before
    seen = await scrape(stage)
    assert seen.values("http_requests_total", "method") == {"GET", "other"}
    assert seen.values("http_requests_total", "route") == {"-", "/metrics", "/api/sessions/<session_id>"}


# What was done is counted


async def test_requests_are_counted_by_route_and_status(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for phone in ("628110000002", "628110000003", "no phone"):
            await own.post("/api/messages/text", json={"phone": phone, "message": "Halo"})
        seen = await scrape(stage)
        route = {"method": "POST", "route": "/api/messages/text"}
        assert seen("http_requests_total", **route, status="200") == 2
        assert seen("http_requests_total", **route, status="400") == 1
        assert seen("http_request_seconds_count", **route) == 3
        assert seen("call_seconds_count", part="sessions") == 2


async def test_the_writer_counts_its_batches(stage: Stage) -> None:
    await scrape(stage)  # whose key's use is written
    await stage.services.writer.call(Append("nobody"))
    before = await scrape(stage)
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(stage.services.writer.call, Append("nobody"))
    after = await scrape(stage)

    def gained(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert gained("storage_writes_total") == gained("storage_batch_writes_sum") == 30
    assert 1 <= gained("storage_commits_total") == gained("storage_commit_seconds_count") <= 30
    assert gained("call_seconds_count", part="storage") == 30
    assert after("storage_waiting") == 0


async def test_a_session_that_dies_counts_its_restarts_and_its_end_takes_none_back(stage: Stage) -> None:
    async with await stage.session("ana"):
        ana = stage.services.sessions.ref("ana")
        stage.scripts["ana"].answers[ask.GetStatus] = RuntimeError("boom")
        for _ in range(2):
            with pytest.raises(ActorDied):
                await ana.call(ask.GetStatus())
        seen = await until(stage, "session_restarts_total", 2, session="ana")
        assert seen("restarts_total", part="sessions") == 2
        assert seen("restarts_total", part="hub") == 0
        await stage.client.delete("/api/sessions/ana")
        await ana.cast(ask.GetStatus())
    seen = await scrape(stage)
    assert seen("restarts_total", part="sessions") == 2
    assert seen.values("session_restarts_total", "session") == {"other"}
    assert seen("dead_letters_total", reason="gone") == 1
    assert sum(seen("sessions", state=state) for state in seen.values("sessions", "state")) == 0


@pytest.mark.parametrize(
    ("actor", "session"),
    [
        (State.RUNNING, "connected"),
        (State.SUSPENDED, "connected"),
        (State.BACKING_OFF, "starting"),
        (State.STOPPED, "stopped"),
        (State.FAILED, "failed"),
    ],
)
def test_a_session_without_an_actor_is_not_what_it_said_last(actor: State, session: str) -> None:
    stats = AllSessionStats(states={"ana": SessionState.CONNECTED})
    ana = TreeNode(id="ana", type=ChildType.WORKER, state=actor, since=None)
    part = TreeNode(
        id="sessions", type=ChildType.SUPERVISOR, state=State.RUNNING, since=None, children=(ana,)
    )
    root = TreeNode(id="root", type=ChildType.SUPERVISOR, state=State.RUNNING, since=None, children=(part,))
    states = next(iter(Sessions(stats).metrics(root)))
    assert {sample.labels["state"]: sample.value for sample in states.samples if sample.value} == {session: 1}


async def test_listeners_are_counted_while_they_listen_and_when_they_are_cut_off(
    database: str, tmp_path: Path
) -> None:
    async with running_api(database, tmp_path, listener_capacity=1) as stage:
        await (await stage.session("ana")).aclose()
        async with socket(stage), socket(stage, sessions="ana") as slow:
            await until(stage, "hub_listeners", 2)
            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(stage.event, "ana", number)
            await ending(slow)
            seen = await scrape(stage)
            assert seen("hub_cut_offs_total") == 2
            assert seen("hub_listeners") == 0
        await until(stage, "hub_events_total", 51)  # with the session's own first status
        await until(stage, "http_requests_total", 2, method="WS", route="/api/ws", status="101")
        assert ("WS", "/api/ws") not in stage.services.metrics.stats.http.seconds


async def test_deliveries_are_counted_by_outcome(stage: Stage) -> None:
    async with serving(Endpoint(answer=lambda number: 503 if number == 0 else 200)) as endpoint:
        await stage.client.post("/api/webhooks", json={"url": endpoint.url, "events": ["messages.upsert"]})
        await (await stage.session("ana")).aclose()
        await stage.event("ana", 1)
        seen = await until(stage, "webhook_deliveries_total", 1, outcome="delivered")
        assert seen("webhook_deliveries_total", outcome="failed") == 1
        assert seen("webhook_seconds_count") == 2
        assert seen("actors", part="webhooks", state="running") == 1
