"""Resident memory a session takes, of the gateway with its cells and of one process of the bare library."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import trio
from attrs import frozen

from api.config import Cells
from bench.ground import SETTLED, Ground
from bench.sends import PER_PROCESS
from bench.table import table
from bench.usage import pss_mb
from tests.whole.processes import Gateway, descendants, until

__all__ = ["MemoryRow", "measure_memory", "memory_lines"]


@frozen
class MemoryRow:
    """Memory with so many sessions connected and idle, in MB (Pss)."""

    sessions: int
    gateway: float
    """Of the gateway's own process; PostgreSQL does not grow with sessions and is left out."""
    cells: float
    bare: float

    def above(self, base: "MemoryRow") -> tuple[float, float, float]:
        """What each of the sessions takes above the baseline: in the gateway, the cells, and bare."""
        count = self.sessions
        return (
            (self.gateway - base.gateway) / count,
            (self.cells - base.cells) / count,
            (self.bare - base.bare) / count,
        )


async def measure_memory(ground: Ground, counts: Sequence[int]) -> list[MemoryRow]:
    """The baseline without sessions, then a row for each number of them."""
    steps = [0, *counts]
    bare: list[float] = []
    async with ground.bare() as process:
        for done, count in zip([0, *steps], steps, strict=False):
            await process.start(ground.some_devices(done, count))
            await trio.sleep(SETTLED)
            bare.append(pss_mb({process.pid}))
    rows: list[MemoryRow] = []
    async with ground.gateway() as running:
        for done, count, alone in zip([0, *steps], steps, bare, strict=False):
            await ground.pair(running, range(done, count))
            await until(
                partial(_in_shared_cells, running, count), "the cells in which sessions paired are gone"
            )
            await trio.sleep(SETTLED)
            gateway = running.program.process.pid
            rows.append(MemoryRow(count, pss_mb({gateway}), pss_mb(_cells(running)), alone))
    return rows


def _cells(running: Gateway) -> set[int]:
    return set(running.cells).intersection(descendants(running.program.process.pid))


async def _in_shared_cells(running: Gateway, sessions: int) -> bool:
    """Whether there are just the cells that so many sessions share, and the spare."""
    return len(_cells(running)) == math.ceil(sessions / PER_PROCESS) + Cells().spare


def memory_lines(rows: Sequence[MemoryRow]) -> Iterator[str]:
    """The rows as a table, and what each session takes above the baseline, which is the first row."""
    base = rows[0]
    whole = ("gateway", "cells", "bare")
    each = ("gateway", "cells", "both", "bare")
    yield from table(
        ("sessions", "|", *whole, "|", "MB a session:", *each, "|", "ratio"),
        ((row.sessions, "|", *_whole(row), "|", "", *_each(row, base)) for row in rows),
    )


def _whole(row: MemoryRow) -> tuple[str, ...]:
    return tuple(f"{size:.1f}" for size in (row.gateway, row.cells, row.bare))


def _each(row: MemoryRow, base: MemoryRow) -> tuple[str, ...]:
    if row is base:
        return "", "", "", "", "|", ""
    gateway, cells, bare = row.above(base)
    both = gateway + cells
    return *(f"{size:.2f}" for size in (gateway, cells, both, bare)), "|", f"{both / bare:.2f}"
