"""Chromium, as the machine has it: the tests bring no browser of their own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium here: apt-get install chromium, or name one in TERZETTO_CHROMIUM"


def found() -> str | None:
    """Where the browser is: what TERZETTO_CHROMIUM names, or else the first on the path."""
    named = os.environ.get("TERZETTO_CHROMIUM")
    names = (named,) if named else NAMES
    return next((path for name in names if (path := shutil.which(name)) is not None), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. Raises OSError where there is none."""
    if (path := found()) is None:
        raise OSError(MISSING)
    with sync_playwright() as playwright:
        # No sandbox of its own: it sees nothing but our pages, and root may not have one.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
