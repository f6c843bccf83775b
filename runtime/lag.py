"""How long ready tasks wait for their turn: the event loop's own lag, measured without a task."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from runtime.histogram import Histogram

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopLag(trio.abc.Instrument):
    """The time each turn of the loop takes, which is the longest a task made ready may wait for its own.

    Give it to trio.run as an instrument, or to trio.lowlevel.add_instrument. It looks at the clock twice a
    turn and sleeps nowhere: a sampler that sleeps would keep a test's clock ticking. `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.turns = Histogram(_BOUNDS)
        """Seconds that each turn took."""
        self._clock = clock
        self._began: float | None = None

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        self._began = self._clock()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002
        if self._began is not None:
            self.turns.observe(self._clock() - self._began)
