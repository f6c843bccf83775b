"""From a message that somebody writes until a WebSocket or a webhook has its events, at a steady rate.

It is written to a group that all sessions are in: an event for each. The clock starts when the network is
told to write: its own work (encrypting, the stanza) is part of the time, beside that of library, cell,
session and writer, and of hub or courier. The text is the time.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import trio
from attrs import field, frozen
from trio_websocket import ConnectionClosed

from api.websocket import open_websocket
from bench.ground import CONFIG
from bench.table import table
from tests.actors.endpoint import Endpoint, serving
from tests.whole.processes import Gateway, Network, gateway, network

__all__ = ["latency_lines", "measure_latency"]

SESSIONS = 8
WRITERS = 16  # that write at once
MOST = 60.0  # seconds for the last events
CUSTOMER = "628100000000"
HOOKS = "\n[webhooks]\nallow_private = true\nparallel = 8\n"


@frozen
class Row:
    consumer: str
    asked: float
    """Events a second."""
    came: float
    """Of them, from the first message until the consumer had the last."""
    seconds: Sequence[float] = field(repr=False)
    """Of each event."""


async def measure_latency(rates: Sequence[float], seconds: float, folder: Path) -> list[Row]:
    """For each rate, kept up for so many seconds, a row for each consumer, who is alone then."""
    async with (
        network(folder / "network") as wa,
        gateway(folder / "gateway", wa, CONFIG + HOOKS) as running,
    ):
        await wa.phone(CUSTOMER)
        sessions = [await running.pair(f"s{number}", f"6281100000{number:02}") for number in range(SESSIONS)]
        members = {"subject": "All", "participants": [session.phone for session in sessions]}
        made = (await wa.control.post(f"/phones/{CUSTOMER}/groups", json=members)).raise_for_status()
        group = str(made.json()["group"])
        return [
            await _row(name, consumer(running), rate, seconds, wa, group)
            for rate in rates
            for name, consumer in CONSUMERS.items()
        ]


async def _row(
    name: str,
    consumer: AbstractAsyncContextManager[list[float]],
    rate: float,
    seconds: float,
    wa: Network,
    group: str,
) -> Row:
    messages = int(rate * seconds / SESSIONS)
    count = messages * SESSIONS
    async with consumer as taken:
        began = trio.current_time()
        await _write(wa, group, rate / SESSIONS, messages)
        with trio.fail_after(MOST):
            while len(taken) < count:
                await trio.sleep(0.05)
        return Row(name, rate, count / (trio.current_time() - began), taken)


def _note(into: list[float], event: Any) -> None:
    into.append(time.time() - float(event["data"]["message"]["conversation"]))


@asynccontextmanager
async def _listener(running: Gateway) -> AsyncIterator[list[float]]:
    """A WebSocket that comes back where it was, as often as it is told that it is too slow."""
    url = f"{running.http.base_url}".replace("http", "ws", 1).rstrip("/")
    key = [("x-api-key", running.http.headers["x-api-key"])]
    taken: list[float] = []

    async def listen() -> None:
        after = ""
        while True:
            async with open_websocket(f"{url}/api/ws?events=messages.upsert{after}", key) as socket:
                try:
                    while True:
                        _note(taken, json.loads(await socket.get_message()))
                except ConnectionClosed as closed:
                    if closed.reason is None:
                        raise
                    after = f"&after={closed.reason.reason}"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.sleep(0.3)  # for the subscription
        yield taken
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _webhook(running: Gateway, **options: Any) -> AsyncIterator[list[float]]:
    taken: list[float] = []

    def take(body: bytes) -> int:
        told = json.loads(body)
        for event in told if isinstance(told, list) else [told]:
            _note(taken, event)
        return 200

    async with serving(Endpoint(answer_to=take)) as endpoint:
        hook = {"url": endpoint.url, "events": ["messages.upsert"], **options}
        made = await running.call("POST", "/api/webhooks", hook, status=201)
        yield taken
        await running.call("DELETE", f"/api/webhooks/{made['webhook']['id']}", status=204)


CONSUMERS: Mapping[str, Callable[[Gateway], AbstractAsyncContextManager[list[float]]]] = {
    "WebSocket": _listener,
    "webhook": _webhook,
    "webhook, up to 50 at once": partial(_webhook, batch={"maxEvents": 50, "maxWaitMs": 50}),
}


async def _write(wa: Network, group: str, rate: float, count: int) -> None:
    """Write so many messages at their times, or as soon as a writer is free."""
    began = trio.current_time()
    numbers = iter(range(count))

    async def writer() -> None:
        for number in numbers:
            await trio.sleep_until(began + number / rate)
            await wa.write(CUSTOMER, group, repr(time.time()))

    async with trio.open_nursery() as nursery:
        for _ in range(WRITERS):
            nursery.start_soon(writer)


def latency_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table."""
    yield from table(
        ("consumer", "asked/s", "came/s", "p50 ms", "p99 ms"),
        ((row.consumer, f"{row.asked:g}", f"{row.came:.0f}", *_cuts(row.seconds)) for row in rows),
    )


def _cuts(seconds: Sequence[float]) -> tuple[str, str]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return f"{cuts[49] * 1000:.0f}", f"{cuts[98] * 1000:.0f}"
