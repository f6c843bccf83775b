"""From a message that somebody writes until a WebSocket and a webhook have its event, at a steady rate.

The clock starts when the network is told to write: its own work (encrypting, the stanza) is part of the time,
beside that of library, cell, session and writer, and of hub or courier. The text is the time.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

import trio
from attrs import field, frozen

from api.websocket import open_websocket
from bench.ground import CONFIG
from bench.table import table
from tests.actors.endpoint import Endpoint, serving
from tests.whole.processes import Gateway, Network, Session, gateway, network

__all__ = ["latency_lines", "measure_latency"]

SESSIONS = 8
WRITERS = 16  # that write at once
MOST = 60.0  # seconds for the last events
CUSTOMER = "628100000000"
HOOKS = "\n[webhooks]\nallow_private = true\nparallel = 8\n"


@frozen
class Row:
    asked: float
    """Messages a second."""
    written: float
    """What the network managed."""
    socket: Sequence[float] = field(repr=False)
    hook: Sequence[float] = field(repr=False)
    """Seconds of each."""


async def measure_latency(rates: Sequence[float], seconds: float, folder: Path) -> list[Row]:
    """A row for each rate, kept up for so many seconds."""
    endpoint = Endpoint()
    async with (
        network(folder / "network") as wa,
        gateway(folder / "gateway", wa, CONFIG + HOOKS) as running,
        serving(endpoint),
    ):
        await wa.phone(CUSTOMER)
        sessions = [await running.pair(f"s{number}", f"6281100000{number:02}") for number in range(SESSIONS)]
        hook = {"url": endpoint.url, "events": ["messages.upsert"]}
        await running.call("POST", "/api/webhooks", hook, status=201)
        return [await _row(rate, seconds, wa, running, sessions, endpoint) for rate in rates]


async def _row(
    rate: float,
    seconds: float,
    wa: Network,
    running: Gateway,
    sessions: Sequence[Session],
    endpoint: Endpoint,
) -> Row:
    count = int(rate * seconds)
    endpoint.requests.clear()
    heard: list[float] = []
    posted: list[float] = []
    endpoint.answer_to = lambda body: _note(posted, body)
    async with _listening(running, heard):
        began = trio.current_time()
        await _write(wa, sessions, rate, count)
        written = count / (trio.current_time() - began)
        with trio.fail_after(MOST):
            while min(len(heard), len(posted)) < count:
                await trio.sleep(0.05)
    return Row(rate, written, heard, posted)


def _note(into: list[float], body: bytes | str) -> int:
    into.append(time.time() - float(json.loads(body)["data"]["message"]["conversation"]))
    return 200


@asynccontextmanager
async def _listening(running: Gateway, heard: list[float]) -> AsyncIterator[None]:
    url = f"{running.http.base_url}".replace("http", "ws", 1).rstrip("/")
    key = running.http.headers["x-api-key"]
    async with (
        open_websocket(f"{url}/api/ws?events=messages.upsert", [("x-api-key", key)]) as socket,
        trio.open_nursery() as nursery,
    ):

        async def listen() -> None:
            while True:
                _note(heard, await socket.get_message())

        nursery.start_soon(listen)
        await trio.sleep(0.3)  # for the subscription
        yield
        nursery.cancel_scope.cancel()


async def _write(wa: Network, sessions: Sequence[Session], rate: float, count: int) -> None:
    """Write so many messages at their times, or as soon as a writer is free."""
    began = trio.current_time()
    numbers = iter(range(count))

    async def writer() -> None:
        for number in numbers:
            await trio.sleep_until(began + number / rate)
            await wa.write(CUSTOMER, sessions[number % len(sessions)].phone, repr(time.time()))

    async with trio.open_nursery() as nursery:
        for _ in range(WRITERS):
            nursery.start_soon(writer)


def latency_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table."""
    yield from table(
        ("asked/s", "written/s", "WebSocket p50 ms", "p99 ms", "webhook p50 ms", "p99 ms"),
        ((f"{row.asked:g}", f"{row.written:.0f}", *_cuts(row.socket), *_cuts(row.hook)) for row in rows),
    )


def _cuts(seconds: Sequence[float]) -> tuple[str, str]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return f"{cuts[49] * 1000:.0f}", f"{cuts[98] * 1000:.0f}"
