"""Who gets a session's next token: a send that somebody waits for, or the queue. Pure, but for its own state.

Sends that somebody waits for go first while there are tokens, and are refused when there are none. The
queue reserves a token that is yet to come, so that they cannot starve it. And when one of them was refused
since the queue's last message, the queue leaves it the token that it was told to come back for: neither
starves the other, and a queue alone runs at the full rate.
"""

import math

from attrs import define, field

from actors.limiter import TokenBucket
from actors.session.messages import QueuePace


@define(eq=False)
class Pace:
    """The tokens of one session. Times are seconds of one monotonic clock."""

    bucket: TokenBucket
    _due: float | None = field(init=False, default=None)
    """When the token that the queue has reserved is there."""
    _yields_until: float = field(init=False, default=-math.inf)
    _may_yield: bool = field(init=False, default=True)

    def direct(self, now: float) -> float:
        """Take a token for a send that somebody waits for: 0.0, or the seconds until it may come again."""
        wait = self.bucket.take(now)
        if wait > 0 and self._may_yield:
            self._yields_until = now + wait + self.bucket.interval
            self._may_yield = False
        return wait

    def queued(self, now: float) -> float:
        """Seconds until the queue may send its next; 0.0: it holds a token, until `spent` or `free`."""
        if self._due is None:
            if now < self._yields_until:
                return self._yields_until - now
            self._due = now + self.bucket.reserve(now)
        return max(0.0, self._due - now)

    def spent(self) -> None:
        """The queue's token was used."""
        self._due = None
        self._may_yield = True

    def free(self) -> None:
        """The queue has no use for its token: it goes back."""
        if self._due is not None:
            self._due = None
            self.bucket.refund()

    def of_queue(self, now: float) -> QueuePace:
        """How fast the queue moves from now on, alone."""
        held = 0.0 if self._due is None else self.bucket.interval
        return QueuePace(first=self.bucket.ahead(now) - held, interval=self.bucket.interval)

    def change(self, rate_per_minute: float, burst: int) -> None:
        """Go on at another rate, with a full bucket; the same rate changes nothing."""
        if (rate_per_minute, burst) != (self.bucket.rate_per_minute, self.bucket.burst):
            self.bucket = TokenBucket(rate_per_minute, burst)
            self._due = None
            self._yields_until = -math.inf
