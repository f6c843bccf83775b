"""The main job, as it is done at the dashboard: from a new session to a killed process that comes back."""

import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.elsewhere import Elsewhere, elsewhere
from tests.browser.sandbox import ANA, BUDI, Sandbox, until
from tests.browser.tab import Tab
from tests.whole.processes import descendants

# What is not delivered is tried again at once, and given up soon.
CONFIG = """
[session]
per_minute = 1000
burst = 1000

[webhooks]
backoff = { min = 0.1, max = 0.2, factor = 2, jitter = 0.2 }
give_up_after = 1
circuit_failures = 1000
"""


@pytest.fixture
def receiver() -> Iterator[Elsewhere]:
    with elsewhere() as running:
        yield running


def test_a_session_is_made_its_key_shown_once_and_a_phone_linked(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    tab.expect("409 GET /api/sessions/citra/qr")  # the first code takes a moment
    sandbox.phone("628110000003", "Citra")
    tab.go("sessions", "Sessions")
    page.get_by_role("button", name="New session").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Citra's shop")
    dialog.get_by_label("Id", exact=True).fill("citra")
    dialog.get_by_role("button", name="Create").click()
    key = dialog.get_by_label("API key").inner_text()
    page.get_by_role("button", name="link a phone").click()

    tab.settled("Citra's shop")
    expect(page.get_by_alt_text("QR code")).to_be_visible()
    assert sandbox.http.get("/api/session/status", headers={"x-api-key": key}).status_code == 200
    tab.go("phones", "Simulated phones")
    page.get_by_label("The phone that scans Citra's shop").select_option("628110000003")
    page.get_by_role("button", name="Scan", exact=True).click()
    tab.go("sessions/citra/pairing")
    expect(page.get_by_text("The phone is linked")).to_be_visible(timeout=20_000)
    assert sandbox.status("citra") == "connected"

    # It stood there once: nothing that the page can ask for has it.
    page.reload()
    tab.settled("Citra's shop")
    tab.go("sessions/citra/keys")
    expect(page.get_by_role("row", name=re.compile(key[:8]))).to_be_visible()
    expect(page.get_by_text(key)).to_have_count(0)


def test_chats_are_live_both_ways(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    tab.expect("404 GET /api/sessions/ana/chats/*")  # there is no such chat yet
    tab.go(f"chats/ana/{BUDI}@s.whatsapp.net")
    box = page.get_by_label("Message", exact=True)
    box.fill("Is the blue one still there?")
    box.press("Enter")
    sent = page.get_by_role("article").filter(has_text="Is the blue one still there?")
    expect(sent).to_be_visible()
    expect(sent.get_by_text(re.compile("delivered|read"))).to_be_visible(timeout=20_000)
    sandbox.received("budi", "Is the blue one still there?")

    # Nobody asks for it anew: it appears.
    answer = {"phone": ANA, "message": "The last one, yes"}
    sandbox.call("POST", "/api/sessions/budi/messages/text", answer)
    expect(page.get_by_role("article").filter(has_text="The last one, yes")).to_be_visible(timeout=20_000)


def test_a_webhook_is_added_and_delivers(sandbox: Sandbox, tab: Tab, receiver: Elsewhere) -> None:
    page = tab.page
    tab.go("sessions/ana/webhooks", "Ana")
    page.get_by_role("button", name="Add a webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("URL").fill(f"{receiver.url}/hook")
    dialog.get_by_role("button", name="Add a webhook").click()
    expect(page.get_by_role("dialog").get_by_label("The secret")).to_contain_text("whsec_")
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_text("whsec_")).to_have_count(0)

    sandbox.call("POST", "/api/sessions/budi/messages/text", {"phone": ANA, "message": "for the webhook"})
    page.get_by_role("link", name=f"{receiver.url}/hook").click()
    delivered = page.get_by_role("row", name=re.compile("messages.upsert.*delivered.*200"))
    expect(delivered.first).to_be_visible(timeout=20_000)
    heard = [each for each in receiver.posted if each["event"] == "messages.upsert"]
    assert [each["data"]["message"]["conversation"] for each in heard] == ["for the webhook"]


def test_a_dead_letter_is_sent_again(sandbox: Sandbox, tab: Tab, receiver: Elsewhere) -> None:
    page = tab.page
    receiver.answer = 500
    made = sandbox.call(
        "POST", "/api/sessions/budi/webhooks", {"url": f"{receiver.url}/ill", "events": ["messages.upsert"]}
    )
    sandbox.call("POST", "/api/sessions/ana/messages/text", {"phone": BUDI, "message": "undeliverable"})
    tab.go(f"sessions/budi/webhooks/{made['webhook']['id']}", "Budi")
    dead = page.get_by_role("row", name=re.compile("dead letter.*500"))
    expect(dead).to_be_visible(timeout=20_000)
    receiver.answer = 200
    before = len(receiver.posted)
    dead.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("row", name=re.compile("messages.upsert.*delivered"))).to_be_visible()
    assert len(receiver.posted) == before + 1
    assert receiver.posted[-1]["data"]["message"]["conversation"] == "undeliverable"


def test_a_killed_process_is_seen_to_come_back(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    tab.go("tree", "Supervision tree")
    (cell,) = {each["cell"] for each in statuses(sandbox) if each["id"] == "ana"}
    line = page.get_by_role("treeitem", name=re.compile(rf"^{cell}, running"))
    expect(line).to_contain_text("pid ")
    before = int(re.findall(r"pid (\d+)", line.inner_text())[0])
    assert before in descendants(sandbox.program.process.pid)
    os.kill(before, signal.SIGKILL)

    expect(line.get_by_text("↻ 1")).to_be_visible(timeout=20_000)
    expect(line).to_contain_text("pid ")
    after = int(re.findall(r"pid (\d+)", line.inner_text())[0])
    assert after != before
    ana = page.get_by_role("treeitem", name=re.compile(r"^ana, running"))
    expect(ana).to_be_visible(timeout=20_000)
    until(lambda: sandbox.status("ana") == "connected", "ana is connected again")


def statuses(sandbox: Sandbox) -> list[dict[str, str]]:
    sessions = sandbox.call("GET", "/api/sessions")["sessions"]
    return [
        {**sandbox.call("GET", f"/api/sessions/{each['id']}/status"), "id": each["id"]} for each in sessions
    ]


def test_a_rotated_key_is_refused_after_its_grace(sandbox: Sandbox, tab: Tab) -> None:
    page = tab.page
    old = {"x-api-key": sandbox.session_key("budi")}
    asked = "/api/session/status"
    tab.go("sessions/budi/keys", "Budi")
    page.get_by_role("button", name="Rotate: ").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("The old key is good").fill("3")
    dialog.get_by_role("button", name="Rotate").click()
    new = {"x-api-key": dialog.get_by_label("API key").inner_text()}
    assert new != old
    assert sandbox.http.get(asked, headers=old).status_code == 200
    assert sandbox.http.get(asked, headers=new).status_code == 200
    dialog.get_by_role("button", name="Done").click()
    until(lambda: sandbox.http.get(asked, headers=old).status_code == 401, "the old key is refused")
    assert sandbox.http.get(asked, headers=new).status_code == 200
    page.reload()
    expect(page.get_by_role("row", name=re.compile(rf"{old['x-api-key'][:8]}.*revoked"))).to_be_visible()
