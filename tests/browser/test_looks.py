"""What pages are to who sees little, has a small screen or a slow line: axe-core's rules, widths, bytes."""

import pytest
from axe_playwright_python.sync_playwright import DEFAULT_OPTIONS, Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenTab
from tests.browser.lively import CITRA, make_lively
from tests.browser.sandbox import Json, Sandbox
from tests.browser.tab import Tab

CONFIG = ""  # a sandbox of its own: what its pages show is said in lively.py, and nothing else

FIRST_LOAD = 150_000  # bytes over the wire, from the sign-in to the overview

WIDTHS = (1280, 390)
PLACES = [
    "overview",
    "sessions",
    "sessions/ana",
    "sessions/citra/pairing",
    "sessions/ana/webhooks",
    "sessions/ana/queue",
    "sessions/ana/settings",
    "sessions/ana/keys",
    "sessions/ana/health",
    "chats",
    f"chats/ana/{CITRA}@s.whatsapp.net",
    "events",
    "nodes",
    "tree",
    "tree?node=sessions/ana",
    "tree/dead-letters",
    "audit",
    "people",
    "phones",
    "account",
]
DIALOGS = [
    ("sessions", "New session"),
    ("sessions/ana/webhooks", "Add a webhook"),
    ("sessions/ana/keys", "New key"),
]


@pytest.fixture(scope="module")
def lively(sandbox: Sandbox) -> Sandbox:
    make_lively(sandbox)
    return sandbox


COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}


def grave(page: Page, options: Json | None = None) -> list[str]:
    """What axe-core finds serious or critical on a page."""
    found: list[Json] = Axe().run(page, options=options or DEFAULT_OPTIONS).response["violations"]
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


def in_every_look(page: Page) -> list[str]:
    """What is wrong with what is shown now, wide and narrow, light and dark."""
    found: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="light")
        found += [f"{width}: {each}" for each in (*grave(page), *wide(page))]
        page.emulate_media(color_scheme="dark")  # which changes colours, and nothing else
        found += [f"{width}, dark: {each}" for each in grave(page, COLOURS)]
    return found


@pytest.fixture
def bare(open_tab: OpenTab) -> Tab:
    """A tab without the policy, which would keep out axe-core as it does any other's script."""
    return open_tab(bypass_csp=True)


def test_the_sign_in_keeps_nobody_out(lively: Sandbox, bare: Tab) -> None:
    bare.expect("401 GET /api/me")
    bare.page.goto(lively.url)
    expect(bare.page.get_by_label("Password")).to_be_visible()
    found = in_every_look(bare.page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", PLACES)
def test_no_page_keeps_anybody_out(lively: Sandbox, bare: Tab, place: str) -> None:
    bare.sign_in(lively.admin)
    bare.go(place)
    found = in_every_look(bare.page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("place", "button"), DIALOGS)
def test_no_dialog_keeps_anybody_out(lively: Sandbox, bare: Tab, place: str, button: str) -> None:
    bare.sign_in(lively.admin)
    bare.go(place)
    bare.page.get_by_role("button", name=button).click()
    expect(bare.page.get_by_role("dialog")).to_be_visible()
    found = in_every_look(bare.page)
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
