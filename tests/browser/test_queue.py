"""What a session has yet to send, looked at and changed in the browser."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.sandbox import BUDI, Json, Sandbox, until
from tests.browser.tab import Tab


@pytest.fixture(scope="module", autouse=True)
def slow(sandbox: Sandbox) -> None:
    """Ana sends a message a minute."""
    sandbox.call("PATCH", "/api/sessions/ana", {"limits": {"perMinute": 1, "burst": 1}})


def schedule(sandbox: Sandbox, message: str) -> Json:
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    draft = {"phone": BUDI, "message": message, "sendAt": at}
    return sandbox.call("POST", "/api/sessions/ana/messages/text", draft)


def card(tab: Tab, title: str) -> Locator:
    heading = tab.page.get_by_role("heading", name=title)
    return tab.page.locator("section.card").filter(has=heading)


def batch_of(sandbox: Sandbox, batch_id: str) -> dict[str, Any]:
    return sandbox.call("GET", f"/api/sessions/ana/batches/{batch_id}")


def test_a_scheduled_message_is_reworded_put_off_and_called_off(sandbox: Sandbox, tab: Tab) -> None:
    schedule(sandbox, "the first wording")
    tab.go("sessions/ana/queue", "Ana")
    row = card(tab, "Scheduled").get_by_role("row").filter(has_text="the first wording")
    row.get_by_role("button", name="Edit").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Text").fill("a better wording")
    dialog.get_by_label("Sent at").fill("2030-01-02T03:04:05")
    dialog.get_by_role("button", name="Save").click()
    row = card(tab, "Scheduled").get_by_role("row").filter(has_text="a better wording")
    expect(row).to_contain_text("2030")
    (stored,) = sandbox.call("GET", "/api/sessions/ana/scheduled")["messages"]
    assert stored["text"] == "a better wording"
    there = tab.evaluate("new Date('2030-01-02T03:04:05').toISOString()")
    assert stored["sendAt"] == there

    row.get_by_role("button", name="Call off").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Call off").click()
    expect(row).to_have_count(0)
    assert sandbox.call("GET", "/api/sessions/ana/scheduled")["messages"] == []


def test_a_batch_is_held_back_and_called_off(sandbox: Sandbox, tab: Tab) -> None:
    items = [{"type": "text", "phone": BUDI, "message": f"item {n}"} for n in range(20)]
    batch = sandbox.call("POST", "/api/sessions/ana/messages/batch", {"items": items})["batchId"]
    tab.go("sessions/ana/queue", "Ana")
    row = card(tab, "Batches").get_by_role("row").filter(has_text=batch)
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    assert batch_of(sandbox, batch)["state"] == "paused"
    row.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("running")
    row.get_by_role("button", name="Call off").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Call off").click()
    expect(row).to_contain_text("called off")
    until(lambda: batch_of(sandbox, batch)["counts"]["queued"] == 0, "nothing of the batch waits")


def test_nothing_that_waits_is_sent_after_cancel_all(sandbox: Sandbox, tab: Tab) -> None:
    for number in range(3):
        schedule(sandbox, f"never sent {number}")
    tab.go("sessions/ana/queue", "Ana")
    expect(card(tab, "Waiting to be sent")).to_contain_text("never sent 2")
    tab.page.get_by_role("button", name="Cancel all").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Cancel all").click()
    expect(tab.page.get_by_text("Nothing waits.")).to_be_visible()
    assert sandbox.call("GET", "/api/sessions/ana/queue")["queued"] == 0
