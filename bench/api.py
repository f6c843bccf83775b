"""What each main route costs beside a bare Quart route: requests a second, and the slowest of hundred.

    python -m bench.api [--seconds N] [--quick]

The bare route answers a small JSON object from the same server, in a process of its own; a sandbox runs in
another. Both are asked over keep-alive connections by this process, in rounds that alternate (bare, route,
route, bare), so that what else the machine does meets both. A full run takes about two minutes.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import trio
from attrs import define, field, frozen
from quart_trio import QuartTrio

from api.server import Server
from bench.table import table

CONNECTIONS = 8
WARM = 0.3  # seconds of requests that are not counted, before each round
START = 90.0  # seconds for the sandbox to have its sessions linked

CONFIG = "[session]\nper_minute = 100000\nburst = 100000\n"


@frozen
class Route:
    """A request that is made again and again."""

    name: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(factory=dict)
    connections: int = CONNECTIONS

    def encoded(self, host: str, key: str) -> bytes:
        body = b"" if self.body is None else json.dumps(self.body).encode()
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            f"host: {host}",
            f"x-api-key: {key}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            *(["content-type: application/json", f"content-length: {len(body)}"] if body else []),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@define(eq=False)
class Side:
    """Where requests go, and how long they took."""

    port: int
    request: bytes
    connections: int
    seconds: float = 0.0
    latencies: list[float] = field(factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return quantiles(self.latencies, n=100, method="inclusive")[98] * 1000

    async def round(self, seconds: float) -> None:
        """Ask for so long."""
        await self._ask(WARM, [])
        began = trio.current_time()
        await self._ask(seconds, self.latencies)
        self.seconds += trio.current_time() - began

    async def _ask(self, seconds: float, latencies: list[float]) -> None:
        end = trio.current_time() + seconds

        async def connection() -> None:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            async with stream:
                while trio.current_time() < end:
                    began = trio.current_time()
                    await stream.send_all(self.request)
                    await _answered(stream)
                    latencies.append(trio.current_time() - began)

        async with trio.open_nursery() as nursery:
            for _ in range(self.connections):
                nursery.start_soon(connection)


async def _answered(stream: trio.SocketStream) -> None:
    """Read one answer to its end. Raises RuntimeError for one that is no success."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if not (part := await stream.receive_some(65536)):
            raise RuntimeError("the connection was closed")
        data += part
    head = bytes(data[:end]).lower()
    if not head.startswith(b"http/1.1 2"):
        raise RuntimeError(f"{bytes(data)!r}")
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    while len(data) < end + 4 + length:
        data += await stream.receive_some(65536)


def _routes(sandbox: Mapping[str, Any]) -> list[Route]:
    text = {"phone": sandbox["sessions"][1]["phone"], "message": "hello"}
    later = {"prefer": "respond-async"}
    return [
        Route("version", "GET", "/api/version"),
        Route("a session's status", "GET", "/api/session/status"),
        Route("a session", "GET", "/api/session"),
        Route("messages, 20", "GET", "/api/messages?limit=20"),
        Route("chats, 20", "GET", "/api/chats?limit=20"),
        Route("events, 20", "GET", "/api/events?limit=20"),
        Route("numbers checked, 1", "POST", "/api/contacts/check", {"phones": [text["phone"]]}),
        Route("text, queued", "POST", "/api/messages/text", text, later),
        Route("text, acknowledged", "POST", "/api/messages/text", text),
    ]


def main() -> None:
    if sys.argv[1:2] == ["bare"]:
        trio.run(_serve_bare)
        return
    parser = argparse.ArgumentParser(prog="bench.api", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="of requests, for each side of a route (5)")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it works")
    asked = parser.parse_args()
    trio.run(_run, asked.seconds or (0.5 if asked.quick else 5.0))


async def _run(seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="terzetto-bench-") as folder, _bare() as bare_port:
        async with _sandbox(Path(folder)) as sandbox:
            port = int(sandbox["url"].rpartition(":")[2])
            key = sandbox["sessions"][0]["apiKey"]
            lines = []
            for route in _routes(sandbox):
                ours = Side(port, route.encoded("127.0.0.1", key), route.connections)
                plain = Route("bare", "GET", "/").encoded("127.0.0.1", "none")
                bare = Side(bare_port, plain, route.connections)
                for side in (bare, ours, ours, bare):
                    await side.round(seconds / 2)
                lines.append(
                    (
                        route.name,
                        f"{ours.rate:,.0f}",
                        f"{bare.rate:,.0f}",
                        f"{ours.rate / bare.rate:.2f}",
                        f"{ours.p99:.1f}",
                        f"{bare.p99:.1f}",
                        f"{ours.p99 / bare.p99:.1f}",
                    )
                )
                print(f"  {route.name}: {lines[-1][3]}", file=sys.stderr, flush=True)
    heads = ("route", "requests/s", "bare", "ratio", "p99 ms", "bare", "ratio")
    print(*table(heads, lines), sep="\n")


async def _serve_bare() -> None:
    app = QuartTrio("bare")

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"name": "bare", "version": "0"}

    async with trio.open_nursery() as nursery:
        address = await nursery.start(Server(app=app).start)
        print(address[1], flush=True)


@contextmanager
def _bare() -> Iterator[int]:
    program = subprocess.Popen([sys.executable, "-m", "bench.api", "bare"], stdout=subprocess.PIPE)
    try:
        assert program.stdout is not None
        yield int(program.stdout.readline())
    finally:
        program.kill()
        program.wait()


def _started(arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as log:
        return subprocess.Popen(arguments, stdout=log, stderr=log)


@asynccontextmanager
async def _sandbox(folder: Path) -> AsyncIterator[Mapping[str, Any]]:
    (folder / "supervisor.toml").write_text(CONFIG)
    where = ("--data", str(folder / "data"), "--listen", "127.0.0.1:0")
    arguments = [sys.executable, "-m", "api", "sandbox", *where, "--config", str(folder / "supervisor.toml")]
    program = _started(arguments, folder / "log")
    described = folder / "data" / "sandbox.json"
    try:
        with trio.fail_after(START):
            while not described.exists():
                if program.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
                await trio.sleep(0.1)
        yield json.loads(described.read_text())
    finally:
        program.send_signal(signal.SIGINT)
        with trio.move_on_after(20, shield=True):
            while program.poll() is None:
                await trio.sleep(0.05)
        program.kill()


if __name__ == "__main__":
    main()
