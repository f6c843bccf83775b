"""A tab of the browser that is watched: what no page of ours may do, whatever it shows."""

from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket, expect

from tests.browser.sandbox import Json

# A violation that nobody sees in the console is one still.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`violates ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


@define(eq=False, slots=False)  # Playwright writes on what it is to call
class Tab:
    """A tab on the dashboard. `check` says what it should not have done."""

    page: Page
    origin: str
    wrong: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)
    """Requests that were answered with an error, as `404 GET /api/nothing`."""
    expected: list[str] = field(factory=list)

    @classmethod
    def of(cls, context: BrowserContext, origin: str) -> "Tab":
        """A new tab of this context."""
        tab = cls(context.new_page(), origin)
        page = tab.page
        page.add_init_script(TELL_VIOLATIONS)
        page.on("console", tab._said)
        page.on("pageerror", lambda error: tab.wrong.append(f"uncaught: {error}"))
        page.on("crash", lambda _: tab.wrong.append("the page crashed"))
        page.on("request", tab._asks)
        page.on("requestfailed", tab._failed)
        page.on("response", tab._answered)
        page.on("websocket", tab._listens)
        return tab

    def _said(self, message: ConsoleMessage) -> None:
        # A refused request is said here too; it is judged by its status.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.wrong.append(f"console {message.type}: {message.text}")

    def _asks(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        # Leaving a page gives up what it was asking for.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"{request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.request.method} {urlsplit(response.url).path}")

    def _listens(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != urlsplit(self.origin).netloc:
            self.wrong.append(f"listened elsewhere: {socket.url}")

    def expect(self, *refusals: str) -> None:
        """These answers are part of the test: `401 GET /api/me`; `*` stands for anything."""
        self.expected += refusals

    def check(self) -> None:
        """Raises AssertionError for what has gone wrong since it was opened."""
        surprising = [
            each for each in self.refused if not any(fnmatchcase(each, pattern) for pattern in self.expected)
        ]
        wrong = [*self.wrong, *surprising]
        assert not wrong, "\n".join(wrong)

    def sign_in(self, user: Json) -> None:
        """Sign in without the page, which then has the cookie."""
        answer = self.page.context.request.post(f"{self.origin}/api/sign-in", data=user)
        assert answer.ok, answer.text()

    def go(self, place: str, title: str | None = None) -> None:
        """Show a place, `sessions/ana`, and wait until it is there, with this heading."""
        self.page.goto(f"{self.origin}/#/{place}")
        self.settled(title)

    def settled(self, title: str | None = None) -> None:
        """Wait until a page is there, with this heading."""
        heading = self.page.locator("#content h1")
        expect(heading).to_be_visible()
        if title is not None:
            expect(heading).to_have_text(title)
        expect(self.page.locator(".spinner")).to_have_count(0)

    def evaluate(self, script: str, given: Any = None) -> Any:
        return self.page.evaluate(script, given)
