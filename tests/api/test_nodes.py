"""The nodes as the API, the command line and the metrics show them: a real one, and rows of others."""

import json
import re
import socket
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
import trio
from attrs import define

from actors.cluster.cluster import Cluster
from api.nodelist import NotDrainedError, drained, render
from api.running import NotRunningError, Running
from storage.nodes import Load
from tests.api.stage import ADMIN_KEY, Stage, running_api

Json = dict[str, Any]

GB = 10**9


@define(eq=False)
class Many:
    """An API on a node named `one`, the node, and what it shares."""

    stage: Stage
    cluster: Cluster
    database: str

    async def other(self, name: str, *, sessions: int = 0) -> str:
        """Another node, which holds its lease and has new sessions."""
        node = await self.cluster.nodes.register(
            name=name, url=f"http://{name}", process=name, version="1.2.3", lease=60
        )
        await self.give(node, *(f"{node[-6:]}-{n}" for n in range(sessions)))
        return node

    async def give(self, node: str | None, *sessions: str) -> None:
        """New sessions of a node, or of none."""
        for each in sessions:
            await (await self.stage.session(each)).aclose()
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("UPDATE sessions SET node = %s WHERE id = ANY(%s)", (node, list(sessions)))

    async def listed(self) -> Json:
        answer = await self.stage.client.get("/api/nodes")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    @property
    def running(self) -> Running:
        return Running(str(self.stage.client.base_url), ADMIN_KEY)


@pytest.fixture
async def many(database: str, tmp_path: Path) -> AsyncIterator[Many]:
    async with running_api(database, tmp_path, node="one") as stage:
        assert stage.services.cluster is not None
        yield Many(stage, stage.services.cluster, database)


# The API


async def test_a_gateway_that_shares_with_no_other_is_the_only_node(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    found = (await stage.client.get("/api/nodes")).json()
    assert (found["shared"], found["unowned"]) == (False, 0)
    (node,) = found["nodes"]
    assert node.pop("startedAt") <= found["at"]
    assert node == {
        "id": None,
        "name": socket.gethostname(),
        "url": None,
        "version": "1.2.3",
        "state": "running",
        "self": True,
        "sessions": 1,
        "duties": ["retention", "sinks", "webhooks"],
        "load": None,
        "expiresAt": None,
    }
    answer = await stage.client.post("/api/nodes/one/drain")
    assert (answer.status_code, answer.json()["code"]) == (501, "not_possible")


async def test_all_nodes_are_told_with_what_they_have_and_never_their_secret(many: Many) -> None:
    two = await many.other("two", sessions=3)
    await many.give(None, "nobodys")
    found = await many.listed()
    assert (found["shared"], found["unowned"]) == (True, 1)
    one, other = found["nodes"]
    assert (one["id"], one["name"], one["self"]) == (many.cluster.node_id, "one", True)
    assert await many.cluster.nodes.renew(one["id"], 60, Load(memory=2 * GB, memory_total=8 * GB))
    one, _ = (await many.listed())["nodes"]
    assert one["load"] == {"memoryBytes": 2 * GB, "memoryTotalBytes": 8 * GB}
    assert found["at"] < one["expiresAt"]
    assert other == {
        "id": two,
        "name": "two",
        "url": "http://two",
        "version": "1.2.3",
        "state": "running",
        "self": False,
        "sessions": 3,
        "duties": [],
        "load": None,
        "startedAt": other["startedAt"],
        "expiresAt": other["expiresAt"],
    }
    (row,) = [node for node in await many.cluster.nodes.nodes() if node.id == two]
    text = (await many.stage.client.get("/api/nodes")).text
    assert "secret" not in text
    assert row.secret.hex() not in text


async def test_who_is_asked_to_drain_by_name_or_id_is_draining_and_it_is_recorded(many: Many) -> None:
    two, three = await many.other("two"), await many.other("three")
    for which in ("two", three):
        answer = await many.stage.client.post(f"/api/nodes/{which}/drain")
        assert (answer.status_code, answer.json()["state"]) == (202, "draining")
    states = {node["id"]: node["state"] for node in (await many.listed())["nodes"]}
    assert states == {many.cluster.node_id: "running", two: "draining", three: "draining"}
    entries = (await many.stage.client.get("/api/audit?action=node.drain")).json()["entries"]
    assert [(each["target"], each["detail"], each["outcome"]) for each in entries] == [
        (three, {"name": "three"}, "ok"),
        (two, {"name": "two"}, "ok"),
    ]


async def test_a_name_that_is_nobodys_or_not_ones_alone_drains_nobody(many: Many) -> None:
    two, again = await many.other("two"), await many.other("two")
    answer = await many.stage.client.post("/api/nodes/two/drain")
    assert (answer.status_code, answer.json()["code"]) == (409, "node_ambiguous")
    assert two in answer.json()["detail"]
    assert again in answer.json()["detail"]
    answer = await many.stage.client.post("/api/nodes/four/drain")
    assert (answer.status_code, answer.json()["code"]) == (404, "node_not_found")
    assert {node["state"] for node in (await many.listed())["nodes"]} == {"running"}


async def test_an_operator_may_look_and_only_an_admin_drain(many: Many) -> None:
    await many.other("two")
    for scope, looks, drains in (("operate", 200, 403), ("read", 403, 403), ("admin", 200, 202)):
        async with many.stage.client_with(await many.stage.key(scopes=(scope,))) as client:
            assert (await client.get("/api/nodes")).status_code == looks
            assert (await client.post("/api/nodes/two/drain")).status_code == drains


# Metrics


async def test_metrics_tell_of_the_lease_and_of_sessions_that_nobody_has(
    many: Many, nursery: trio.Nursery
) -> None:
    await many.give(None, "nobodys")

    async def read() -> dict[str, float]:
        text = (await many.stage.client.get("/metrics")).text
        return {
            name: float(value) for name, value in re.findall(r"^(terzetto_\w+) (\S+)$", text, re.MULTILINE)
        }

    assert (await read())["terzetto_node_draining"] == 0
    many.cluster.drain()
    await nursery.start(many.cluster.run)
    await many.cluster.drained.wait()  # it has looked then
    found = await read()
    assert 0 < found["terzetto_node_lease_seconds"] < many.cluster.lease
    assert found["terzetto_sessions_unowned"] == 1
    assert found["terzetto_node_draining"] == 1
    nursery.cancel_scope.cancel()
    many.cluster.leash.tenure = None
    assert (await read())["terzetto_node_lease_seconds"] == 0


async def test_there_are_no_figures_of_a_node_where_there_is_but_one(stage: Stage) -> None:
    text = (await stage.client.get("/metrics")).text
    assert "# HELP terzetto_node_lease_seconds" in text
    assert not re.search(r"^terzetto_node_", text, re.MULTILINE)


# The command line

AT = "2026-11-22T15:00:00.000Z"


def made(name: str, **more: Any) -> Json:
    return {
        "id": f"nod_{name}",
        "name": name,
        "url": f"http://{name}",
        "version": "1.2.3",
        "state": "running",
        "self": False,
        "sessions": 0,
        "duties": [],
        "load": {"memoryBytes": 2 * GB, "memoryTotalBytes": 8 * GB},
        "startedAt": AT,
        "expiresAt": "2026-11-22T15:00:12.400Z",
        **more,
    }


def test_nodes_are_a_table_in_which_the_one_that_was_asked_is_marked() -> None:
    nodes = [
        made("one", self=True, sessions=30, duties=["webhooks"]),
        made("long-name", state="draining", sessions=10, load=None),
    ]
    assert list(render({"at": AT, "shared": True, "nodes": nodes, "unowned": 2})) == [
        "   name       state     sessions  share      memory  lease  version  duties    id",
        "*  one        running         30    75%  2.0/8.0 GB   12 s  1.2.3    webhooks  nod_one",
        "   long-name  draining        10    25%           -   12 s  1.2.3    -         nod_long-name",
        "2 sessions of no node.",
    ]


def test_a_gateway_alone_says_that_it_shares_with_no_other() -> None:
    alone = made("host", id=None, self=True, load=None, expiresAt=None)
    *_, row, note = render({"at": AT, "shared": False, "nodes": [alone], "unowned": 0})
    assert row.split() == ["*", "host", "running", "0", "-", "-", "1.2.3", "-", "-"]
    assert note == "This gateway shares with no other: [cluster] in supervisor.toml."


async def test_draining_asks_first_and_waits_until_the_node_is_gone(
    many: Many, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two = await many.other("two", sessions=2)
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    with pytest.raises(NotDrainedError, match="two stays as it is"):
        await trio.to_thread.run_sync(lambda: drained(many.running, "two", unasked=False))
    assert "Drain two? Its 2 sessions will go to 1 other node. [y/N]" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, lambda: drained(many.running, "two", unasked=False))
        with trio.fail_after(10):
            while not any(node.draining for node in await many.cluster.nodes.nodes()):
                await trio.sleep(0.01)
            said = ""
            while "two has 2 sessions left" not in said:
                said += capsys.readouterr().out
                await trio.sleep(0.01)
            await many.cluster.nodes.leave(two)
    assert capsys.readouterr().out == "terzetto: two is gone\n"


def test_a_node_that_is_asked_to_drain_itself_is_gone_when_it_answers_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = made("one", self=True, sessions=3, state="draining")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"at": AT, "shared": True, "nodes": [one], "unowned": 0})

        def do_POST(self) -> None:
            self._answer(one)

        def _answer(self, body: Json) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:

        def serve() -> None:
            for _ in ("what there is", "drain", "how far it is"):
                server.handle_request()
            server.server_close()

        thread = Thread(target=serve)
        thread.start()
        drained(Running(f"http://127.0.0.1:{server.server_port}", ADMIN_KEY), "one", unasked=True)
        thread.join()
    assert capsys.readouterr().out == "terzetto: one has 3 sessions left\nterzetto: one is gone\n"


async def test_draining_nobody_says_so(many: Many) -> None:
    with pytest.raises(NotRunningError, match="answered 404: node_not_found"):
        await trio.to_thread.run_sync(lambda: drained(many.running, "four", unasked=True))
