"""The overview: well when it is, and what is wrong first when it is not."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import ANA, BUDI, Sandbox
from tests.browser.tab import Tab

CONFIG = ""  # a sandbox of its own: all is well in it at first


def test_all_is_well_until_it_is_not_and_each_thing_leads_to_where_one_can_act(
    sandbox: Sandbox, tab: Tab
) -> None:
    tab.go("overview", "Overview")
    page = tab.page
    expect(page.get_by_text("All is well")).to_be_visible()
    sandbox.call("POST", "/api/loopback/actors/budi/crash")
    sandbox.network("POST", f"phones/{ANA}/unlink", {})
    wrong = page.get_by_role("region", name="This needs a look")
    expect(wrong.get_by_role("listitem")).to_have_count(2)
    expect(wrong.get_by_role("listitem").first).to_contain_text("Ana is logged out")
    expect(wrong.get_by_role("listitem").last).to_contain_text("sessions/budi crashed")
    expect(page.get_by_text("All is well")).to_have_count(0)
    wrong.get_by_role("link", name="Ana is logged out").click()
    expect(page).to_have_url(f"{sandbox.url}/#/sessions/ana/pairing")
    page.go_back()
    wrong.get_by_role("link", name="sessions/budi crashed").click()
    expect(page).to_have_url(f"{sandbox.url}/#/tree?node=sessions%2Fbudi")


def test_messages_are_counted_as_they_come(sandbox: Sandbox, tab: Tab) -> None:
    sandbox.phone("628110000041", "Citra")
    tab.go("overview", "Overview")
    received = tab.page.locator(".figures div", has_text="received").locator("b")
    before = int(received.inner_text())
    for number in range(3):
        sandbox.write("628110000041", BUDI, f"message {number}")
    expect(received).to_have_text(str(before + 3))


def test_a_viewer_sees_their_sessions_and_nothing_of_the_gateway(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(sandbox.somebody("seer", "viewer", sessions=["budi"]))
    tab.go("overview", "Overview")
    sessions = tab.page.locator("section", has=tab.page.get_by_role("heading", name="Sessions"))
    expect(sessions.get_by_role("listitem")).to_have_count(1)
    expect(tab.page.get_by_text("Database")).to_have_count(0)
    expect(tab.page.get_by_role("heading", name="Cells")).to_have_count(0)
