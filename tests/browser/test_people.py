"""Users, one's own password and the record of what was done, in the browser."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import Sandbox
from tests.browser.tab import Tab


def test_a_viewer_is_made_and_reads_the_sessions_that_were_ticked(
    sandbox: Sandbox, tab: Tab, open_tab: OpenTab
) -> None:
    page = tab.page
    tab.expect("400 POST /api/users")
    tab.go("people", "People")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("not a name")
    dialog.get_by_label("Password").fill("far too good a password")
    dialog.get_by_role("checkbox", name="Budi (budi)").check()
    dialog.get_by_role("button", name="Add a user").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_label("Name")).to_have_accessible_description(re.compile("^expected 1 to 64"))
    dialog.get_by_label("Name").fill("vera")
    dialog.get_by_role("button", name="Add a user").click()
    row = page.get_by_role("row").filter(has_text="vera")
    expect(row).to_contain_text("viewer")
    expect(row).to_contain_text("budi")

    vera = open_tab({"name": "vera", "password": "far too good a password"})
    vera.go("sessions", "Sessions")
    expect(vera.page.get_by_role("link", name="Budi")).to_be_visible()
    expect(vera.page.get_by_role("link", name="Ana")).to_have_count(0)
    vera.go("sessions/budi/webhooks", "Budi")
    expect(vera.page.get_by_role("button", name="Add a webhook")).to_have_count(0)


def test_who_is_disabled_is_out_and_the_last_admin_cannot_be(
    sandbox: Sandbox, tab: Tab, open_tab: OpenTab
) -> None:
    page = tab.page
    otto = open_tab(sandbox.somebody("otto", "operator"))
    otto.expect("401 GET *")
    otto.go("audit", "Audit")
    tab.go("people", "People")
    page.get_by_role("row").filter(has_text="otto").get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("row").filter(has_text="otto")).to_contain_text("disabled")
    otto.page.get_by_role("button", name="Look again").click()
    expect(otto.page.get_by_label("Password")).to_be_visible()

    tab.expect("409 PATCH /api/users/*")
    page.get_by_role("row").filter(has_text="(you)").get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()


def test_a_new_password_of_ones_own_ends_the_other_sign_ins(sandbox: Sandbox, open_tab: OpenTab) -> None:
    user = sandbox.somebody("paula", "operator")
    here, there = open_tab(user), open_tab(user)
    there.expect("401 GET *")
    there.go("audit", "Audit")
    here.go("account", "My account")
    here.page.get_by_label("Your password now").fill(user["password"])
    here.page.get_by_label("New password").fill("a wholly new password")
    here.page.get_by_label("Once more").fill("a wholly new password")
    here.page.get_by_role("button", name="Change the password").click()
    expect(here.page.get_by_text("The password was changed")).to_be_visible()
    expect(here.page.get_by_label("Your password now")).to_have_value("")
    here.go("audit", "Audit")  # still signed in
    there.page.get_by_role("button", name="Look again").click()
    expect(there.page.get_by_label("Password")).to_be_visible()


def test_the_audit_record_is_narrowed_to_one_target(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    sandbox.call("PATCH", "/api/sessions/ana", {"name": "Ana"})
    sandbox.call("PATCH", "/api/sessions/budi", {"name": "Budi"})
    updates = sandbox.call("GET", "/api/audit", action="session.update", limit="500")["entries"]
    of_budi = [each for each in updates if each["target"] == "budi"]
    assert 0 < len(of_budi) < len(updates)
    tab.go("audit", "Audit")
    page.get_by_role("combobox", name="What").select_option("session.update")
    table = page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(1 + len(updates))
    table.get_by_role("link", name="budi").first.click()
    expect(table.get_by_role("row")).to_have_count(1 + len(of_budi))
    expect(page.get_by_role("searchbox", name="To what")).to_have_value("budi")
    expect(table).to_contain_text("done")
