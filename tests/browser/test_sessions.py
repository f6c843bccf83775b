"""Sessions in the browser: found, seen live, linked by a typed code, changed, and taken away."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import Sandbox
from tests.browser.tab import Tab

DEWI = "628110000051"


def test_what_is_looked_for_stays_in_the_address(tab: Tab) -> None:
    page = tab.page
    tab.go("sessions", "Sessions")
    search = page.get_by_role("searchbox")
    search.press_sequentially("bud")
    expect(page.get_by_role("link", name="Budi")).to_be_visible()
    expect(page.get_by_role("link", name="Ana")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"#/sessions\?q=bud$"))
    expect(search).to_be_focused()
    page.get_by_label("Status").select_option("stopped")
    expect(page.get_by_text("No such session")).to_be_visible()
    page.reload()
    tab.settled("Sessions")
    expect(search).to_have_value("bud")
    expect(page.get_by_label("Status")).to_have_value("stopped")


def test_the_list_follows_what_happens_elsewhere(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    tab.go("sessions", "Sessions")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    budi = page.get_by_role("row").filter(has=page.get_by_role("link", name="Budi"))
    expect(budi).to_contain_text("connected")
    sandbox.call("POST", "/api/sessions/budi/stop")
    expect(budi).to_contain_text("stopped")
    page.get_by_label("Status").select_option("stopped")
    expect(budi).to_be_visible()
    sandbox.call("POST", "/api/sessions/budi/start")
    expect(budi).to_have_count(0)
    sandbox.call("POST", "/api/sessions", {"id": "new", "name": "Newcomer", "start": False})
    expect(page.get_by_role("link", name="Newcomer")).to_be_visible()


def test_a_phone_is_linked_by_a_typed_code_and_the_session_deleted(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    sandbox.phone(DEWI, "Dewi")
    sandbox.call("POST", "/api/sessions", {"id": "dewi", "name": "Dewi's stall", "start": False})
    tab.go("sessions/dewi/pairing", "Dewi's stall")
    page.get_by_label("The phone's number").fill(f"+{DEWI[:2]} {DEWI[2:5]}-{DEWI[5:]}")
    page.get_by_role("button", name="Get a code").click()
    code = page.locator("output")
    expect(code).to_have_text(re.compile("^[0-9A-Z]{4}-[0-9A-Z]{4}$"), timeout=60_000)
    sandbox.network("POST", f"phones/{DEWI}/enter-code", {"code": code.inner_text()})
    expect(page.get_by_role("heading", name="The phone is linked")).to_be_visible(timeout=20_000)

    tab.go("sessions/dewi", "Dewi's stall")
    states = page.locator(".timeline li")
    expect(states.first).to_contain_text("connected")
    expect(states.last).to_contain_text("stopped")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_label("Type dewi to confirm").fill("dewi")
    dialog.get_by_role("button", name="Delete").click()
    tab.settled("Sessions")
    assert "dewi" not in {each["id"] for each in sandbox.call("GET", "/api/sessions")["sessions"]}


def test_only_what_was_changed_is_sent(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    sandbox.call("PATCH", "/api/sessions/ana", {"proxy": "http://u:p@127.0.0.1:9", "limits": {"burst": 7}})
    sent: list[object] = []
    page.on("request", lambda asked: sent.append(asked.post_data_json) if asked.method == "PATCH" else None)
    tab.expect("400 PATCH /api/sessions/ana")
    tab.go("sessions/ana/settings", "Ana")
    expect(page.get_by_label("Proxy")).to_have_value("http://127.0.0.1:9")
    page.get_by_label("Messages a minute").fill("0")
    page.get_by_label("Metadata").fill("{no JSON")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This is not JSON.")).to_be_visible()
    page.get_by_label("Metadata").fill('{"shop": 3}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("expected a whole number from 1")).to_be_visible()
    page.get_by_label("Messages a minute").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert sent[-1] == {"metadata": {"shop": 3}, "limits": {"perMinute": 30, "burst": 7}}
    page.get_by_label("Proxy").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The proxy counts from the next start.")).to_be_visible()
    assert sent[-1] == {"proxy": None}


def test_who_may_not_is_not_offered_it(sandbox: Sandbox, open_tab: OpenTab) -> None:
    viewer = open_tab(sandbox.somebody("vera", "viewer", sessions=["ana"]))
    viewer.go("sessions", "Sessions")
    expect(viewer.page.locator("tbody tr")).to_have_count(1)
    expect(viewer.page.get_by_role("button", name="New session")).to_have_count(0)
    viewer.go("sessions/ana", "Ana")
    assert tabs_of(viewer) == ["Overview", "Webhooks", "Queue", "Health"]
    expect(viewer.page.locator("#content button")).to_have_count(0)

    operator = open_tab(sandbox.somebody("olga", "operator"))
    operator.go("sessions/ana", "Ana")
    assert tabs_of(operator) == ["Overview", "Pairing", "Health"]
    acts = operator.page.locator("#content button").all_inner_texts()
    assert [each.strip() for each in acts] == ["Restart", "Stop", "Log out"]


def tabs_of(tab: Tab) -> list[str]:
    return tab.page.get_by_role("navigation", name="Session").get_by_role("link").all_inner_texts()
