"""A token bucket as a pure value of time: how many messages may go now, and how long the next has to wait."""

import math

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

    def take(self, now: float) -> float:
        """Take a token: 0.0 when there was one, otherwise the seconds until there is, and none is taken."""
        full_at = max(self._full_at, now) + self._seconds
        wait = full_at - now - self.burst * self._seconds
        if wait > _ROUNDING:
            return wait
        self._full_at = full_at
        return 0.0

    def refund(self) -> None:
        """Give back a token that was taken and not used."""
        self._full_at -= self._seconds

    def remaining(self, now: float) -> int:
        """Tokens that could be taken now, one after the other."""
        until_full = max(self._full_at - now - _ROUNDING, 0.0)
        return math.floor(self.burst - until_full / self._seconds)

    @property
    def _seconds(self) -> float:
        return 60 / self.rate_per_minute
