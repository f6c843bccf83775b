"""The supervision tree in the browser: what becomes of real actors, and a thousand made ones."""

import json
import os
import re
import signal
from typing import Any

from playwright.sync_api import Locator, WebSocketRoute, expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import Json, Sandbox, until
from tests.browser.tab import Tab

CONFIG = ""  # a sandbox of its own: its actors are killed, stopped and made to crash

AT = "2026-11-22T12:00:00.000Z"


def line(tab: Tab, name: str) -> Locator:
    """The tree's line of a node."""
    return tab.page.get_by_role("treeitem", name=re.compile(rf"^{name}, "))


def detail(tab: Tab, *words: str) -> None:
    """Wait until a node's details say all this."""
    for each in words:
        expect(tab.page.get_by_role("complementary")).to_contain_text(each)


def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)


def active(tab: Tab) -> str:
    """Where the keyboard is in the tree."""
    path: str = tab.evaluate(
        """document.querySelector("[role=tree]").getAttribute("aria-activedescendant")"""
    )
    return path.removeprefix("node/").replace("%2F", "/")


def test_a_killed_cell_is_seen_to_come_back(tab: Tab, sandbox: Sandbox) -> None:
    cells = sandbox.call("GET", "/api/tree/cells")["children"]
    cell = max(cells, key=lambda each: each["cell"]["sessions"])
    tab.go("tree", "Supervision tree")
    line(tab, cell["id"]).click()
    detail(tab, f"Process{cell['cell']['pid']}", "Restarts0")
    os.kill(cell["cell"]["pid"], signal.SIGKILL)
    detail(tab, "Restarts1", "error (CellCrashed: ", "SIGKILL", "raise CellCrashed(", "Restarts since ")
    expect(line(tab, cell["id"])).to_have_attribute("aria-label", re.compile(r"^cell-\d+, running, \d+ MB"))
    until(lambda: sandbox.status("ana") == "connected", "ana is back")


def test_a_stuck_actor_stands_out_and_shows_where_it_stands(tab: Tab, sandbox: Sandbox) -> None:
    tab.go("tree?node=sessions/ana", "Supervision tree")
    sandbox.call("POST", "/api/loopback/actors/ana/wedge", {"seconds": 60})
    expect(line(tab, "ana")).to_have_attribute(
        "aria-label", re.compile("^ana, stuck, Wedge for"), timeout=15_000
    )
    detail(tab, "Wedge has been in hand for", "RehearsedSession._wedge")
    tab.page.get_by_role("button", name="stuck 1").click()
    expect(tab.page.get_by_role("treeitem")).to_have_count(3)
    tab.page.get_by_role("button", name="Restart").click()
    expect(tab.page.locator(".toast")).to_have_text("ana was restarted.", timeout=15_000)
    expect(tab.page.get_by_role("button", name="stuck 0")).to_be_visible()


def test_what_is_lost_on_the_way_is_seen_among_the_dead_letters(tab: Tab, sandbox: Sandbox) -> None:
    tab.go("tree/dead-letters", "Supervision tree")
    sandbox.call("POST", "/api/loopback/actors/budi/wedge", {"seconds": 1, "stubborn": True})
    for _ in range(3):
        sandbox.call("POST", "/api/loopback/actors/budi/crash")
    sandbox.call("POST", "/api/tree/sessions/budi/stop")
    expect(tab.page.get_by_role("row", name=re.compile("budi Crash nobody there 3"))).to_be_visible()
    sandbox.call("POST", "/api/tree/sessions/budi/start")


def test_a_supervisor_is_not_stopped_unasked(tab: Tab, sandbox: Sandbox) -> None:
    tab.go("tree?node=webhooks", "Supervision tree")
    panel = tab.page.get_by_role("complementary")
    panel.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert sandbox.call("GET", "/api/tree/webhooks")["state"] == "running"
    panel.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    detail(tab, "Statusstopped")
    panel.get_by_role("button", name="Start").click()
    detail(tab, "Statusrunning")
    tab.go("tree?node=api")
    expect(panel.get_by_role("button", name="Stop")).to_have_count(0)


def test_keys_move_about_in_the_tree(tab: Tab) -> None:
    tab.go("tree", "Supervision tree")
    tab.page.get_by_role("tree").focus()
    press(tab, "End")
    assert active(tab) == "api"
    press(tab, "Home", "ArrowDown")
    assert active(tab) == "storage"
    press(tab, "c")
    assert active(tab) == "cells"
    press(tab, "ArrowRight", "ArrowLeft", "ArrowLeft")
    expect(line(tab, "cells")).to_have_attribute("aria-expanded", "false")
    expect(line(tab, "cell-1")).to_have_count(0)
    press(tab, "ArrowRight", "ArrowRight", "Enter")
    expect(tab.page.locator("#node-title")).to_be_focused()
    press(tab, "Escape")
    expect(tab.page.get_by_role("tree")).to_be_focused()
    assert active(tab).startswith("cells/cell-")


def made(path: str, **more: Any) -> Json:
    """A node as the gateway tells it."""
    kind = "supervisor" if path in {"", "sessions"} else "worker"
    mailbox = {"depth": 0, "peak": 0, "dropped": 0, "oldestSince": None}
    return {
        "id": path.rpartition("/")[2] or "root",
        "path": path,
        "type": kind,
        "state": "running",
        "since": AT,
        "restarts": 0,
        "lastExit": None,
        "due": None,
        "mailbox": mailbox if kind == "worker" else None,
        "message": None,
        "messageSince": None,
        "busy": None,
        **more,
    }


def told(kind: str, *nodes: Json, gone: tuple[str, ...] = ()) -> str:
    return json.dumps({"type": kind, "at": AT, "nodes": nodes, "gone": gone})


def test_of_a_thousand_actors_only_those_on_the_screen_are_in_the_page(
    open_tab: OpenTab, sandbox: Sandbox
) -> None:
    tab = open_tab(sandbox.admin)
    sockets: list[WebSocketRoute] = []

    def listens(socket: WebSocketRoute) -> None:
        sockets.append(socket)

    tab.page.route_web_socket("**/api/tree/ws", listens)
    tab.page.goto(f"{sandbox.url}/#/tree")
    until(lambda: tab.page.title() and sockets, "the tree is asked for")
    many = [f"sessions/shop-{n:04}" for n in range(1000)]
    sockets[0].send(told("snapshot", made(""), made("sessions"), *map(made, many)))
    expect(line(tab, "sessions")).to_have_attribute("aria-expanded", "false")
    tab.page.get_by_role("button", name="Unfold all").click()
    first = line(tab, "shop-0000")
    expect(first).to_have_attribute("aria-setsize", "1000")
    assert tab.page.get_by_role("treeitem").count() < 60

    sockets[0].send(told("changes", made(many[1], state="failed", lastExit="killed"), gone=(many[0],)))
    expect(line(tab, "shop-0001")).to_have_attribute("aria-label", "shop-0001, given up, killed")
    expect(line(tab, "shop-0001")).to_have_attribute("aria-posinset", "1")
    expect(first).to_have_count(0)

    tab.page.get_by_role("tree").focus()
    press(tab, "End")
    expect(line(tab, "shop-0999")).to_be_in_viewport()
    assert tab.page.get_by_role("treeitem").count() < 60
    tab.page.get_by_role("searchbox").fill("shop-05")
    expect(line(tab, "shop-0500")).to_have_attribute("aria-setsize", "100")
    tab.page.get_by_role("searchbox").fill("")
    tab.page.get_by_role("button", name="given up 1").click()
    expect(tab.page.get_by_role("treeitem")).to_have_count(3)


def test_an_operator_sees_it_and_a_viewer_does_not(open_tab: OpenTab, sandbox: Sandbox) -> None:
    operator = open_tab(sandbox.somebody("otto", "operator"))
    operator.go("tree", "Supervision tree")
    expect(line(operator, "storage")).to_be_visible()
    viewer = open_tab(sandbox.somebody("vera", "viewer", sessions=["ana"]))
    viewer.go("tree", "There is nothing here")
