"""Texts a second, and how long each takes from the call to WhatsApp's acknowledgement, of both sides."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import quantiles

import trio
from attrs import define, field, frozen

from bench.bare_side import BareSide
from bench.gateway_side import GatewaySide
from bench.ground import Ground
from bench.sends import PER_PROCESS, Round, Side
from bench.table import table
from bench.usage import cpu_seconds

__all__ = ["Row", "measure_texts", "processor_lines", "text_lines"]

IN_FLIGHT = (1, 4)  # texts of each session
ORDER = ("gateway", "bare", "bare", "gateway", "gateway", "bare", "bare", "gateway")
WARM = 0.5  # seconds of sends that are not counted, of each side before each row
QUIET = 0.3  # seconds between rounds, for receipts that are still coming
FULL = 0.9  # of a core: when a process of one thread uses so much, all others wait for it


@define(eq=False)
class Measured:
    """What one side did in the rounds of a row."""

    rounds: list[Round] = field(factory=list)
    cpu: dict[str, float] = field(factory=lambda: defaultdict(float))
    """Seconds of processor time, by what the processes are for."""

    @property
    def texts(self) -> int:
        return sum(len(each.latencies) for each in self.rounds)

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.rounds)

    @property
    def rate(self) -> float:
        """Texts a second."""
        return self.texts / self.seconds

    def percentiles(self) -> tuple[float, float]:
        """Milliseconds within which 50 and 99 of hundred texts were acknowledged."""
        cuts = quantiles((each for one in self.rounds for each in one.latencies), n=100, method="inclusive")
        return cuts[49] * 1000, cuts[98] * 1000

    def cost(self, part: str) -> float:
        """Milliseconds of processor time that a part spent on each text."""
        return self.cpu[part] / self.texts * 1000

    def busy(self, part: str) -> float:
        """How many cores a part kept busy."""
        return self.cpu[part] / self.seconds


@frozen
class Row:
    """Both sides with so many sessions, and so many texts of each in flight."""

    sessions: int
    in_flight: int
    gateway: Measured
    bare: Measured

    @property
    def ratio(self) -> float:
        """The gateway's texts a second to the bare library's."""
        return self.gateway.rate / self.bare.rate

    @property
    def ratios(self) -> list[float]:
        """The same for each pair of rounds, least first."""
        pairs = zip(self.gateway.rounds, self.bare.rounds, strict=True)
        return sorted(gateway.rate / bare.rate for gateway, bare in pairs)


async def measure_texts(ground: Ground, counts: Sequence[int], seconds: float) -> list[Row]:
    """A row for each number of sessions and of texts in flight; in each, either side sends for `seconds`.

    Raises SendFailed when a text is not acknowledged.
    """
    most = max(counts)
    recipients = await ground.recipients(most)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(ground.gateway())
        sessions = await ground.pair(running, range(most))
        processes = []
        for first in range(0, most, PER_PROCESS):
            process = await stack.enter_async_context(ground.bare())
            await process.start(ground.some_devices(first, min(first + PER_PROCESS, most)))
            processes.append(process)
        sides: dict[str, Side] = {
            "gateway": GatewaySide(running, sessions, recipients),
            "bare": BareSide(processes, tuple(ground.devices), recipients),
        }
        return [
            await _row(sides, count, in_flight, seconds, ground.network_pid)
            for in_flight in IN_FLIGHT
            for count in counts
        ]


async def _row(
    sides: Mapping[str, Side], sessions: int, in_flight: int, seconds: float, network_pid: int
) -> Row:
    measured = {name: Measured() for name in sides}
    for side in sides.values():
        await side.send(sessions, in_flight, WARM)
    for name in ORDER:
        await trio.sleep(QUIET)
        parts = {**sides[name].processes(), "network": {network_pid}, "load": {os.getpid()}}
        before = {part: cpu_seconds(pids) for part, pids in parts.items()}
        sent = await sides[name].send(sessions, in_flight, seconds / ORDER.count(name))
        measured[name].rounds.append(sent)
        for part, pids in parts.items():
            measured[name].cpu[part] += cpu_seconds(pids) - before[part]
    return Row(sessions, in_flight, measured["gateway"], measured["bare"])


def text_lines(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table."""
    speed = ("texts/s", "p50 ms", "p99 ms", "|")
    yield from table(
        ("sessions", "in flight", "|", "gateway:", *speed, "bare:", *speed, "ratio", "by round"),
        (
            (
                *(row.sessions, row.in_flight, "|", ""),
                *(*_speed(row.gateway), "|", "", *_speed(row.bare), "|"),
                *(f"{row.ratio:.2f}", f"{row.ratios[0]:.2f} to {row.ratios[-1]:.2f}"),
            )
            for row in rows
        ),
    )


def _speed(side: Measured) -> tuple[str, ...]:
    return f"{side.rate:.0f}", *(f"{each:.1f}" for each in side.percentiles())


def processor_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Milliseconds of processor time a text, and busy cores; then whether the network held all others up."""
    gateway = ("gateway", "cells", "postgres", "network", "load")
    bare = ("library", "network")
    busy = ("|", "cores", "network", "|")
    yield from table(
        ("sessions", "in flight", "|", *gateway, *busy, "bare:", *bare, *busy[:-1]),
        (
            (
                *(row.sessions, row.in_flight, "|", *_processor(row.gateway, gateway)),
                *("|", "", *_processor(row.bare, bare)),
            )
            for row in rows
        ),
    )
    for name, sides in (("gateway", [row.gateway for row in rows]), ("bare", [row.bare for row in rows])):
        most = max(side.busy("network") for side in sides)
        held = sum(side.busy("network") >= FULL for side in sides)
        yield (
            f"The network process, of one thread, used up to {most:.0%} of a core in {name} rounds: "
            f"it was their bottleneck in {held} of {len(rows)} rows."
        )


def _processor(side: Measured, parts: Iterable[str]) -> tuple[str, ...]:
    costs = (f"{side.cost(part):.2f}" for part in parts)
    busy = sum(side.busy(part) for part in side.cpu)
    return *costs, "|", f"{busy:.2f}", f"{side.busy('network'):.2f}"
