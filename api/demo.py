"""The whole main job before one's eyes: real calls to a real gateway on the loopback network.

Every step checks what it shows. The first thing that is not as it should be ends the demo with exit code 1.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import trio
from attrs import define, field
from psycopg.rows import dict_row

from api.running import Running, find
from api.sandbox import FILE
from api.server import Server
from api.tree import render
from api.websocket import open_websocket
from storage import embedded_postgres

START_TIMEOUT = 60.0  # seconds for the sandbox to be there
PATIENCE = 20.0  # seconds for anything that is to happen by itself

CITRA, DEWI, CUSTOMER, NOBODY = "628120000001", "628120000002", "628120000003", "628120000009"

Json = dict[str, Any]


class Wrong(Exception):
    """Something is not as it should be; says what."""


def main() -> int:
    """Run the demo; 0 when all went as it should, else 1 after saying where it did not."""
    verdict = trio.run(_run)
    say("", verdict or "all as it should be")
    return 1 if verdict else 0


async def _run() -> str | None:
    """What went wrong, if anything did."""
    say("", "starting a sandbox: PostgreSQL, a WhatsApp-compatible network, the gateway ...")
    verdict = None
    with tempfile.TemporaryDirectory(prefix="terzetto-demo-") as folder:
        data = Path(folder)
        try:
            async with embedded_postgres(data / "database") as dsn, _sandbox(data, dsn) as running:
                headers = {"x-api-key": running.admin_key}
                async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=30) as http:
                    await Demo(http, dsn, data / "gateway.log").run()
        except* (Wrong, httpx.HTTPError, OSError) as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            last = (data / "gateway.log").read_text(errors="replace").splitlines()[-10:]
            verdict = "\n".join(
                [f"WRONG: {error or type(error).__name__}", "the gateway's last words:", *last]
            )
    return verdict


@asynccontextmanager
async def _sandbox(data: Path, dsn: str) -> AsyncIterator[Running]:
    """`terzetto sandbox` as its user starts it, on files and a database of its own."""
    command = [sys.executable, "-m", "api", "sandbox", "--data", str(data), "--listen", "127.0.0.1:0"]
    with (data / "gateway.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec
            command, stdout=output, stderr=output, env={**os.environ, "DATABASE_URL": dsn}
        )
    try:
        with trio.move_on_after(START_TIMEOUT):
            while not (data / FILE).exists() and process.poll() is None:
                await trio.sleep(0.05)
        if not (data / FILE).exists():
            raise Wrong("the sandbox did not start")
        yield find([data])
    finally:
        process.send_signal(signal.SIGINT)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(process.wait)


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


def _short(value: object, width: int = 150) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= width else f"{text[: width - 1]}…"


@define
class Line:
    """One session of the demo, and what it heard over its WebSocket and its webhook."""

    id: str
    phone: str
    key: str = field(default="", repr=False)
    events: list[Json] = field(factory=list)
    hooked: list[Json] = field(factory=list)


@define
class Demo:
    """The steps, in order; each prints what it does and what came of it."""

    http: httpx.AsyncClient  # with the admin key
    dsn: str
    log: Path
    citra: Line = field(factory=lambda: Line("citra", CITRA))
    dewi: Line = field(factory=lambda: Line("dewi", DEWI))
    steps: int = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            await self.pair(self.citra, auto_read=False)
            await self.pair(self.dewi, auto_read=True)
            await self.listen(nursery)
            await self.send_and_receipts()
            await self.reply()
            await self.customer()
            await self.rows()
            await self.refusals()
            await self.kill_a_cell()
            await self.tree()
            nursery.cancel_scope.cancel()

    # --- steps ---------------------------------------------------------------------------------------------

    async def pair(self, line: Line, *, auto_read: bool) -> None:
        self.title(f"{line.id} is paired by QR, through the public API")
        phone = {"phone": line.phone, "name": line.id.title()}
        await self.call("POST", "/api/loopback/phones", phone, expect=201)
        session = {"id": line.id, "name": line.id.title(), "autoRead": auto_read}
        line.key = (await self.call("POST", "/api/sessions", session, expect=201))["apiKey"]

        async def has_qr() -> bool:
            return (await self.http.get(f"/api/sessions/{line.id}/qr?format=raw")).is_success

        await self.until("there is a QR code", has_qr)
        say((await self.http.get(f"/api/sessions/{line.id}/qr?format=text")).text)
        await self.call("POST", f"/api/loopback/phones/{line.phone}/scan", {"sessionId": line.id})
        await self.until(f"{line.id} is connected", lambda: self.is_connected(line))

    async def listen(self, nursery: trio.Nursery) -> None:
        self.title("a WebSocket listens to each session, a webhook to dewi's")
        url = str(self.http.base_url).replace("http", "ws", 1).rstrip("/") + "/api/ws"
        for line in (self.citra, self.dewi):
            await nursery.start(_follow, url, line)
            say("  WS   /api/ws", f"({line.id})")

        async def endpoint(_: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                part = await receive()
                body, more = body + part["body"], part["more_body"]
            self.dewi.hooked.append(json.loads(body))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        host, port = await nursery.start(Server(app=endpoint).start)
        hook = {"url": f"http://{host}:{port}/", "events": ["messages.upsert"]}
        await self.call("POST", "/api/webhooks", hook, key=self.dewi.key, expect=201)

    async def send_and_receipts(self) -> None:
        self.title("citra sends a text; dewi's listeners hear of it; the receipts come back")
        text = "Halo dari Terzetto 👋"
        sent = await self.send(self.citra, DEWI, text)
        await self.upsert(self.dewi, text)
        await self.until("the webhook was called", lambda: _now(self.dewi.hooked))
        hooked = self.dewi.hooked[0]
        say("  HOOK", _short(hooked))
        check(hooked["sessionId"] == "dewi", "the webhook names another session")
        check(hooked["data"]["message"] == {"conversation": text}, "the webhook has another text")
        for status in ("delivered", "read"):
            await self.heard(self.citra, _is_update(sent["messageId"], status))

    async def reply(self) -> None:
        self.title("dewi replies")
        await self.send(self.dewi, CITRA, "Halo juga")
        await self.upsert(self.citra, "Halo juga")

    async def customer(self) -> None:
        self.title("a customer who is only a phone writes in, and is answered")
        phone = f"/api/loopback/phones/{CUSTOMER}"
        question, answer = "Apakah buka hari ini?", "Ya, sampai pukul 20"
        await self.call("POST", "/api/loopback/phones", {"phone": CUSTOMER, "name": "Customer"}, expect=201)
        await self.call("POST", f"{phone}/messages", {"to": CITRA, "message": question}, expect=201)
        await self.upsert(self.citra, question)
        await self.send(self.citra, CUSTOMER, answer)

        async def arrived() -> bool:
            inbox = (await self.http.get(f"{phone}/messages")).json()["messages"]
            return any(message["text"] == answer for message in inbox)

        await self.until("the customer's phone has decrypted the answer", arrived)

    async def rows(self) -> None:
        self.title("what PostgreSQL holds of it")
        query = (
            "SELECT session_id, from_me, status::text, text FROM messages"
            " WHERE session_id IN ('citra', 'dewi') ORDER BY created_at"
        )

        def read() -> list[Json]:
            with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
                return connection.execute(query).fetchall()

        found = await trio.to_thread.run_sync(read)
        for row in found:
            say(f"  {row['session_id']:6} {'→' if row['from_me'] else '←'} {row['status']:9} {row['text']}")
        check(len(found) == 6, f"6 rows were to be there, not {len(found)}")

    async def refusals(self) -> None:
        self.title("what is refused")
        text = {"phone": DEWI, "message": "and again"}
        for _ in range(8):  # two were sent before
            await self.call("POST", "/api/messages/text", text, key=self.citra.key, quiet=True)
        say("  POST /api/messages/text → 200, up to the 10th of the minute")
        refused = await self.call("POST", "/api/messages/text", text, key=self.citra.key, expect=429)
        check(refused["code"] == "rate_limited", "refused for another reason")
        await self.call("POST", "/api/messages/text", text, key="tz_no_such_key", expect=401)
        stranger = {"phone": NOBODY, "message": "anybody there?"}
        await self.call("POST", "/api/messages/text", stranger, key=self.dewi.key, expect=404)
        await self.call("POST", "/api/session/stop", key=self.dewi.key)
        await self.call(
            "POST", "/api/messages/text", {"phone": CITRA, "message": "?"}, key=self.dewi.key, expect=403
        )
        await self.call("POST", "/api/session/start", key=self.dewi.key)
        await self.until("dewi is connected again, unpaired never", lambda: self.is_connected(self.dewi))

    async def kill_a_cell(self) -> None:
        self.title("kill -9 of the process that hosts both clients, while the API is asked all the time")
        cells = [(await self.status(line))["cell"] for line in (self.citra, self.dewi)]
        check(cells[0] == cells[1], f"the two sessions are in different cells: {cells}")
        pids = re.findall(rf"cell_started cell={re.escape(cells[0])} pid=(\d+)", self.log.read_text())
        seen = {line.id: len(line.events) for line in (self.citra, self.dewi)}
        answered = 0
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                nonlocal answered
                while True:
                    (await self.http.get("/healthz", timeout=1)).raise_for_status()
                    answered += 1
                    await trio.sleep(0.01)

            nursery.start_soon(ask)
            os.kill(int(pids[-1]), signal.SIGKILL)
            say(f"  kill -9 {pids[-1]}  ({cells[0]})")
            for line in (self.citra, self.dewi):
                for state in ("reconnecting", "connected"):
                    await self.heard(line, _is_state(state), since=seen[line.id])
            nursery.cancel_scope.cancel()
        say(f"  GET  /healthz → 200, {answered} times meanwhile, never anything else")
        check(
            not any(e["event"] in {"session.qr", "session.paired"} for e in self.citra.events),
            "it paired again",
        )
        await self.send(self.dewi, CITRA, "Masih di sini")
        await self.upsert(self.citra, "Masih di sini")

    async def tree(self) -> None:
        self.title("the supervision tree")
        root = (await self.http.get("/api/tree")).json()
        for text in render(root, datetime.now(UTC)):
            say(" ", text)

    # --- what they are made of -----------------------------------------------------------------------------

    def title(self, text: str) -> None:
        self.steps += 1
        say(f"\n{self.steps}. {text}")

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        expect: int = 200,
        quiet: bool = False,
    ) -> Json:
        """Call the gateway, with the admin key unless another is given, and show the answer."""
        headers = {"x-api-key": key} if key else None
        response = await self.http.request(method, path, json=body, headers=headers)
        answer: Json = response.json() if response.content else {}
        if not quiet or response.status_code != expect:
            shown = {name: ("tz_…" if name == "apiKey" else value) for name, value in answer.items()}
            wait = (
                f"  Retry-After: {response.headers['retry-after']}"
                if "retry-after" in response.headers
                else ""
            )
            say(f"  {method:4} {path} → {response.status_code}{wait}  {_short(shown)}")
        check(response.status_code == expect, f"{method} {path} was to answer {expect}")
        check(expect != 429 or "retry-after" in response.headers, "429 without Retry-After")
        return answer

    async def send(self, line: Line, to: str, text: str) -> Json:
        return await self.call("POST", "/api/messages/text", {"phone": to, "message": text}, key=line.key)

    async def status(self, line: Line) -> Json:
        status: Json = (await self.http.get(f"/api/sessions/{line.id}/status")).json()
        return status

    async def is_connected(self, line: Line) -> bool:
        return bool((await self.status(line))["actual"] == "connected")

    async def upsert(self, line: Line, text: str) -> None:
        """Wait until a session's WebSocket heard of a message with this text."""
        await self.heard(line, _is_text(text))

    async def heard(self, line: Line, is_it: Callable[[Json], bool], *, since: int = 0) -> None:
        """Wait until a session's WebSocket brought a certain event, and show it."""
        found: list[Json] = []

        async def look() -> bool:
            found[:] = [event for event in line.events[since:] if is_it(event)]
            return bool(found)

        await self.until(None, look)
        say(f"  WS   ({line.id})", _short(found[0]))

    async def until(self, what: str | None, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that is to come by itself."""
        started = trio.current_time()
        while not await is_so():
            check(
                trio.current_time() - started < PATIENCE,
                f"waited {PATIENCE:g} s in vain for: {what or 'an event'}",
            )
            await trio.sleep(0.02)
        if what:
            say(f"  {what} ({trio.current_time() - started:.2f} s)")


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


def _is_text(text: str) -> Callable[[Json], bool]:
    return lambda event: bool(
        event["event"] == "messages.upsert" and event["data"]["message"] == {"conversation": text}
    )


def _is_update(message_id: str, status: str) -> Callable[[Json], bool]:
    return lambda event: bool(
        event["event"] == "messages.update"
        and event["data"]["key"]["id"] == message_id
        and event["data"]["status"] == status
    )


def _is_state(state: str) -> Callable[[Json], bool]:
    return lambda event: bool(event["event"] == "session.status" and event["data"]["status"] == state)


async def _now(value: object) -> bool:
    return bool(value)


async def _follow(
    url: str, line: Line, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Collect what a session's WebSocket brings."""
    async with open_websocket(url, [("x-api-key", line.key)]) as socket:
        task_status.started()
        while True:
            line.events.append(json.loads(await socket.get_message()))
