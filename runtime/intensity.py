"""How many restarts within a sliding period are borne: OTP's MaxR and MaxT."""

from __future__ import annotations

from collections import deque

from attrs import Factory, define


@define(eq=False)
class Intensity:
    """More than `intensity` restarts within `period` seconds are too many."""

    intensity: int
    period: float
    _times: deque[float] = Factory(deque)

    def exceeded_by(self, now: float) -> bool:
        """Counts one restart at `now`, and says whether it is one too many."""
        times = self._times
        times.append(now)
        while now - times[0] > self.period:
            times.popleft()
        return len(times) > self.intensity

    def forget(self) -> None:
        """A supervisor that runs anew starts with a clean record."""
        self._times.clear()
