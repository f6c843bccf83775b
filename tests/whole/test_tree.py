"""The supervision tree of a whole gateway: what dies, what is restarted for it, and what never notices."""

import os
import signal
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import trio
from attrs import define

from tests.whole.processes import Json, Running, start_sandbox, until

# Restarts in quick succession, and more of them in a row than any intensity bears. A life of less than `max`
# seconds does not end the row.
QUICK = """
[session]
per_minute = 1000000
burst = 1000000

[supervision.sessions]
backoff = { min = 0.02, max = 30, factor = 1.2, jitter = 0, max_failures = 14 }
"""
MANY = 15


@define(eq=False)
class Sandbox:
    """A running sandbox with its two sessions, ana and budi."""

    program: Running
    http: httpx.AsyncClient
    phones: dict[str, str]

    async def call(self, method: str, path: str, body: Json | None = None, *, status: int = 200) -> Json:
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    async def tree(self) -> dict[str, Json]:
        """Every node by its path."""
        found: dict[str, Json] = {}

        def add(node: Json) -> None:
            found[node["path"]] = node
            for child in node["children"]:
                add(child)

        add(await self.call("GET", "/api/tree"))
        return found

    async def node(self, path: str) -> Json:
        return await self.call("GET", f"/api/tree/{path}")

    async def crash(self, session: str) -> None:
        await self.call("POST", f"/api/loopback/actors/{session}/crash", status=202)

    async def until_state(self, path: str, state: str, *, restarts: int = 0) -> Json:
        async def is_so() -> Json | None:
            node = await self.node(path)
            return node if node["state"] == state and node["restarts"] >= restarts else None

        return dict(await until(is_so, f"{path} is {state}"))

    async def until_connected(self, *sessions: str) -> None:
        for session in sessions:

            async def connected(session: str = session) -> bool:
                answer = await self.http.get(f"/api/sessions/{session}/status")
                return answer.is_success and answer.json()["actual"] == "connected"

            await until(connected, f"{session} is connected", within=30)

    async def is_settled(self) -> bool:
        nodes = (await self.tree()).values()
        spare = any(node.get("cell") and node["cell"]["sessions"] == 0 for node in nodes)
        return spare and all(node["state"] == "running" for node in nodes)

    async def hand_over(self, sender: str, receiver: str, text: str) -> None:
        """Send: WhatsApp's server has it now."""
        body = {"phone": self.phones[receiver], "message": text}
        await self.call("POST", f"/api/sessions/{sender}/messages/text", body)

    async def send(self, sender: str, receiver: str, text: str) -> None:
        """Send, and see it arrive."""
        await self.hand_over(sender, receiver, text)

        async def arrived() -> bool:
            found = await self.call("GET", f"/api/sessions/{receiver}/messages?fromMe=false")
            return text in [message["text"] for message in found["messages"]]

        await until(arrived, f"{receiver} has it")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Json]]:
    """One for all tests of this file."""
    program, found = trio.run(start_sandbox, tmp_path_factory.mktemp("sandbox"), QUICK)
    yield program, found
    assert trio.run(program.stop) == 0


@pytest.fixture
async def sandbox(started: tuple[Running, Json]) -> AsyncIterator[Sandbox]:
    """The sandbox, in which nothing is left to be done after the test before."""
    program, found = started
    phones = {each["id"]: each["phone"] for each in found["sessions"]}
    headers = {"x-api-key": found["adminKey"]}
    async with httpx.AsyncClient(base_url=found["url"], headers=headers, timeout=60) as http:
        sandbox = Sandbox(program, http, phones)
        await sandbox.until_connected(*phones)
        await until(sandbox.is_settled, "all run, and a cell is spare")
        yield sandbox


def touched(before: dict[str, Json], after: dict[str, Json]) -> set[str]:
    """The nodes that are not what they were: other, restarted, or in another state."""
    facts = ("state", "since", "restarts")
    return {
        path
        for path in before.keys() | after.keys()
        if [before.get(path, {}).get(fact) for fact in facts]
        != [after.get(path, {}).get(fact) for fact in facts]
    }


async def test_a_crashed_session_is_restarted_alone(sandbox: Sandbox) -> None:
    before = await sandbox.tree()
    await sandbox.crash("ana")
    restarts = before["sessions/ana"]["restarts"] + 1
    ana = await sandbox.until_state("sessions/ana", "running", restarts=restarts)
    assert ana["lastExit"] == "error (RehearsedCrash: ana was told to crash)"
    assert any("in handle" in line for line in ana["traceback"])
    await sandbox.hand_over("budi", "ana", "meanwhile")
    await sandbox.until_connected("ana")
    await sandbox.send("ana", "budi", "back again")
    assert touched(before, await sandbox.tree()) == {"sessions/ana"}


async def test_a_killed_cell_is_restarted_alone_and_the_sessions_actors_live_on(sandbox: Sandbox) -> None:
    before = await sandbox.tree()
    hosting = next(path for path, node in before.items() if (node.get("cell") or {}).get("sessions"))
    os.kill(before[hosting]["cell"]["pid"], signal.SIGKILL)
    cell = await sandbox.until_state(hosting, "running", restarts=before[hosting]["restarts"] + 1)
    assert cell["lastExit"].startswith("error (CellCrashed: ")
    assert "SIGKILL" in cell["lastExit"]
    assert cell["cell"]["pid"] != before[hosting]["cell"]["pid"]
    await sandbox.until_connected("ana", "budi")
    await sandbox.send("ana", "budi", "from another cell")
    assert touched(before, await sandbox.tree()) <= {hosting, *_spares(before, await sandbox.tree())}


def _spares(before: dict[str, Json], after: dict[str, Json]) -> set[str]:
    """Cells that came or went as spares."""
    return {path for path in before.keys() ^ after.keys() if path.startswith("cells/")}


async def test_a_session_that_keeps_crashing_fails_alone_and_is_started_by_hand(sandbox: Sandbox) -> None:
    await sandbox.call("POST", "/api/tree/sessions/ana/restart")  # whose earlier failures are forgotten
    await sandbox.until_connected("ana")
    before = await sandbox.tree()
    # They wait in its mailbox, which outlives it: each life takes one, and dies of it.
    for _ in range(MANY):
        await sandbox.crash("ana")
    ana = await sandbox.until_state("sessions/ana", "failed")
    restarts = ana["restarts"] - before["sessions/ana"]["restarts"]
    assert restarts == MANY - 1 > before[""]["settings"]["intensity"]
    refused = await sandbox.call("GET", "/api/sessions/ana/status", status=503)
    assert refused["code"] == "not_ready"
    await sandbox.hand_over("budi", "ana", "meanwhile")
    assert touched(before, await sandbox.tree()) == {"sessions/ana"}
    await sandbox.call("POST", "/api/tree/sessions/ana/start")
    await sandbox.until_connected("ana")
    await sandbox.send("ana", "budi", "started again")


async def test_a_session_whose_actor_was_stopped_by_hand_starts_when_it_is_told_to(sandbox: Sandbox) -> None:
    await sandbox.call("POST", "/api/tree/sessions/ana/stop")
    await sandbox.until_state("sessions/ana", "stopped")
    status = await sandbox.call("POST", "/api/sessions/ana/start")
    assert status["actual"] in {"starting", "connected"}
    await sandbox.until_connected("ana")
    refused = await sandbox.call("POST", "/api/sessions/ana/start", status=409)
    assert refused["code"] == "already_running"


async def test_a_stuck_session_is_seen_with_its_stack_and_freed_by_a_restart(sandbox: Sandbox) -> None:
    before = await sandbox.tree()
    await sandbox.call("POST", "/api/loopback/actors/ana/wedge", {"seconds": 600}, status=202)

    async def wedged() -> Json | None:
        node = await sandbox.node("sessions/ana")
        return node if node["message"] == "Wedge" else None

    ana = await until(wedged, "ana is stuck")
    assert ana["state"] == "running"
    assert any(frame.endswith("RehearsedSession._wedge") for frame in ana["tasks"][0]["stack"])
    await sandbox.hand_over("budi", "ana", "meanwhile")
    freed = await sandbox.call("POST", "/api/tree/sessions/ana/restart")
    assert (freed["state"], freed["message"], freed["lastExit"]) == ("running", None, "killed")
    await sandbox.until_connected("ana")
    assert touched(before, await sandbox.tree()) == {"sessions/ana"}


async def test_a_cell_restarted_by_hand_takes_only_its_clients_with_it(sandbox: Sandbox) -> None:
    before = await sandbox.tree()
    hosting = next(path for path, node in before.items() if (node.get("cell") or {}).get("sessions"))
    new = await sandbox.call("POST", f"/api/tree/{hosting}/restart")
    assert new["cell"]["pid"] != before[hosting]["cell"]["pid"]
    await sandbox.until_connected("ana", "budi")
    await sandbox.send("ana", "budi", "from another cell")
    after = await sandbox.tree()
    assert touched(before, after) <= {hosting, *_spares(before, after)}


@pytest.mark.parametrize("part", ["storage", "hub", "webhooks", "cells", "sessions"])
async def test_each_part_can_be_restarted_and_the_gateway_works_on(sandbox: Sandbox, part: str) -> None:
    before = await sandbox.tree()
    audit = "/api/audit?action=tree.restart"
    entries_before = (await sandbox.call("GET", audit))["entries"]
    await sandbox.call("POST", f"/api/tree/{part}/restart")
    await sandbox.until_connected("ana", "budi")
    await sandbox.send("ana", "budi", "as if nothing had been")
    moved = touched(before, await sandbox.tree())
    assert part in moved
    assert all(path == part or path.startswith((f"{part}/", "cells/")) for path in moved)
    entry, *others = (await sandbox.call("GET", audit))["entries"]
    assert others == entries_before
    assert (entry["target"], entry["outcome"]) == (part, "ok")


async def test_what_steering_itself_needs_cannot_be_taken_away(sandbox: Sandbox) -> None:
    before = await sandbox.tree()
    for path, acts in (("api", ("restart", "stop", "suspend", "start")), ("storage", ("stop", "suspend"))):
        for act in acts:
            refused = await sandbox.call("POST", f"/api/tree/{path}/{act}", status=409)
            assert refused["code"] == "not_steerable"
    assert touched(before, await sandbox.tree()) == set()
