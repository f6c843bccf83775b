"""Limits as pure values of time: a token bucket of messages a minute, and a window of so many in a day."""

import math
from collections import deque
from collections.abc import Iterable

from attrs import define, field

_ROUNDING = 1e-6  # seconds: whoever waits exactly as long as told is let through


@define(eq=False)
class TokenBucket:
    """Holds at most `burst` tokens and gains `rate_per_minute` a minute; starts full.

    Times are seconds of any clock that does not go back, passed in by the caller.
    """

    rate_per_minute: float
    burst: int
    # All there is to know: when the bucket is full again. Each token taken puts it off by one token's time.
    _full_at: float = field(init=False, default=-math.inf)

    @property
    def interval(self) -> float:
        """Seconds from one token to the next."""
        return 60 / self.rate_per_minute

    def take(self, now: float) -> float:
        """Take a token: 0.0 when there was one, otherwise the seconds until there is, and none is taken."""
        wait = self.wait(now)
        if wait > 0:
            return wait
        self.reserve(now)
        return 0.0

    def reserve(self, now: float) -> float:
        """Take a token even if it is yet to come: the seconds until it is there. Nobody else gets it."""
        wait = self.wait(now)
        self._full_at = max(self._full_at, now) + self.interval
        return wait

    def refund(self) -> None:
        """Give back a token that was taken and not used."""
        self._full_at -= self.interval

    def wait(self, now: float) -> float:
        """Seconds until a token could be taken; 0.0: one is there."""
        wait = self.ahead(now)
        return wait if wait > _ROUNDING else 0.0

    def ahead(self, now: float) -> float:
        """The same, below zero where there are more: by the time that these took to come."""
        return max(self._full_at, now) + (1 - self.burst) * self.interval - now

    def remaining(self, now: float) -> int:
        """Tokens that could be taken now, one after the other."""
        until_full = max(self._full_at - now - _ROUNDING, 0.0)
        return math.floor(self.burst - until_full / self.interval)


@define(eq=False)
class Window:
    """At most `limit` in any `seconds`: what happened longer ago no longer counts.

    Times are seconds of one clock, in order.
    """

    limit: int
    seconds: float
    _times: deque[float] = field(init=False, factory=deque)

    def remember(self, times: Iterable[float]) -> None:
        """What happened before."""
        self._times.extend(times)

    def wait(self, now: float) -> float:
        """Seconds until one more may be; 0.0: now."""
        while self._times and self._times[0] + self.seconds <= now:
            self._times.popleft()
        if len(self._times) < self.limit:
            return 0.0
        return self._times[len(self._times) - self.limit] + self.seconds - now

    def add(self, now: float) -> None:
        """One more."""
        self._times.append(now)

    def undo(self) -> None:
        """The last one was not after all."""
        self._times.pop()
