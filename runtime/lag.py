"""How long ready tasks wait for their turn: the event loop's own lag, measured without a task."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import trio
from attrs import frozen


@frozen
class LagStats:
    """Seconds of the last `window` turns of the loop; all 0.0 before the first."""

    last: float
    mean: float
    worst: float
    turns: int
    """Turns since the measurement began."""


class LoopLag(trio.abc.Instrument):
    """The time each turn of the loop takes, which is the longest a task made ready may wait for its own.

    Give it to trio.run as an instrument, or to trio.lowlevel.add_instrument. It looks at the clock twice a
    turn and sleeps nowhere: a sampler that sleeps would keep a test's clock ticking. `clock` is in seconds.
    """

    def __init__(self, window: int = 1000, clock: Callable[[], float] = time.perf_counter) -> None:
        self._turns: deque[float] = deque(maxlen=window)
        self._count = 0
        self._clock = clock
        self._began: float | None = None

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        self._began = self._clock()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        if self._began is not None:
            self._turns.append(self._clock() - self._began)
            self._count += 1

    def stats(self) -> LagStats:
        turns = tuple(self._turns)
        if not turns:
            return LagStats(0.0, 0.0, 0.0, 0)
        return LagStats(turns[-1], sum(turns) / len(turns), max(turns), self._count)
