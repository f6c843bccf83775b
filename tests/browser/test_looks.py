"""What the pages are to who sees little, has a small screen or a slow line: axe-core's rules, widths, bytes."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenTab
from tests.browser.lively import make_lively
from tests.browser.sandbox import Json, Sandbox
from tests.browser.tab import Tab

FIRST_LOAD = 150_000  # bytes over the wire, from the sign-in to the overview

PLACES = [
    "overview",
    "sessions",
    "sessions/ana",
    "chats",
    "events",
    "tree",
    "audit",
    "people",
    "phones",
    "account",
]


@pytest.fixture(scope="module")
def lively(sandbox: Sandbox) -> Sandbox:
    make_lively(sandbox)
    return sandbox


def grave(page: Page) -> list[str]:
    """What axe-core finds serious or critical on a page."""
    found: list[Json] = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


WIDER = """() => document.scrollingElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > innerWidth)
    .map((each) => `wider than the screen: ${each.tagName} ${each.className}`)"""


def wide(page: Page) -> list[str]:
    """What makes a page scroll to the side."""
    return list(page.evaluate(WIDER))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_keeps_anybody_out(lively: Sandbox, open_tab: OpenTab, width: int, theme: str) -> None:
    look: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": theme}
    # The policy would keep out axe-core as it does any other's script.
    tab = open_tab(**look, bypass_csp=True)
    tab.expect("401 GET /api/me")
    tab.page.goto(lively.url)
    expect(tab.page.get_by_label("Password")).to_be_visible()
    wrong = {"sign-in": [*grave(tab.page), *wide(tab.page)]}
    tab.sign_in(lively.admin)
    tab.page.reload()
    for place in PLACES:
        tab.go(place)
        wrong[place] = [*grave(tab.page), *wide(tab.page)]
    found = [f"{place}: {each}" for place, those in wrong.items() for each in those]
    assert not found, "\n".join(found)


def test_the_first_load_is_small(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("401 GET /api/me")
    received = bytes_of(tab)
    tab.page.goto(sandbox.url)
    tab.page.get_by_label("Name").fill(sandbox.admin["name"])
    tab.page.get_by_label("Password").fill(sandbox.admin["password"])
    tab.page.get_by_role("button", name="Sign in").click()
    tab.settled("Overview")
    tab.page.wait_for_load_state("networkidle")
    assert 20_000 < sum(received.values()) <= FIRST_LOAD, received


def bytes_of(tab: Tab) -> dict[str, int]:
    """What comes over the wire from now on, by path: bytes, headers included."""
    devtools = tab.page.context.new_cdp_session(tab.page)
    paths: dict[str, str] = {}
    received: dict[str, int] = {}

    def asked(event: Json) -> None:
        paths[event["requestId"]] = event["request"]["url"]

    def done(event: Json) -> None:
        path = paths[event["requestId"]]
        received[path] = received.get(path, 0) + int(event["encodedDataLength"])

    devtools.on("Network.requestWillBeSent", asked)
    devtools.on("Network.loadingFinished", done)
    devtools.send("Network.enable")
    return received
