"""Rounds of two sides that alternate, and the ratio of their times."""

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from attrs import field, frozen

__all__ = ["Row", "Side", "alternate", "processor_time"]

Side = Callable[[], Awaitable[Sequence[float]]]
"""One round; the seconds that each of its measured parts took."""

processor_time = time.process_time
"""Not the clock on the wall: a wait for a core says nothing about either side."""


@frozen
class Row:
    """One measurement against its baseline, in microseconds for each operation."""

    ours: float
    baseline: float
    ratios: Sequence[float] = field(converter=sorted)
    """The baseline's time to ours for each pair of rounds, least first: above 1, ours is the faster."""

    @property
    def ratio(self) -> float:
        return median(self.ratios)


async def alternate(ours: Side, baseline: Side, rounds: int, operations: int) -> list[Row]:
    """A row for each measured part. Of two neighbouring pairs of rounds each side begins one.

    One more pair comes first and is not counted.
    """
    times: tuple[list[Sequence[float]], list[Sequence[float]]] = ([], [])
    for number in range(rounds + 1):
        order = ((ours, times[0]), (baseline, times[1]))
        for side, its_times in order if number % 2 else reversed(order):
            gc.collect()
            its_times.append(await side())
    micro = 1e6 / operations
    parts = zip(*(zip(*side[1:], strict=True) for side in times), strict=True)
    return [
        Row(
            median(own) * micro,
            median(theirs) * micro,
            [their / our for our, their in zip(own, theirs, strict=True)],
        )
        for own, theirs in parts
    ]
