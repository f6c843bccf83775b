"""How often a value lay within which bounds: plain numbers, counted up in passing and read whenever."""

from __future__ import annotations

from bisect import bisect_left

from attrs import Factory, define


@define(eq=False)
class Histogram:
    """Observations by upper bound, which belongs to its class; `bounds` ascend."""

    bounds: tuple[float, ...]
    counts: list[int] = Factory(lambda self: [0] * (len(self.bounds) + 1), takes_self=True)
    """One for each bound, and the last for all above them."""
    sum: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
