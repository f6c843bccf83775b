"""Signing in, the frame round every page, roles, two languages, and all of it by keyboard."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import Json, Sandbox
from tests.browser.tab import Tab
from tests.whole.processes import ROOT

PAGES = ["overview", "sessions", "chats", "events", "nodes", "tree", "audit", "people", "phones"]
FILES = ROOT / "api" / "pages" / "dashboard"


def shown_in_menu(page: Page) -> list[str]:
    links = page.locator("nav#nav > a")
    return [str(link.get_attribute("href")).removeprefix("#/") for link in links.all()]


def enter(page: Page, user: Json) -> None:
    page.get_by_label("Name").fill(user["name"])
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Sign in").click()


# --- in and out ---------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_and_the_right_one_lets_in(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("401 GET /api/me", "401 POST /api/sign-in")
    page = tab.page
    page.goto(sandbox.url)
    enter(page, {**sandbox.admin, "password": "wrong"})
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_editable()
    enter(page, sandbox.admin)
    tab.settled("Overview")


def test_who_signs_out_is_out_in_every_tab_and_for_good(sandbox: Sandbox, tab: Tab) -> None:
    tab.expect("401 GET /api/*")
    tab.go("sessions", "Sessions")
    other = Tab.of(tab.page.context, sandbox.url)
    other.go("sessions", "Sessions")
    (cookie,) = tab.page.context.cookies()
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("Password")).to_be_visible()
    other.page.evaluate("location.hash = '#/audit'")
    expect(other.page.get_by_label("Password")).to_be_visible()
    # Nor is what somebody copied good for anything.
    kept = {"cookie": f"terzetto={cookie['value']}"}
    assert tab.page.context.request.get(f"{sandbox.url}/api/me", headers=kept).status == 401


def test_who_is_removed_meanwhile_comes_to_the_sign_in(sandbox: Sandbox, open_tab: OpenTab) -> None:
    user = sandbox.somebody("leaver", "operator")
    tab = open_tab(user)
    tab.expect("401 *")
    tab.go("sessions", "Sessions")
    (row,) = [each for each in sandbox.call("GET", "/api/users")["users"] if each["name"] == "leaver"]
    sandbox.call("DELETE", f"/api/users/{row['id']}")
    tab.page.evaluate("location.hash = '#/audit'")
    expect(tab.page.get_by_label("Password")).to_be_visible()


# --- roles --------------------------------------------------------------------------------------------------

VIEWERS = ["overview", "sessions", "chats", "events"]
OPERATORS = ["overview", "sessions", "nodes", "tree", "audit"]
BODIES = ("chats", "messages", "events", "contacts")


def asked(tab: Tab, path: str) -> int:
    """The status of an answer to the page's own script, which has the cookie."""
    return int(tab.evaluate("async (path) => (await fetch(path)).status", path))


def test_an_admin_has_every_page(tab: Tab) -> None:
    tab.go("overview", "Overview")
    assert shown_in_menu(tab.page) == PAGES


def test_an_operator_steers_and_sees_no_chat(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(sandbox.somebody("opal", "operator"))
    tab.expect("403 GET /api/*")
    tab.go("overview", "Overview")
    assert shown_in_menu(tab.page) == OPERATORS
    for place in ("chats", "chats/ana", "events", "people"):
        tab.go(place, "There is nothing here")
    for path in BODIES:
        assert asked(tab, f"/api/sessions/ana/{path}") == 403
    assert asked(tab, "/api/events") == 403
    assert asked(tab, "/api/tree") == 200
    tab.go("sessions/ana")
    expect(tab.page.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    links = tab.page.get_by_role("main").get_by_role("link").all()
    assert [link.get_attribute("href") for link in links if "chats" in str(link.get_attribute("href"))] == []


def test_a_viewer_sees_the_sessions_that_are_theirs(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(sandbox.somebody("vera", "viewer", sessions=["ana"]))
    tab.expect("403 GET /api/*", "404 GET /api/*")
    tab.go("overview", "Overview")
    assert shown_in_menu(tab.page) == VIEWERS
    tab.go("sessions", "Sessions")
    expect(tab.page.get_by_role("link", name="Ana", exact=True)).to_be_visible()
    expect(tab.page.get_by_text("Budi")).to_have_count(0)
    expect(tab.page.get_by_role("button", name=re.compile("create|new", re.IGNORECASE))).to_have_count(0)
    for path in BODIES:
        assert asked(tab, f"/api/sessions/ana/{path}") == 200
        assert asked(tab, f"/api/sessions/budi/{path}") == 403
    assert asked(tab, "/api/tree") == 403
    for place in ("nodes", "tree", "audit", "people", "phones"):
        tab.go(place, "There is nothing here")


# --- by keyboard --------------------------------------------------------------------------------------------


def focused(page: Page) -> str:
    """What has the focus, as it is read out."""
    return str(
        page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()")
    )


def test_one_signs_in_and_walks_round_without_a_mouse(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("401 GET /api/me")
    page = tab.page
    page.goto(sandbox.url)
    expect(page.get_by_label("Name")).to_be_visible()
    while focused(page) != "Name":
        page.keyboard.press("Tab")
    page.keyboard.type(sandbox.admin["name"])
    page.keyboard.press("Tab")
    assert focused(page) == "Password"
    page.keyboard.type(sandbox.admin["password"])
    page.keyboard.press("Enter")
    tab.settled("Overview")

    # The first stop of all leads past the menu.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert focused(page) == "To the content"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert focused(page) == "Overview"

    # The menu's links lead to the pages, whose heading is where one goes on.
    page.get_by_role("link", name="Sessions", exact=True).focus()
    page.keyboard.press("Enter")
    tab.settled("Sessions")
    expect(page.locator("#content h1")).to_be_focused()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(focused(page))
    assert {"Ana", "Budi"} <= reached


# --- on a phone ---------------------------------------------------------------------------------------------


def test_on_a_phone_the_menu_opens_and_goes(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(sandbox.admin, viewport={"width": 360, "height": 740}, has_touch=True)
    page = tab.page
    tab.go("overview", "Overview")
    menu = page.get_by_role("button", name="Menu")
    expect(page.locator("nav#nav")).to_be_hidden()
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.tap()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Sessions", exact=True).tap()
    tab.settled("Sessions")
    expect(page.locator("nav#nav")).to_be_hidden()


# --- languages and colours ----------------------------------------------------------------------------------


def test_spanish_is_chosen_at_once_and_kept(tab: Tab) -> None:
    page = tab.page
    tab.go("sessions", "Sessions")
    page.get_by_label("Language").select_option("es")
    tab.settled("Sesiones")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.reload()
    tab.settled("Sesiones")
    expect(page.get_by_role("link", name="Árbol de supervisión")).to_be_visible()
    expect(page.get_by_role("button", name="Salir")).to_be_visible()


def test_a_spanish_browser_is_met_in_spanish(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(locale="es-MX")
    tab.expect("401 GET /api/me")
    tab.page.goto(sandbox.url)
    expect(tab.page.get_by_role("button", name="Entrar")).to_be_visible()


def test_dark_is_chosen_at_once_and_kept(tab: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.go("overview", "Overview")
    light = tab.evaluate(ground)
    tab.page.get_by_label("Colours").select_option("dark")
    dark = tab.evaluate(ground)
    assert dark != light
    tab.page.reload()
    tab.settled("Overview")
    assert tab.evaluate(ground) == dark


WORDS = "async (file) => Object.values(await import(`/ui/${file}`))[0]"
SLOT = re.compile(r"\{\w+\}")


def words_of(page: Page, file: Path) -> dict[str, Any]:
    return dict(page.evaluate(WORDS, str(file.relative_to(FILES))))


def test_every_word_is_there_in_both_languages_with_the_same_blanks(tab: Tab) -> None:
    tab.go("overview")
    shared = [words_of(tab.page, FILES / "words" / f"{name}.js") for name in ("en", "es")]
    own = [words_of(tab.page, file) for file in sorted(FILES.glob("pages/**/*.words.js"))]
    for en, es in [shared, *((each["en"], each["es"]) for each in own)]:
        assert sorted(en) == sorted(es)
        for key, text in en.items():
            assert sorted(SLOT.findall(text)) == sorted(SLOT.findall(es[key])), key


def test_every_word_that_a_page_says_is_there(tab: Tab) -> None:
    tab.go("overview")
    shared = set(words_of(tab.page, FILES / "words" / "en.js"))
    for file in sorted(FILES.glob("p*/**/*.js")):
        text = file.read_text()
        # A part of a page may be handed the page's own words.
        sources = {file.parent.with_suffix(".words.js")}
        sources |= {
            (file.parent / source).resolve() for source in re.findall(r'from "(\.[^"]*\.words\.js)"', text)
        }
        known = shared.union(*(words_of(tab.page, each)["en"] for each in sources if each.exists()))
        said = set(re.findall(r'\bt\("([^"]+)"', text))
        assert said - known == set(), file.relative_to(FILES)


@pytest.mark.parametrize("place", PAGES)
def test_each_page_has_a_heading_a_title_and_does_no_wrong(tab: Tab, place: str) -> None:
    tab.go(place)
    heading = tab.page.locator("#content h1").inner_text()
    expect(tab.page).to_have_title(f"{heading} · Terzetto")
    here = tab.page.locator("nav#nav > a[aria-current=page]")
    expect(here).to_have_attribute("href", f"#/{place}")
