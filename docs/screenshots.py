"""Make the pictures of the dashboard in docs/screenshots/, from a sandbox in which something goes on.

.venv/bin/python -m docs.screenshots
"""

import os
import re
import signal
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.chromium import chromium
from tests.browser.lively import CITRA, make_lively
from tests.browser.sandbox import sandbox
from tests.browser.tab import Tab

FOLDER = Path(__file__).with_name("screenshots")
PLACES = {
    "overview": "overview",
    "chats": f"chats/ana/{CITRA}@s.whatsapp.net",
    "tree": "tree?node=cells/cell-1",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="terzetto-") as folder, sandbox(Path(folder)) as running:
        make_lively(running)
        with chromium() as browser:
            tab = Tab.of(
                browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB"), running.url
            )
            tab.sign_in(running.admin)
            for name, place in PLACES.items():
                tab.go(place)
                if name == "tree":
                    kill_a_cell(tab.page)
                elif name == "chats":
                    expect(tab.page.get_by_role("article").locator("img")).to_be_visible()
                tab.page.screenshot(path=FOLDER / f"{name}.png")
            tab.check()


def kill_a_cell(page: Page) -> None:
    """Kill the process that the tree shows, and wait until it is seen to be back."""
    cell = page.get_by_role("treeitem", name="cell-1")
    expect(cell).to_contain_text("pid ")
    os.kill(int(re.findall(r"pid (\d+)", cell.inner_text())[0]), signal.SIGKILL)
    expect(cell.get_by_text("↻ 1")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("treeitem", name=re.compile("running"))).to_have_count(
        page.get_by_role("treeitem").count(), timeout=20_000
    )


if __name__ == "__main__":
    main()
