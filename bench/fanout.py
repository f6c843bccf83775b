"""One event to many WebSockets: hub and API beside a loop that sends a text to each socket, and nothing else.

Either side is a process of its own on the same HTTP server; this one listens, over plain sockets whose frames
are counted and not looked into.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import trio
from attrs import define, frozen
from quart import websocket
from quart_trio import QuartTrio

from actors.envelope import encode
from actors.hub import Publish
from api.server import Server
from bench.table import table
from storage import Event, migrate, now
from storage.embedded import embedded_postgres
from tests.api.stage import ADMIN_KEY, running_api

__all__ = ["MESSAGE", "fanout_lines", "measure_fanout"]

ORDER = ("ours", "bare", "bare", "ours")
CONNECTING = 50  # at once
START = 60.0  # seconds for a side to come up

MESSAGE = {
    "key": {"remoteJid": "628111111111@s.whatsapp.net", "fromMe": False, "id": "3EB0C767D71D8A1B4C1F"},
    "message": {"conversation": "hello, is the blue one still there?"},
    "pushName": "Ana",
    "messageTimestamp": 1_795_000_000,
}
"""The data of each event: a short text."""


@frozen
class Row:
    listeners: int
    ours: float
    """Texts a second, over all listeners together."""
    bare: float


async def measure_fanout(rounds: Sequence[tuple[int, int]]) -> list[Row]:
    """A row for each number of listeners and of events published to them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rows = []
    async with _side("ours") as ours, _side("bare") as bare:
        sides = {"ours": ours, "bare": bare}
        for listeners, events in rounds:
            rates: dict[str, list[float]] = {"ours": [], "bare": []}
            for name in ORDER:
                rates[name].append(await sides[name].round(listeners, events))
            rows.append(Row(listeners, median(rates["ours"]), median(rates["bare"])))
    return rows


def fanout_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table."""
    yield from table(
        ("listeners", "texts/s", "bare", "ratio"),
        (
            (row.listeners, f"{row.ours:,.0f}", f"{row.bare:,.0f}", f"{row.ours / row.bare:.2f}")
            for row in rows
        ),
    )


@define(eq=False)
class _Side:
    """A process with listeners to come."""

    program: "subprocess.Popen[str]"
    port: int

    async def round(self, listeners: int, events: int) -> float:
        """Texts a second that all listeners together got of so many events."""
        limit = trio.CapacityLimiter(CONNECTING)
        ready, left = 0, listeners
        everybody, done = trio.Event(), trio.Event()

        async def listen() -> None:
            nonlocal ready, left
            async with limit:
                stream = await _connected(self.port)
            async with stream:
                ready += 1
                if ready == listeners:
                    everybody.set()
                await _frames(stream, events)
                left -= 1
                if not left:
                    done.set()
                await done.wait()

        async with trio.open_nursery() as nursery:
            for _ in range(listeners):
                nursery.start_soon(listen)
            await everybody.wait()
            await trio.sleep(0.5 + listeners / 1000)  # for the last to be subscribed
            began = trio.current_time()
            assert self.program.stdin is not None
            self.program.stdin.write(f"{events}\n")
            self.program.stdin.flush()
            await done.wait()
            seconds = trio.current_time() - began
        await trio.sleep(0.5)  # for the sockets to be gone
        return listeners * events / seconds


async def _connected(port: int) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(
        f"GET /api/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"x-api-key: {ADMIN_KEY}\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await stream.receive_some(1)
    if b" 101 " not in answer:
        raise RuntimeError(answer.decode())
    return stream


async def _frames(stream: trio.SocketStream, count: int) -> None:
    """Read so many texts."""
    data = bytearray()
    while count:
        part = await stream.receive_some(65536)
        if not part:
            raise RuntimeError("the connection was closed")
        data += part
        while len(data) >= 4:
            size = data[1]
            size, head = (size, 2) if size < 126 else (int.from_bytes(data[2:4]), 4)
            if len(data) < head + size:
                break
            count -= data[0] == 0x81  # not a ping
            del data[: head + size]


@asynccontextmanager
async def _side(name: str) -> AsyncIterator[_Side]:
    program = subprocess.Popen(  # noqa: ASYNC220 - it takes milliseconds, once
        [sys.executable, "-m", "bench.fanout", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        with trio.fail_after(START):
            port = await trio.to_thread.run_sync(program.stdout.readline, abandon_on_cancel=True)
        yield _Side(program, int(port))
    finally:
        program.stdin.close()
        program.wait()


# --- the sides' processes -----------------------------------------------------------------------------------


def _events(first: int, count: int) -> tuple[Event, ...]:
    return tuple(
        Event(
            position=number,
            session_id="ana",
            seq=number,
            event_id=f"evt_{number:026}",
            event="messages.upsert",
            occurred_at=now(),
            data=MESSAGE,
        )
        for number in range(first, first + count)
    )


async def _asked() -> AsyncIterator[tuple[Event, ...]]:
    """What is to be published, as this process's parent asks for it."""
    first = 1_000_000
    while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        yield _events(first, int(line))
        first += int(line)


async def _serve_ours() -> None:
    with tempfile.TemporaryDirectory(prefix="terzetto-bench-") as folder:
        async with embedded_postgres(Path(folder) / "postgres", fsync=False) as dsn:
            await migrate(dsn)
            async with running_api(dsn, Path(folder), listeners_per_key=10_000) as stage:
                print(stage.address[1], flush=True)
                async for events in _asked():
                    await stage.services.hub.cast(Publish(events))


async def _serve_bare() -> None:
    app = QuartTrio("bare")
    listening: set[trio.MemorySendChannel[str]] = set()

    @app.websocket("/api/ws")
    async def listen() -> None:
        await websocket.accept()
        put, texts = trio.open_memory_channel[str](1000)
        listening.add(put)
        try:
            async for text in texts:
                await websocket.send(text)
        finally:
            listening.discard(put)

    async with trio.open_nursery() as nursery:
        address = await nursery.start(Server(app=app).start)
        print(address[1], flush=True)
        async for events in _asked():
            for event in events:
                text = encode(event)
                for put in tuple(listening):
                    put.send_nowait(text)
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run({"ours": _serve_ours, "bare": _serve_bare}[sys.argv[1]])
