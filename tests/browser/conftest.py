"""A browser for all files, a sandbox for most of them, and a tab for each test, watched to its end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import MISSING, chromium, found
from tests.browser.sandbox import Sandbox
from tests.browser.sandbox import sandbox as running_sandbox
from tests.browser.tab import Tab

OpenTab = Callable[..., Tab]


UNLIMITED = """
[session]
per_minute = 1000
burst = 1000
"""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if found() is None:
        pytest.skip(MISSING)
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def shared_sandbox(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which each file has phones of its own."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def sandbox(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """The shared sandbox, or a file's own if it has a CONFIG, which is its supervisor.toml."""
    config = getattr(request.module, "CONFIG", None)
    if config is None:
        shared: Sandbox = request.getfixturevalue("shared_sandbox")
        yield shared
        shared.tidy()
        return
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), config) as running:
        yield running


@pytest.fixture
def open_tab(sandbox: Sandbox, browser: Browser) -> Iterator[OpenTab]:
    """Open a tab of a new context, as wide as a desk or as asked; at the end each must have done no wrong."""
    tabs: list[Tab] = []

    def opened(user: dict[str, Any] | None = None, **context: Any) -> Tab:
        context = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **context}
        tab = Tab.of(browser.new_context(**context), sandbox.url)
        tabs.append(tab)
        if user is not None:
            tab.sign_in(user)
        return tab

    yield opened
    for tab in tabs:
        tab.evaluate("0")  # what has happened has been told then
        tab.page.context.close()
    for tab in tabs:
        tab.check()


@pytest.fixture
def tab(open_tab: OpenTab, sandbox: Sandbox) -> Tab:
    """A tab in which the admin is signed in."""
    return open_tab(sandbox.admin)
