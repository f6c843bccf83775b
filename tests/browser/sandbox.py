"""A sandbox in a process of its own, with its API and its simulated phones at hand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import trio
from attrs import define

from tests.whole.processes import Running, start_sandbox

Json = dict[str, Any]
T = TypeVar("T")

ANA, BUDI = "628110000001", "628110000002"
"""The phones of the sessions `ana` and `budi`, which every sandbox has."""


def until(ask: Callable[[], T], what: str, *, within: float = 20.0) -> T:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + within
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {within:g} s in vain for: {what}"
        time.sleep(0.02)
    return answer


@define(eq=False)
class Sandbox:
    """A running sandbox."""

    program: Running
    described: Json
    """What its sandbox.json says."""
    http: httpx.Client
    """With the admin key."""

    @property
    def url(self) -> str:
        return str(self.described["url"])

    @property
    def admin(self) -> Json:
        """Name and password of the first user."""
        return dict(self.described["user"])

    def session_key(self, session: str) -> str:
        """The key of one of the sessions that every sandbox has."""
        return str(next(each["apiKey"] for each in self.described["sessions"] if each["id"] == session))

    def call(self, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """Ask the API, as an admin."""
        answer = self.http.request(method, path, json=body, params=query)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def network(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the loopback network: `network("POST", "phones", {…})`."""
        return self.call(method, f"/api/loopback/{path}", body)

    def phone(self, number: str, name: str) -> None:
        """Register somebody with a phone."""
        self.network("POST", "phones", {"phone": number, "name": name})

    def link(self, session: str, number: str) -> None:
        """Make a session, and somebody with a phone who links it."""
        self.phone(number, session)
        self.call("POST", "/api/sessions", {"id": session, "name": session})

        def code() -> str | None:
            answer = self.http.get(f"/api/sessions/{session}/qr", params={"format": "raw"})
            return answer.text if answer.is_success else None

        self.network("POST", f"phones/{number}/scan", {"qr": until(code, "there is a QR code")})
        until(lambda: self.status(session) == "connected", f"{session} is connected")

    def write(self, number: str, to: str, message: str) -> str:
        """Let somebody write; the message's id."""
        return str(
            self.network("POST", f"phones/{number}/messages", {"to": to, "message": message})["messageId"]
        )

    def texts(self, number: str) -> list[str]:
        """What others wrote to this phone, in order."""
        inbox = self.network("GET", f"phones/{number}/messages")["messages"]
        return [each["text"] for each in inbox if not each["fromMe"]]

    def received(self, session: str, text: str) -> None:
        """Wait until a session has stored a message with this text."""

        def there() -> bool:
            stored = self.call("GET", f"/api/sessions/{session}/messages", limit="100")["messages"]
            return any(text in (each["text"], each.get("caption")) for each in stored)

        until(there, f"{session} has got {text!r}")

    def status(self, session: str) -> str:
        return str(self.call("GET", f"/api/sessions/{session}/status")["actual"])

    def somebody(self, name: str, role: str, **more: Any) -> Json:
        """Make a user; their name and password."""
        user = {"name": name, "password": f"the password of {name}"}
        self.call("POST", "/api/users", {**user, "role": role, **more})
        return user

    def tidy(self) -> None:
        """Take away users, sessions and faults that were added, and what was set of Ana and Budi."""
        self.network("DELETE", "faults")
        for session in self.call("GET", "/api/sessions")["sessions"]:
            if session["id"] in {each["id"] for each in self.described["sessions"]}:
                self.call("PATCH", f"/api/sessions/{session['id']}", {"limits": None, "metadata": {}})
            else:
                self.call("DELETE", f"/api/sessions/{session['id']}")
        for user in self.call("GET", "/api/users")["users"]:
            if user["name"] != self.admin["name"]:
                self.call("DELETE", f"/api/users/{user['id']}")


@contextmanager
def sandbox(folder: Path, config: str = "") -> Iterator[Sandbox]:
    """A sandbox on that folder, with `config` as its supervisor.toml."""
    program, described = trio.run(start_sandbox, folder, config)
    try:
        headers = {"x-api-key": described["adminKey"]}
        with httpx.Client(base_url=described["url"], headers=headers, timeout=60, trust_env=False) as http:
            yield Sandbox(program, described, http)
    finally:
        trio.run(program.stop)
