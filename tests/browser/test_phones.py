"""The simulated phones: one that scans, one that chats, and a network that fails."""

from playwright.sync_api import Page, expect

from tests.browser.sandbox import ANA, Sandbox, until
from tests.browser.tab import Tab

CITRA = "628110000031"


def writes(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Write to").fill(text)
    page.get_by_role("textbox", name="Write to").press("Enter")


def test_what_is_filled_in_stays_while_the_page_looks_again(sandbox: Sandbox, tab: Tab) -> None:
    tab.go("phones", "Simulated phones")
    page = tab.page
    page.get_by_label("For whom").select_option(ANA)
    page.get_by_role("button", name="New phone").click()
    number = page.get_by_role("dialog").get_by_label("Number")
    number.fill("4915112345678")
    for _ in range(2):
        with page.expect_response("**/api/loopback/phones"):
            pass
    expect(number).to_have_value("4915112345678")
    expect(page.get_by_label("For whom")).to_have_value(ANA)
    page.get_by_role("dialog").get_by_label("Name").fill("Dewi")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    tab.settled("Dewi")
    assert sandbox.network("GET", "phones/4915112345678")["name"] == "Dewi"


def test_a_session_is_made_and_linked_without_leaving_the_page(sandbox: Sandbox, tab: Tab) -> None:
    tab.go("phones", "Simulated phones")
    page = tab.page
    page.get_by_role("button", name="New session").click()
    page.get_by_role("dialog").get_by_label("Name").fill("The shop")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    waiting = page.get_by_role("region", name="Waiting for a scan")
    expect(waiting).to_contain_text("The shop is waiting for a scan")
    waiting.get_by_label("The phone that scans The shop").select_option("A new phone")
    waiting.get_by_role("button", name="Scan").click()
    expect(waiting).to_have_count(0)
    expect(page.get_by_role("row", name="The shop")).to_contain_text("online")

    def connected() -> bool:
        sessions = sandbox.call("GET", "/api/sessions", q="The shop")["sessions"]
        return [each["status"] for each in sessions] == ["connected"]

    until(connected, "The shop is connected")


def test_a_phone_writes_to_a_session_and_sees_the_answer_and_that_it_was_read(
    sandbox: Sandbox, tab: Tab
) -> None:
    sandbox.phone(CITRA, "Fajar")
    tab.go("phones", "Simulated phones")
    page = tab.page
    page.get_by_role("link", name="Fajar").click()
    page.get_by_role("link", name="Ana").click()
    writes(page, "Are there mangoes?")
    talk = page.get_by_role("log")
    expect(talk.get_by_role("article")).to_contain_text(["Are there mangoes?"])
    sandbox.received("ana", "Are there mangoes?")
    sandbox.call("POST", "/api/sessions/ana/messages/text", {"phone": CITRA, "message": "<b>Plenty</b>"})
    expect(talk.get_by_role("article").last).to_contain_text("<b>Plenty</b>")
    page.reload()
    expect(talk.get_by_role("article").first).to_contain_text("Are there mangoes?")
    page.get_by_label("Reads all at once").check()

    def reads() -> bool:
        return bool(sandbox.network("GET", f"phones/{CITRA}")["autoRead"])

    until(reads, "the phone reads all at once")
    sandbox.call("POST", "/api/sessions/ana/messages/text", {"phone": CITRA, "message": "Still there?"})

    def read() -> bool:
        stored = sandbox.call("GET", "/api/sessions/ana/messages", limit="50")["messages"]
        return [each["status"] for each in stored if each["text"] == "Still there?"] == ["read"]

    until(read, "Ana was told that it was read")


def test_a_fault_is_in_force_until_it_is_lifted(sandbox: Sandbox, tab: Tab) -> None:
    tab.go("phones", "Simulated phones")
    page = tab.page
    page.get_by_label("Fault").select_option("Slow")
    page.get_by_label("For whom").select_option(ANA)
    page.get_by_label("Seconds late").fill("0.5")
    page.get_by_label("How long").select_option("Until it is lifted")
    page.get_by_role("button", name="Begin").click()
    lift = page.get_by_role("button", name="Lift")
    expect(lift).to_be_visible()
    (fault,) = sandbox.network("GET", "faults")["faults"]
    assert (fault["kind"], fault["phone"], fault["delayMs"], fault["remainingMs"]) == (
        "delay",
        ANA,
        500,
        None,
    )
    lift.click()
    expect(lift).to_have_count(0)
    assert sandbox.network("GET", "faults")["faults"] == []
