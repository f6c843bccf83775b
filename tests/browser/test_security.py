"""What others try with the browser of somebody who is signed in."""

import base64
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenTab
from tests.browser.elsewhere import Elsewhere, elsewhere
from tests.browser.sandbox import ANA, Json, Sandbox, until
from tests.browser.tab import Tab

CONFIG = ""  # a sandbox of its own: what is guessed and what strangers send is left in it


@pytest.fixture
def party() -> Iterator[Elsewhere]:
    with elsewhere() as running:
        yield running


@pytest.fixture
def lured(tab: Tab) -> Page:
    """A page of another party, in the browser where our admin is signed in."""
    return tab.page.context.new_page()


def test_no_script_can_read_the_cookie_and_no_other_site_is_sent_it(tab: Tab) -> None:
    tab.go("overview")
    (cookie,) = tab.page.context.cookies()
    assert cookie["name"] == "terzetto"
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert tab.evaluate("document.cookie") == ""
    kept = tab.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert cookie["value"] not in kept
    assert "tz_" not in kept


# A form may be sent anywhere, with a body that looks like JSON.
FORM = """<form method="post" action="{url}/api/{path}" enctype="text/plain">
<input name='{{"id": "forged", "name": "' value='"}}'></form><script>document.forms[0].submit()</script>"""


@pytest.mark.parametrize("path", ["sign-out", "sessions", "sessions/ana/stop"])
def test_a_form_of_another_port_changes_nothing(
    sandbox: Sandbox, tab: Tab, party: Elsewhere, lured: Page, path: str
) -> None:
    party.show("/form", FORM.format(url=sandbox.url, path=path))
    with lured.expect_navigation(url=f"{sandbox.url}/**") as navigation:
        lured.goto(f"{party.url}/form")
    answer = navigation.value
    # The cookie came along: another port is the same site.
    assert (answer.status, answer.json()["code"]) == (403, "csrf_denied")
    tab.go("overview")
    assert [each["id"] for each in sandbox.call("GET", "/api/sessions")["sessions"]] == ["ana", "budi"]
    assert sandbox.status("ana") == "connected"


def test_a_form_of_another_site_comes_without_the_cookie(
    sandbox: Sandbox, party: Elsewhere, lured: Page
) -> None:
    party.show("/form", FORM.format(url=sandbox.url, path="sessions"))
    with lured.expect_navigation(url=f"{sandbox.url}/**") as navigation:
        lured.goto(f"{party.foreign_url}/form")
    answer = navigation.value
    assert (answer.status, answer.json()["code"]) == (401, "key_missing")


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("fetch(url + '/api/sessions', {credentials: 'include'})", "another's answers"),
        ("fetch(url + '/api/me', {credentials: 'include', headers: {'x-terzetto': '1'}})", "our header"),
    ],
    ids=["read", "header"],
)
def test_a_script_of_another_port_reads_nothing_and_sends_no_header_of_ours(
    sandbox: Sandbox, party: Elsewhere, lured: Page, what: str, wanted: str
) -> None:
    lured.goto(party.url)
    got = lured.evaluate(f"(url) => {what}.then(() => {wanted!r}, (error) => error.name)", sandbox.url)
    assert got == "TypeError"


LISTEN = """(url) => new Promise((done) => {
  const socket = new WebSocket(url.replace("http", "ws") + "/api/ws");
  socket.onopen = () => done("open");
  socket.onclose = () => done("closed");
})"""


def test_a_page_of_another_port_hears_no_events(
    sandbox: Sandbox, tab: Tab, party: Elsewhere, lured: Page
) -> None:
    lured.goto(party.url)
    assert lured.evaluate(LISTEN, sandbox.url) == "closed"
    tab.go("overview")
    assert tab.evaluate(LISTEN, sandbox.url) == "open"


def test_nobody_puts_the_dashboard_into_a_frame(sandbox: Sandbox, party: Elsewhere, lured: Page) -> None:
    frames = f'<iframe name="theirs" src="/"></iframe><iframe name="ours" src="{sandbox.url}/"></iframe>'
    party.show("/frames", frames)
    lured.goto(f"{party.url}/frames")
    expect(lured.frame_locator("[name=theirs]").locator("h1")).to_have_text("Elsewhere")
    (ours,) = [frame for frame in lured.frames if frame.name == "ours"]
    until(lambda: ours.url.startswith("chrome-error:") or ours.query_selector("#app"), "an end of loading")
    assert ours.query_selector("#app") is None


def test_who_guesses_a_password_is_told_to_wait(sandbox: Sandbox, open_tab: OpenTab) -> None:
    user = sandbox.somebody("guessed", "viewer")
    tab = open_tab()
    tab.expect("401 GET /api/me", "401 POST /api/sign-in", "429 POST /api/sign-in")
    tab.page.goto(sandbox.url)
    page = tab.page
    told: list[int] = []
    while len(told) < 12 and 429 not in told:
        page.get_by_label("Name").fill(user["name"])
        page.get_by_label("Password").fill(f"guess {len(told)}")
        with page.expect_response("**/api/sign-in") as answer:
            page.get_by_role("button", name="Sign in").click()
        told.append(answer.value.status)
        expect(page.get_by_role("alert")).to_be_visible()
    assert told[:5] == [401] * 5
    assert told[-1] == 429
    expect(page.get_by_role("alert")).to_contain_text("wait", ignore_case=True)


def hostile(what: str) -> str:
    """Text that would run as a page's part, and tells where it stood."""
    return what + '"><img src=x class=ran onerror="ran=1"><script class=ran>ran=1</script>${ran=1}{{ran=1}}'


PLACES = (
    "overview",
    "sessions",
    "sessions/ana",
    "chats/ana",
    "events",
    "nodes",
    "tree",
    "tree?node=sessions/ana",
    "audit",
    "people",
    "phones",
)
MALLORY = "628110000666"
PDF = base64.b64encode(b"%PDF-1.4\n").decode()


@pytest.fixture(scope="module")
def attacked(sandbox: Sandbox) -> str:
    """What strangers send stands in every field that they may fill; the chat's address."""
    sandbox.phone(MALLORY, hostile("push name"))
    path = f"phones/{MALLORY}/messages"
    sandbox.write(MALLORY, ANA, hostile("text"))
    document: Json = {"kind": "document", "data": PDF, "mimetype": "application/pdf"}
    document |= {"fileName": hostile("file") + ".pdf", "caption": hostile("caption")}
    sandbox.network("POST", path, {"to": ANA, "media": document})
    made = sandbox.network(
        "POST", f"phones/{MALLORY}/groups", {"subject": hostile("subject")[:100], "participants": [ANA]}
    )
    sandbox.write(MALLORY, made["group"], hostile("in the group"))
    poll = {"question": hostile("question"), "options": [hostile("option 1"), hostile("option 2")]}
    sandbox.network("POST", path, {"to": ANA, "poll": poll})
    sandbox.received("ana", hostile("in the group"))
    sandbox.received("ana", hostile("caption"))
    until(lambda: hostile("subject")[:100] in chats(sandbox), "the group's name is known")
    return f"{MALLORY}@s.whatsapp.net"


def chats(sandbox: Sandbox) -> list[str | None]:
    return [each["name"] for each in sandbox.call("GET", "/api/sessions/ana/chats")["chats"]]


@pytest.mark.parametrize("place", [*PLACES, "chat"])
def test_what_strangers_send_is_text_and_never_runs(tab: Tab, attacked: str, place: str) -> None:
    tab.go(f"chats/ana/{attacked}" if place == "chat" else place)
    shown = {
        "chats/ana": ["push name", "subject"],
        "chat": ["push name", "text", "caption", "question", "option 1"],
        "phones": ["push name"],
    }
    for what in shown.get(place, []):
        expect(tab.page.get_by_text(f'{what}"><img src=x').first).to_be_visible()
    if place == "chat":  # what a file may not be called is put right as well
        expect(tab.page.get_by_text("file___img src=x")).to_be_visible()
    assert tab.page.locator(".ran").count() == 0
    assert tab.evaluate("typeof ran") == "undefined"
