"""Looking into the supervision tree and steering it, over real sockets."""

import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from actors.session.messages import GetStatus, Stop
from api.lookout import INTERVAL
from api.nodes import Moments
from runtime import Actor, ChildSpec, Restart
from storage.errors import DatabaseUnavailable
from tests.api.stage import ADMIN_KEY, Stage, running_api

Json = dict[str, Any]
SECRET = "this is what the customer wrote to 6281234567789"


async def node(stage: Stage, path: str) -> Json:
    answer = await stage.client.get(f"/api/tree/{path}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def steer(stage: Stage, path: str, act: str) -> tuple[int, str]:
    """The answer's status, and the child's state then or the problem's code."""
    answer = await stage.client.post(f"/api/tree/{path}/{act}")
    body = answer.json() if answer.content else {}
    return answer.status_code, body.get("code") or body.get("state") or ""


async def sessions(stage: Stage, *names: str) -> None:
    for name in names:
        await (await stage.session(name)).aclose()


async def crash(stage: Stage, session_id: str) -> None:
    """Let a session's actor die in its handler."""

    async def die(message: object) -> None:
        try:
            dict[str, str]()[SECRET]
        except KeyError as error:
            raise DatabaseUnavailable from error

    stage.scripts[session_id].answers[GetStatus] = die
    answer = await stage.client.get(f"/api/sessions/{session_id}/status")
    assert answer.json()["code"] == "session_restarting"
    del stage.scripts[session_id].answers[GetStatus]


@asynccontextmanager
async def stuck(stage: Stage, session_id: str) -> AsyncIterator[None]:
    """Meanwhile the session's actor does not return from a handler."""
    begun, go_on = trio.Event(), trio.Event()

    async def be_stuck(message: object) -> None:
        begun.set()
        await go_on.wait()

    stage.scripts[session_id].answers[Stop] = be_stuck
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.client.post, f"/api/sessions/{session_id}/stop")
        await begun.wait()
        yield
        go_on.set()


# Looking


async def test_the_tree_shows_each_node_by_its_path(stage: Stage) -> None:
    await sessions(stage, "ana")
    root = (await stage.client.get("/api/tree")).json()
    assert (root["path"], root["settings"]["strategy"]) == ("", "one_for_one")
    paths = [child["path"] for child in root["children"]]
    assert paths == ["hub", "writer", "webhooks", "sessions"]
    (ana,) = root["children"][3]["children"]
    assert ana["path"] == "sessions/ana"
    assert (ana["state"], ana["restarts"], ana["lastExit"]) == ("running", 0, None)
    assert ana["mailbox"] == {"depth": 0, "peak": 0, "dropped": 0, "oldestSince": None}
    assert "traceback" not in ana


async def test_one_node_tells_its_settings_and_what_is_below_it(stage: Stage) -> None:
    await sessions(stage, "ana")
    above = await node(stage, "sessions")
    assert [child["id"] for child in above["children"]] == ["ana"]
    assert above["settings"]["intensity"] == 100
    assert above["settings"]["shutdown"] is None
    ana = await node(stage, "sessions/ana")
    assert ana["settings"] == {
        "restart": "permanent",
        "shutdown": 1.0,
        "startTimeout": 30.0,
        "backoff": None,
        "mailbox": {"capacity": 1024, "overflow": "block"},
    }
    assert (ana["children"], ana["traceback"]) == ([], None)


@pytest.mark.parametrize("path", ["nobody", "sessions/nobody", "hub/ana", "sessions//ana", "sessions/ana/x"])
async def test_a_path_that_leads_nowhere_is_404(stage: Stage, path: str) -> None:
    await sessions(stage, "ana")
    for answer in (
        await stage.client.get(f"/api/tree/{path}"),
        await stage.client.post(f"/api/tree/{path}/restart"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "child_not_found")


async def test_the_tree_is_for_admins_alone(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for answer in (
            await own.get("/api/tree"),
            await own.get("/api/tree/hub"),
            await own.post("/api/tree/sessions/ana/restart"),
            await own.get("/api/dead-letters"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_denied")


async def test_a_traceback_tells_where_and_what_kind_and_no_words_of_strangers(stage: Stage) -> None:
    await sessions(stage, "ana")
    await crash(stage, "ana")
    ana = await node(stage, "sessions/ana")
    assert (ana["restarts"], ana["lastExit"]) == (1, "error (DatabaseUnavailable)")
    trace = ana["traceback"]
    assert "KeyError" in trace
    assert trace[-1] == "DatabaseUnavailable"
    assert "The above was the direct cause of:" in trace
    assert any("tests/api/test_supervision.py" in line and line.endswith(" in die") for line in trace)
    shown = (await stage.client.get("/api/tree/sessions/ana")).text
    assert SECRET not in shown
    assert "6281234567789" not in shown
    assert "/work" not in shown


async def test_an_actor_that_is_stuck_in_a_handler_shows_where(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with stuck(stage, "ana"):
        ana = await node(stage, "sessions/ana")
        assert (ana["state"], ana["message"]) == ("running", "Stop")
        assert ana["messageSince"] >= ana["since"]
        first, *_ = ana["tasks"]
        assert first["name"] == "ana"
        assert any(frame.endswith("be_stuck") for frame in first["stack"])
    assert (await node(stage, "sessions/ana"))["message"] is None


async def test_dead_letters_tell_types_only(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with stuck(stage, "ana"):
        await stage.services.sessions.ref("ana").cast({"secret": SECRET})
        assert await steer(stage, "sessions/ana", "stop") == (200, "stopped")
    answer = await stage.client.get("/api/dead-letters")
    assert answer.json()["letters"][0] == {"recipient": "ana", "type": "dict", "reason": "gone"}
    assert SECRET not in answer.text


# Steering


async def test_a_restart_of_a_session_restarts_that_one_alone(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    before = await states(stage)
    assert await steer(stage, "sessions/ana", "restart") == (200, "running")
    after = await states(stage)
    changed = [path for path in before if before[path]["since"] != after[path]["since"]]
    assert changed == ["sessions/ana"]
    assert (await stage.client.get("/api/sessions/ana/status")).status_code == 200


async def test_a_restart_frees_an_actor_that_is_stuck(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with stuck(stage, "ana"):
        assert await steer(stage, "sessions/ana", "restart") == (200, "running")
    ana = await node(stage, "sessions/ana")
    assert (ana["lastExit"], ana["message"]) == ("killed", None)


async def test_a_restart_begun_goes_on_without_its_caller(stage: Stage) -> None:
    await sessions(stage, "ana")
    before = (await node(stage, "sessions/ana"))["since"]
    async with stuck(stage, "ana"):
        with trio.move_on_after(0.3) as patience:  # the actor is given a second to stop
            async with stage.client_with(ADMIN_KEY) as other:
                await other.post("/api/tree/sessions/ana/restart")
        assert patience.cancelled_caught

        async def back() -> bool:
            ana = await node(stage, "sessions/ana")
            return bool(ana["state"] == "running" and ana["since"] != before)

        await until(back)

        async def recorded() -> Any:
            answer = await stage.client.get("/api/audit", params={"action": "tree.restart"})
            return answer.json()["entries"]

        await until(recorded)  # which is after the actor is back
    (entry,) = await recorded()
    assert (entry["target"], entry["outcome"]) == ("sessions/ana", "ok")


async def test_what_is_stopped_stays_visible_and_answers_503_until_it_is_started(stage: Stage) -> None:
    await sessions(stage, "ana")
    assert await steer(stage, "sessions/ana", "stop") == (200, "stopped")
    assert await steer(stage, "sessions/ana", "stop") == (409, "not_running")
    refused = await stage.client.get("/api/sessions/ana/status")
    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    assert await steer(stage, "sessions/ana", "start") == (200, "running")
    assert await steer(stage, "sessions/ana", "start") == (409, "already_running")
    assert (await stage.client.get("/api/sessions/ana/status")).status_code == 200


async def test_a_suspended_actor_lets_messages_wait_and_takes_them_when_resumed(stage: Stage) -> None:
    await sessions(stage, "ana")
    assert await steer(stage, "sessions/ana", "suspend") == (200, "suspended")
    async with trio.open_nursery() as nursery:
        answers: list[int] = []

        async def ask() -> None:
            answers.append((await stage.client.get("/api/sessions/ana/status")).status_code)

        nursery.start_soon(ask)

        async def waits() -> bool:
            mailbox = (await node(stage, "sessions/ana"))["mailbox"]
            return bool(mailbox["depth"] == 1 and mailbox["oldestSince"])

        await until(waits)
        assert answers == []
        assert await steer(stage, "sessions/ana", "resume") == (200, "running")
    assert answers == [200]


async def test_a_whole_supervisor_can_be_restarted_with_all_below_it(stage: Stage) -> None:
    before = await states(stage)
    assert await steer(stage, "webhooks", "restart") == (200, "running")
    after = await states(stage)
    assert [path for path in before if before[path]["since"] != after[path]["since"]] == ["webhooks"]


async def test_what_is_no_actor_cannot_be_suspended(stage: Stage) -> None:
    for act in ("suspend", "resume"):
        assert await steer(stage, "webhooks", act) == (409, "not_an_actor")


async def test_what_does_not_run_cannot_be_suspended(stage: Stage) -> None:
    await sessions(stage, "ana")
    await steer(stage, "sessions/ana", "stop")
    for act in ("suspend", "resume"):
        assert await steer(stage, "sessions/ana", act) == (409, "not_running")


async def test_a_child_that_cannot_start_says_so(stage: Stage) -> None:
    ready = True

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        if not ready:
            raise OSError("no such device")
        task_status.started()
        await trio.sleep_forever()

    await stage.services.sessions.supervisor.start_child(ChildSpec("odd", start))
    ready = False
    answer = await stage.client.post("/api/tree/sessions/odd/restart")
    assert (answer.status_code, answer.json()["code"]) == (503, "start_failed")
    assert "OSError: no such device" in answer.json()["detail"]
    assert (await node(stage, "sessions/odd"))["state"] == "failed"
    ready = True
    assert await steer(stage, "sessions/odd", "start") == (200, "running")


class _Quiet(Actor):
    async def handle(self, message: object) -> None: ...


async def test_a_temporary_child_is_stopped_for_good_and_never_restarted(stage: Stage) -> None:
    supervisor = stage.services.sessions.supervisor
    await supervisor.start_child(ChildSpec("odd", _Quiet, restart=Restart.TEMPORARY))
    assert await steer(stage, "sessions/odd", "restart") == (409, "not_steerable")
    assert await steer(stage, "sessions/odd", "stop") == (204, "")
    assert await steer(stage, "sessions/odd", "stop") == (404, "child_not_found")


async def test_each_act_of_steering_is_recorded_with_its_outcome(stage: Stage) -> None:
    await sessions(stage, "ana")
    for act in ("suspend", "resume", "restart", "stop", "stop", "start"):
        await steer(stage, "sessions/ana", act)
    found = (await stage.client.get("/api/audit", params={"target": "sessions/ana"})).json()["entries"]
    assert [(entry["action"], entry["outcome"]) for entry in reversed(found)] == [
        ("tree.suspend", "ok"),
        ("tree.resume", "ok"),
        ("tree.restart", "ok"),
        ("tree.stop", "ok"),
        ("tree.stop", "not_running"),
        ("tree.start", "ok"),
    ]


# Live


@asynccontextmanager
async def watching(stage: Stage, key: str = ADMIN_KEY) -> AsyncIterator[WebSocketConnection]:
    async with await trio.open_tcp_stream(*stage.address) as stream, trio.open_nursery() as nursery:
        headers = [(b"x-api-key", key.encode())]
        connection = await wrap_client_stream(nursery, stream, "x", "/api/tree/ws", extra_headers=headers)
        yield connection
        with trio.move_on_after(1):
            await connection.aclose()
        nursery.cancel_scope.cancel()


async def heard(connection: WebSocketConnection) -> Json:
    with trio.fail_after(5):
        message: Json = json.loads(await connection.get_message())
        return message


async def test_a_watcher_gets_the_whole_tree_and_then_only_what_changes(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    async with watching(stage) as connection:
        whole = await heard(connection)
        assert (whole["type"], whole["gone"]) == ("snapshot", [])
        assert [view["path"] for view in whole["nodes"]] == [
            *("", "hub", "writer", "webhooks", "sessions", "sessions/ana", "sessions/budi")
        ]
        await crash(stage, "ana")
        change = await change_of(connection, "sessions/ana")
        assert (change["restarts"], change["lastExit"]) == (1, "error (DatabaseUnavailable)")
        await sessions(stage, "citra")
        assert (await change_of(connection, "sessions/citra"))["state"] == "running"
        assert (await stage.client.delete("/api/sessions/ana")).status_code == 204
        with trio.fail_after(5):
            while True:
                message = await heard(connection)
                assert "sessions/budi" not in [view["path"] for view in message["nodes"]]
                if message["gone"]:
                    break
        assert message["gone"] == ["sessions/ana"]


async def change_of(connection: WebSocketConnection, path: str) -> Json:
    with trio.fail_after(5):
        while True:
            message = await heard(connection)
            assert message["type"] == "changes"
            for view in message["nodes"]:
                if view["path"] == path:
                    found: Json = view
                    return found


async def test_of_an_actor_that_stays_stuck_nothing_but_its_busy_share_is_told_again(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with watching(stage) as connection:
        await heard(connection)
        async with stuck(stage, "ana"):
            while (change := await change_of(connection, "sessions/ana"))["message"] != "Stop":
                pass
            assert change["messageSince"]
            told: list[Json] = []
            with trio.move_on_after(6 * INTERVAL):
                while True:
                    message = json.loads(await connection.get_message())
                    told += [view for view in message["nodes"] if view["path"] == "sessions/ana"]
            for again in told:
                assert {**again, "busy": None} == {**change, "busy": None}, "its busy share is all that moves"


async def test_nothing_is_sent_while_nothing_changes_and_nobody_looks_when_nobody_watches(
    stage: Stage,
) -> None:
    lookout = stage.services.lookout
    async with watching(stage) as one, watching(stage) as other:
        await heard(one)
        await heard(other)
        await quiet(one)
        looked, began = lookout.looks, trio.current_time()
        with trio.move_on_after(8 * INTERVAL):
            await one.get_message()
            pytest.fail("something was sent")
        intervals = (trio.current_time() - began) / INTERVAL
        assert 1 <= lookout.looks - looked <= intervals + 1, "two watchers share one look"

    async def nobody_watches() -> bool:
        before = lookout.looks
        await trio.sleep(2 * INTERVAL)
        return before == lookout.looks

    await until(nobody_watches)


async def quiet(connection: WebSocketConnection) -> None:
    """Wait until the connections that just came and went do not move anything any more."""
    with trio.fail_after(10):
        while True:
            with trio.move_on_after(4 * INTERVAL) as patience:
                await connection.get_message()
            if patience.cancelled_caught:
                return


async def test_a_watcher_needs_an_admin_key(stage: Stage) -> None:
    key = await stage.key(scopes=("read",))
    with pytest.raises(ExceptionGroup) as group:
        async with watching(stage, key):
            pytest.fail("the handshake was accepted")
    (rejected,) = group.value.exceptions
    assert isinstance(rejected, ConnectionRejected)
    assert (rejected.status_code, json.loads(rejected.body or b"")["code"]) == (403, "scope_denied")


async def test_a_watcher_that_does_not_read_is_dropped(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, send_timeout=0.3) as stage:
        await sessions(stage, "ana")
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(stage.address)
            lines = (
                *("GET /api/tree/ws HTTP/1.1", "host: x", "connection: upgrade", "upgrade: websocket"),
                *("sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
                *(f"x-api-key: {ADMIN_KEY}", "", ""),
            )
            raw.sendall("\r\n".join(lines).encode())
            # What it is sent must outgrow the buffers of both sides.
            supervisor = stage.services.sessions.supervisor
            for number in range(6000):
                await supervisor.start_child(ChildSpec(f"odd-{number}", _Quiet))
            await trio.sleep(1.5)
            assert await trio.to_thread.run_sync(_ends, raw), "it is still being sent to"
        assert (await stage.client.get("/healthz")).status_code == 200


def _ends(raw: socket.socket) -> bool:
    """Whether the other side has closed, once all that it had sent is read."""
    raw.settimeout(2)
    try:
        while raw.recv(1 << 16):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


async def states(stage: Stage) -> dict[str, Json]:
    """Every node by its path."""
    found: dict[str, Json] = {}

    def add(view: Json) -> None:
        found[view["path"]] = view
        for child in view["children"]:
            add(child)

    add((await stage.client.get("/api/tree")).json())
    return found


async def until(is_so: Any, *, within: float = 20.0) -> None:
    with trio.fail_after(within):
        while not await is_so():
            await trio.sleep(0.02)


async def test_a_gateway_that_is_no_sandbox_has_no_faults_to_make(stage: Stage) -> None:
    await sessions(stage, "ana")
    for fault in ("crash", "wedge"):
        answer = await stage.client.post(f"/api/loopback/actors/ana/{fault}", json={"seconds": 5})
        assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")


async def test_every_look_dates_by_the_same_clock(stage: Stage) -> None:
    """Clocks read anew for each look differ by microseconds, enough to turn a millisecond now and then."""
    root = stage.services.root.tree(trio.current_time())
    child = root.children[0]
    stage.services.lookout.moments = moments = Moments(zero=time.time() - trio.current_time() + 0.5)
    expected = [moments.of(root.since), moments.of(child.since)]
    tree = (await stage.client.get("/api/tree")).json()
    assert [tree["since"], tree["children"][0]["since"]] == expected
    assert (await node(stage, child.id))["since"] == expected[1]
    views = stage.services.lookout.look()
    assert [views[""]["since"], views[child.id]["since"]] == expected
