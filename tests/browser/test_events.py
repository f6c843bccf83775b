"""The event log in the browser: live, held, filtered, and read again from a point."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, expect

from tests.browser.sandbox import ANA, BUDI, Sandbox, until
from tests.browser.tab import Tab

MANY = "628110000061"


def rows(tab: Tab) -> Locator:
    return tab.page.locator("li.event")


def test_what_happens_while_it_is_held_waits_and_none_is_missing(sandbox: Sandbox, tab: Tab) -> None:
    tab.go("events?session=budi&events=messages.upsert", "Events")
    expect(tab.page.get_by_text("live", exact=True)).to_be_visible()
    sandbox.write(ANA, BUDI, "before")
    expect(rows(tab).filter(has_text="before")).to_have_count(1, timeout=20_000)
    tab.page.get_by_role("button", name="Pause").click()
    for number in range(5):
        sandbox.write(ANA, BUDI, f"meanwhile {number}")
    expect(tab.page.get_by_text("5 waiting")).to_be_visible(timeout=20_000)
    expect(rows(tab)).to_have_count(1)
    tab.page.get_by_role("button", name="Go on").click()
    expect(rows(tab)).to_have_count(6)
    expect(rows(tab).first).to_contain_text("meanwhile 4")
    expect(tab.page.get_by_text("live", exact=True)).to_be_visible()


def test_the_log_is_read_again_from_its_beginning_and_from_an_event(sandbox: Sandbox, tab: Tab) -> None:
    for number in range(3):
        sandbox.write(ANA, BUDI, f"again {number}")
    sandbox.received("budi", "again 2")
    tab.go("events?session=budi", "Events")
    tab.page.get_by_role("button", name="From the beginning").click()
    one = rows(tab).filter(has_text="again 1")
    expect(one).to_have_count(1, timeout=20_000)
    one.get_by_role("button").click()
    expect(one.locator("pre")).to_contain_text('"conversation": "again 1"')
    one.get_by_role("link", name="From here").click()
    expect(rows(tab).filter(has_text="again 2")).to_have_count(1, timeout=20_000)
    expect(rows(tab).filter(has_text="again 1")).to_have_count(0)
    # It is all in the address.
    tab.page.reload()
    expect(rows(tab).last).to_contain_text("again 2", timeout=20_000)


def test_a_place_that_is_none_is_said_at_the_field(tab: Tab) -> None:
    tab.expect("400 GET /api/events", "422 GET /api/events")
    tab.go("events", "Events")
    tab.page.get_by_role("button", name="From a cursor").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("Cursor").fill("nonsense")
    dialog.get_by_role("button", name="Go").click()
    expect(dialog.get_by_text("expected a cursor")).to_be_visible()


def test_only_the_chosen_kinds_are_shown(sandbox: Sandbox, tab: Tab) -> None:
    tab.go("events?session=budi&after=0", "Events")
    expect(rows(tab).filter(has_text="session.status").first).to_be_visible(timeout=20_000)
    tab.page.get_by_text("All kinds").click()
    tab.page.get_by_label("session.paired").check()
    expect(rows(tab)).to_have_count(1, timeout=20_000)
    expect(rows(tab)).to_contain_text("session.paired")
    tab.page.get_by_label("session.status").check()
    expect(rows(tab).filter(has_text="session.status").first).to_be_visible(timeout=20_000)
    expect(rows(tab).filter(has_text="messages.")).to_have_count(0)


def test_five_hundred_events_are_shown_and_the_rest_waits(sandbox: Sandbox, tab: Tab) -> None:
    sandbox.link("many", MANY)
    # What waits and is called off is told of both times, and nobody has to send it.
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    items = [{"type": "text", "phone": ANA, "message": f"number {n}", "sendAt": at} for n in range(260)]
    sandbox.call("POST", "/api/sessions/many/messages/batch", {"items": items})
    assert sandbox.call("DELETE", "/api/sessions/many/queue")["cancelled"] == 260
    sandbox.write(ANA, MANY, "the last of many")

    def told() -> bool:
        log = sandbox.call("GET", "/api/sessions/many/events", after="0", events="messages.upsert")
        return bool(log["events"])

    until(told, "the last is told of")
    # What has just happened would be shown as it comes; a minute later it is the past.
    tab.page.add_init_script("const now = Date.now; Date.now = () => now() + 60_000;")
    tab.go("events?session=many&after=0", "Events")
    expect(rows(tab)).to_have_count(500, timeout=60_000)
    expect(tab.page.get_by_text("waiting")).to_be_visible()
    last = rows(tab).filter(has_text="the last of many")
    expect(last).to_have_count(0)
    tab.page.get_by_role("button", name="Go on").click()
    expect(last).to_be_visible()
    expect(rows(tab)).to_have_count(500)
