"""The nodes in the browser: a gateway alone, and many made ones."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import Json, Sandbox
from tests.browser.tab import Tab
from tests.browser.test_looks import in_every_look

GB = 10**9
AT = "2026-11-22T12:00:00.000Z"


def made(name: str, **more: Any) -> Json:
    """A node as the gateway tells it."""
    return {
        "id": f"nod_01K8{name.upper()}0000000000000000",
        "name": name,
        "url": f"http://{name}.example:8080",
        "version": "0.1.0",
        "state": "running",
        "self": False,
        "sessions": 0,
        "duties": [],
        "load": {"memoryBytes": 2 * GB, "memoryTotalBytes": 8 * GB},
        "startedAt": AT,
        "expiresAt": "2026-11-22T12:00:12.000Z",
        **more,
    }


THREE = {
    "at": AT,
    "shared": True,
    "nodes": [
        made("alder", self=True, sessions=60, duties=["retention", "webhooks"]),
        made(
            "beech", sessions=36, duties=["sinks"], load={"memoryBytes": 7.6 * GB, "memoryTotalBytes": 8 * GB}
        ),
        made("cedar", sessions=24, load=None, expiresAt="2026-11-22T11:59:59.000Z"),
    ],
    "unowned": 3,
}


def tell(tab: Tab, found: Json) -> list[str]:
    """Let the gateway tell of these nodes from now on; who is asked to drain then does."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(json=found)
            return
        id_ = route.request.url.split("/")[-2]
        asked.append(id_)
        (node,) = [node for node in found["nodes"] if node["id"] == id_]
        node["state"] = "draining"
        route.fulfill(json=node, status=202)

    tab.page.route(re.compile(r"/api/nodes(/|$)"), answer)
    return asked


@pytest.fixture
def three() -> Json:
    copy: Json = json.loads(json.dumps(THREE))
    return copy


def test_a_gateway_alone_is_one_node_that_cannot_be_drained(tab: Tab) -> None:
    tab.go("nodes", "Nodes")
    main = tab.page.get_by_role("main")
    expect(main.get_by_role("row")).to_have_count(2)
    expect(main.get_by_role("row").last).to_contain_text("(this one)")
    expect(main.get_by_role("row").last).to_contain_text("retention, message brokers, webhooks")
    expect(main).to_contain_text("[cluster]")
    expect(main.get_by_role("button")).to_have_count(0)


def test_each_node_shows_its_state_and_its_share(tab: Tab, three: Json) -> None:
    tell(tab, three)
    tab.go("nodes", "Nodes")
    alder, beech, cedar = tab.page.get_by_role("row").all()[1:]
    for row, words in (
        (alder, ("(this one)", "running", "60 50%", "2 GB of 8 GB", "12 sec", "retention, webhooks")),
        (beech, ("running", "36 30%", "7.6 GB of 8 GB", "takes no more sessions", "message brokers")),
        (cedar, ("does not answer", "24 20%", "over")),
    ):
        for each in words:
            expect(row).to_contain_text(each)
    expect(cedar.get_by_role("button")).to_have_count(0)
    expect(tab.page.get_by_role("status").first).to_have_text(
        "Sessions that no node has: 3. They start when a node takes them."
    )


def test_draining_is_asked_about_and_seen_to_its_end(tab: Tab, three: Json) -> None:
    asked = tell(tab, three)
    tab.go("nodes", "Nodes")
    row = tab.page.get_by_role("row", name=re.compile("beech"))
    button = row.get_by_role("button", name="Drain beech")
    button.click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("It hands its sessions (36) to the other nodes")
    dialog.get_by_role("button", name="Cancel").click()
    assert asked == []
    button.click()
    dialog.get_by_role("button", name="Drain").click()
    expect(row).to_contain_text("draining")
    expect(button).to_have_count(0)
    assert asked == [three["nodes"][1]["id"]]
    three["nodes"].pop(1)
    expect(row).to_have_count(0)


def test_who_drains_the_last_node_is_told_what_becomes_of_its_sessions(tab: Tab, three: Json) -> None:
    three["nodes"] = three["nodes"][:1]
    tell(tab, three)
    tab.go("nodes", "Nodes")
    tab.page.get_by_role("button", name="Drain alder").click()
    expect(tab.page.get_by_role("dialog")).to_contain_text(
        "There is no other node that could take its sessions"
    )
    expect(tab.page.get_by_role("dialog")).to_contain_text("This page comes from it")


def test_an_operator_looks_and_drains_nothing(open_tab: OpenTab, sandbox: Sandbox, three: Json) -> None:
    tab = open_tab(sandbox.somebody("nora", "operator"))
    tell(tab, three)
    tab.go("nodes", "Nodes")
    expect(tab.page.get_by_role("row")).to_have_count(4)
    expect(tab.page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_many_nodes_keep_nobody_out(open_tab: OpenTab, sandbox: Sandbox, three: Json) -> None:
    tab = open_tab(sandbox.admin, bypass_csp=True)
    three["nodes"][1]["state"] = "draining"
    tell(tab, three)
    tab.go("nodes", "Nodes")
    found = in_every_look(tab.page)
    assert not found, "\n".join(found)
    tab.page.get_by_role("button", name="Drain alder").click()
    found = in_every_look(tab.page)
    assert not found, "\n".join(found)
