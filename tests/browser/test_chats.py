"""Conversations as they are read, written in and searched, in the browser."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenTab
from tests.browser.sandbox import ANA, Sandbox, until
from tests.browser.tab import Tab

CITRA = "628110000021"
PLACE = f"chats/ana/{CITRA}@s.whatsapp.net"


@pytest.fixture(scope="module", autouse=True)
def citra(sandbox: Sandbox) -> None:
    """Somebody who has written to `ana` once."""
    sandbox.phone(CITRA, "Citra")
    sandbox.write(CITRA, ANA, "the very first words")
    sandbox.received("ana", "the very first words")


def said(tab: Tab, text: str) -> Locator:
    return tab.page.get_by_role("article").filter(has_text=text)


def write(tab: Tab, text: str) -> None:
    box = tab.page.get_by_label("Message", exact=True)
    box.fill(text)
    box.press("Enter")


def test_receipts_reactions_edits_and_deletions_appear_by_themselves(sandbox: Sandbox, tab: Tab) -> None:
    tab.go(PLACE, "Chats")
    write(tab, "have you seen it?")
    mine = said(tab, "have you seen it?")
    expect(mine).to_contain_text("✓✓ delivered", timeout=20_000)
    page = sandbox.call("GET", "/api/sessions/ana/messages", q="seen it", fromMe="true")
    (message_id,) = [each["messageId"] for each in page["messages"]]
    sandbox.network("POST", f"phones/{CITRA}/messages/{message_id}/read", {})
    expect(mine).to_contain_text("✓✓ read", timeout=20_000)
    sandbox.network("POST", f"phones/{CITRA}/reactions", {"messageId": message_id, "emoji": "👍"})
    expect(mine.get_by_role("list", name="Reactions")).to_contain_text("👍", timeout=20_000)

    theirs = sandbox.write(CITRA, ANA, "yes, of cuorse")
    expect(said(tab, "yes, of cuorse")).to_be_visible(timeout=20_000)
    sandbox.network("POST", f"phones/{CITRA}/edits", {"messageId": theirs, "message": "yes, of course"})
    expect(said(tab, "yes, of course").get_by_text("edited")).to_be_visible(timeout=20_000)
    sandbox.network("POST", f"phones/{CITRA}/revocations", {"messageId": theirs})
    expect(said(tab, "This message was deleted")).to_be_visible(timeout=20_000)
    expect(said(tab, "yes, of course")).to_have_count(0)

    # And they are there still when one comes back.
    tab.page.reload()
    tab.settled()
    expect(mine.get_by_role("list", name="Reactions")).to_contain_text("👍", timeout=20_000)


def test_an_answer_quotes_and_leads_to_what_it_answers(sandbox: Sandbox, tab: Tab) -> None:
    sandbox.write(CITRA, ANA, "which of the two?")
    tab.go(PLACE, "Chats")
    said(tab, "which of the two?").get_by_role("button", name="Reply").click()
    write(tab, "the blue one")
    answer = said(tab, "the blue one")
    expect(answer.get_by_role("button", name=re.compile("which of the two"))).to_be_visible(timeout=20_000)
    until(lambda: "the blue one" in sandbox.texts(CITRA), "the answer has arrived")
    answer.get_by_role("button", name=re.compile("which of the two")).click()
    expect(said(tab, "which of the two?").first).to_be_focused()


def test_a_file_is_sent_and_shown_and_one_that_is_none_can_go_as_a_document(
    sandbox: Sandbox, tab: Tab, tmp_path: Path
) -> None:
    tab.expect("415 POST /api/sessions/ana/messages/image")
    Image.new("RGB", (320, 200), "#2a78c4").save(tmp_path / "blue.png")
    (tmp_path / "broken.png").write_bytes(b"no picture at all")
    tab.go(PLACE, "Chats")
    page = tab.page
    page.locator("input[type=file]").set_input_files(tmp_path / "blue.png")
    page.get_by_label("Caption").fill("all blue")
    page.get_by_role("button", name="Send", exact=True).click()
    picture = said(tab, "all blue").get_by_role("img", name="all blue")
    expect(picture).to_be_visible(timeout=20_000)
    until(lambda: picture.evaluate("(image) => image.naturalWidth") == 320, "the picture is loaded")

    page.locator("input[type=file]").set_input_files(tmp_path / "broken.png")
    page.get_by_role("button", name="Send", exact=True).click()
    refused = said(tab, "Not sent")
    expect(refused).to_be_visible(timeout=20_000)
    refused.get_by_role("button", name="Send as a document").click()
    expect(refused).to_have_count(0, timeout=20_000)
    with page.expect_download() as download:
        said(tab, "broken.png").get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == b"no picture at all"


def test_what_could_not_be_sent_is_sent_once_when_tried_again(sandbox: Sandbox, tab: Tab) -> None:
    tab.expect("403 POST /api/sessions/ana/messages/text", "503 POST /api/sessions/ana/messages/text")
    tab.go(PLACE, "Chats")
    sandbox.call("POST", "/api/sessions/ana/stop")
    write(tab, "said while it was stopped")
    waiting = said(tab, "said while it was stopped")
    again = waiting.get_by_role("button", name="Send again")
    expect(again).to_be_visible(timeout=20_000)
    sandbox.call("POST", "/api/sessions/ana/start")
    until(lambda: sandbox.status("ana") == "connected", "ana is connected again")
    again.click()
    expect(again).to_have_count(0, timeout=20_000)
    expect(waiting).to_have_count(1)
    until(lambda: "said while it was stopped" in sandbox.texts(CITRA), "it has arrived")
    assert sandbox.texts(CITRA).count("said while it was stopped") == 1


def test_only_links_to_the_web_can_be_followed(sandbox: Sandbox, tab: Tab) -> None:
    words = "see javascript:alert(1) https://user@example.org/ data:text/html,x and https://example.org/a."
    sandbox.write(CITRA, ANA, words)
    tab.go(PLACE, "Chats")
    links = said(tab, words).get_by_role("link")
    expect(links).to_have_count(1, timeout=20_000)
    assert links.get_attribute("href") == "https://example.org/a"
    assert set((links.get_attribute("rel") or "").split()) == {"noreferrer", "noopener"}


def test_a_search_leads_to_the_message_in_its_conversation(sandbox: Sandbox, tab: Tab) -> None:
    for number in range(60):  # more than a page
        sandbox.write(CITRA, ANA, f"number {number} of many")
    sandbox.received("ana", "number 59 of many")
    tab.go("chats/ana", "Chats")
    tab.page.get_by_role("searchbox").fill("very first")
    tab.page.get_by_role("link", name=re.compile("the very first words")).click()
    expect(said(tab, "the very first words")).to_be_focused(timeout=20_000)
    expect(said(tab, "number 59 of many")).to_have_count(1)  # what came after it is there too
    # From now back, page by page.
    tab.go(PLACE, "Chats")
    expect(said(tab, "the very first words")).to_have_count(0)
    for _ in range(20):
        if said(tab, "the very first words").count():
            break
        tab.page.get_by_role("region", name="Messages").press("Home")
    expect(said(tab, "the very first words")).to_have_count(1)


def test_marking_as_read_tells_the_sender(sandbox: Sandbox, tab: Tab) -> None:
    message_id = sandbox.write(CITRA, ANA, "please read me")
    sandbox.received("ana", "please read me")
    tab.go(PLACE, "Chats")
    tab.page.get_by_role("button", name="Mark as read").click()
    expect(tab.page.get_by_role("button", name="Mark as read")).to_have_count(0, timeout=20_000)

    def told() -> bool:
        sent = sandbox.network("GET", f"phones/{CITRA}/sent")["messages"]
        return any("read" in str(each) for each in sent if each["messageId"] == message_id)

    until(told, "Citra's phone knows")


def test_who_may_only_read_finds_no_way_to_write(sandbox: Sandbox, open_tab: OpenTab) -> None:
    tab = open_tab(sandbox.somebody("reader", "viewer", sessions=["ana"]))
    tab.go(PLACE, "Chats")
    expect(tab.page.get_by_text("You may read here, not write.")).to_be_visible()
    for name in ("Reply", "Send", "Mark as read", "New chat"):
        expect(tab.page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    tab.go(f"chats/budi/{quote(ANA)}@s.whatsapp.net", "Chats")
    expect(tab.page.get_by_text("There is nothing here")).to_be_visible()
