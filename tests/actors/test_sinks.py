"""Sinks, with real brokers on loopback and a real database."""

import asyncio
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.sinks.elsewhere import elsewhere
from runtime import State
from storage import Sink
from tests.actors.brokers import PASSWORD, Nats, Rabbit, Server, needs_nats, needs_rabbitmq, serving
from tests.actors.sinks_stage import Stage, running

ROOT = Path(__file__).resolve().parents[2]
BROKERS = [pytest.param(Nats, marks=needs_nats), pytest.param(Rabbit, marks=needs_rabbitmq)]


def seqs(found: list[tuple[str, str, bytes]], session_id: str) -> list[int]:
    """The numbers of a session's events in the order in which they first came."""
    bodies = [json.loads(body) for _, _, body in found]
    return list(dict.fromkeys(body["seq"] for body in bodies if body["sessionId"] == session_id))


async def held(stage: Stage, count: int) -> None:
    """Wait until so many sessions are behind."""
    with trio.fail_after(20):
        while stage.sinks.held("bus") != count:
            await trio.sleep(0.01)


@pytest.mark.parametrize("kind", BROKERS)
async def test_events_arrive_with_their_ids_and_none_is_missing_when_the_broker_is_killed_under_load(
    kind: type[Nats | Rabbit], database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(kind, tmp_path) as server:
        assert isinstance(server, Server)
        async with running(database, server.spec()) as stage:
            await stage.sessions("s1", "s2", "s3")
            with trio.fail_after(30):
                while stage.sinks.cursor("bus") is None:
                    await trio.sleep(0.01)
            (first,) = await stage.happen("messages.upsert")
            ((place, event_id, body),) = await server.until(1)
            assert place.removeprefix("terzetto.") == "s1.messages.upsert"
            assert event_id == first.event_id
            assert list(json.loads(body)) == [
                "sessionId", "event", "data", "eventId", "seq", "occurredAt", "cursor",
            ]  # fmt: skip

            async def load(session_id: str) -> None:
                await stage.happen(*["call"] * 100, session_id=session_id)

            async with trio.open_nursery() as nursery:
                for session_id in ("s1", "s2", "s3"):
                    nursery.start_soon(load, session_id)
                with trio.fail_after(20):
                    while stage.sinks.stats["bus"].published < 30:
                        await trio.lowlevel.checkpoint()
                server.kill()
            # All of it happened; the rest of it is in the database alone.
            with trio.fail_after(20):
                while stage.sinks.stats["bus"].error is None:
                    await trio.sleep(0.01)
            await server.start()
            found = await server.until(301)
            assert seqs(found, "s1") == list(range(1, 102))
            for session_id in ("s2", "s3"):
                assert seqs(found, session_id) == list(range(1, 101))
            await stage.caught_up()
            assert stage.sinks.stats["bus"].error is None
    assert PASSWORD not in caplog.text
    assert str(server.port) not in caplog.text


@needs_nats
async def test_after_kills_of_the_gateway_every_event_arrives_once_and_in_order(
    database: str, tmp_path: Path
) -> None:
    async with serving(Nats, tmp_path) as server:
        async with running(database, server.spec()) as stage:
            await stage.sessions("s1")
            await stage.caught_up()
        async with running(database) as stage:
            await stage.happen(*["call"] * 300)
        program = [sys.executable, Path(__file__).with_name("sinks_stage.py"), database, server.url]
        for mark in (60, 150):
            process = subprocess.Popen(  # noqa: ASYNC220 - waiting for it is the point
                program, env=os.environ | {"PYTHONPATH": str(ROOT)}
            )
            try:
                await server.until(mark)
            finally:
                process.kill()
                process.wait()
        async with running(database, server.spec()) as stage:
            found = await server.until(300)
            await stage.caught_up()
        # The stream knows what comes again by its id.
        assert [json.loads(body)["seq"] for _, _, body in found] == list(range(1, 301))


@needs_nats
async def test_what_the_broker_does_not_take_holds_its_session_and_no_other(
    database: str, tmp_path: Path
) -> None:
    async with (
        serving(Nats, tmp_path, subjects=["terzetto.s1.>"]) as server,
        running(database, server.spec()) as stage,
    ):
        await stage.sessions("s1", "s2")
        await stage.caught_up()
        await stage.happen("call", "call", session_id="s2")
        await stage.happen("call", "call")
        assert seqs(await server.until(2), "s1") == [1, 2]
        await held(stage, 1)
        assert stage.sinks.lag("bus") == 2
        await server.there.run(server.take, "terzetto.s2.>")
        assert seqs(await server.until(4), "s2") == [1, 2]
        await stage.caught_up()
        assert stage.sinks.held("bus") == 0


@needs_nats
async def test_a_sink_is_told_of_its_sessions_and_names_from_when_it_was_first_there(
    database: str, tmp_path: Path
) -> None:
    async with serving(Nats, tmp_path) as server:
        async with running(database) as stage:
            await stage.sessions("s1", "s2")
            await stage.happen("call")
        spec = server.spec(sessions=("s1",), events=("call", "poll.vote"))
        async with running(database, spec) as stage:
            await stage.caught_up()
            await stage.happen("poll.vote", "messages.upsert")
            await stage.happen("call", session_id="s2")
            await stage.happen("call")
            assert seqs(await server.until(2), "s1") == [2, 4]
            # Killed, it begins again at its cursor.
            await stage.sinks.supervisor.kill_child("bus")
            await stage.happen("call")
            assert seqs(await server.until(3), "s1") == [2, 4, 5]
        async with running(database) as stage:
            await stage.happen("call")
        async with running(database, spec) as stage:
            assert seqs(await server.until(4), "s1") == [2, 4, 5, 6]


@needs_nats
async def test_a_broker_that_is_stuck_delays_no_other(database: str, tmp_path: Path) -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(Nats, tmp_path) as server, trio.open_nursery() as nursery:
        (listener, *_) = await nursery.start(partial(trio.serve_tcp, silent, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        stuck = Nats(tmp_path, server.there, port)
        async with running(database, stuck.spec(name="stuck", timeout=1.0), server.spec()) as stage:
            await stage.sessions("s1")
            await stage.caught_up()
            await stage.happen(*["call"] * 20)
            await server.until(20)
            assert stage.sinks.stats["stuck"].published == 0
            states = {child.id: child.state for child in stage.sinks.supervisor.which_children()}
            assert states == {"stuck": State.RUNNING, "bus": State.RUNNING}
        nursery.cancel_scope.cancel()


async def test_a_broker_that_is_away_is_probed_and_its_place_kept(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with elsewhere() as there:
        nowhere = Nats(tmp_path, there)
        async with running(database, nowhere.spec()) as stage:
            await stage.sessions("s1")
            await stage.caught_up()
            row = await stage.reads.sink("bus")
            await stage.happen("call", "call")
            with trio.fail_after(20):
                while not stage.sinks.away("bus"):
                    await trio.sleep(0.01)
            assert stage.sinks.stats["bus"].error == "no connection"
            assert stage.sinks.lag("bus") == 2
    assert isinstance(row, Sink)
    lines = [line for line in caplog.messages if line.startswith("sink_away")]
    assert lines == ["sink_away sink=bus reason=no connection"]
    assert PASSWORD not in caplog.text


async def test_what_is_cancelled_here_is_cancelled_elsewhere_and_errors_come_back() -> None:
    cancelled = trio.Event()

    async def wait(token: trio.lowlevel.TrioToken) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            token.run_sync_soon(cancelled.set)
            raise

    async def fail() -> None:
        raise LookupError("there")

    async with elsewhere() as there:
        with trio.move_on_after(0.05):
            await there.run(wait, trio.lowlevel.current_trio_token())
        with trio.fail_after(5):
            await cancelled.wait()
        with pytest.raises(LookupError, match="there"):
            await there.run(fail)
