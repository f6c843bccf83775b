"""Make the pictures of the dashboard in docs/screenshots/, from a sandbox in which something goes on.

.venv/bin/python -m docs.screenshots
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.chromium import chromium
from tests.browser.lively import CITRA, make_lively
from tests.browser.sandbox import sandbox
from tests.browser.tab import Tab

FOLDER = Path(__file__).with_name("screenshots")
SIZE = {"width": 1280, "height": 800}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="terzetto-") as folder, sandbox(Path(folder)) as running:
        make_lively(running)
        with chromium() as browser:
            tab = Tab.of(browser.new_context(viewport=SIZE, locale="en-GB"), running.url)
            tab.sign_in(running.admin)
            for name, place in (
                ("overview", "overview"),
                ("tree", "tree?node=sessions/ana"),
                ("chats", f"chats/ana/{CITRA}@s.whatsapp.net"),
            ):
                tab.go(place)
                wait_for(tab.page, name)
                tab.page.screenshot(path=FOLDER / f"{name}.png")
            tab.check()


def wait_for(page: Page, name: str) -> None:
    """Until what comes after the page itself is there."""
    if name == "tree":
        expect(page.get_by_role("heading", name="ana")).to_be_visible()
    elif name == "chats":
        expect(page.get_by_role("article").locator("img")).to_be_visible()


if __name__ == "__main__":
    main()
