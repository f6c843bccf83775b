"""A circuit breaker: after failures in a row an endpoint counts as dead and is only probed, until it answers.

It decides, and neither waits nor asks for the time. Closed, all requests may go out. Open, one at a time may,
and not before `probe_at`, which moves away with each probe that fails.
"""

import random
from datetime import datetime

from attrs import define

from runtime import Backoff


@define(eq=False)
class Circuit:
    """One endpoint's. Times are those of one monotonic clock, in seconds."""

    threshold: int
    """Failures in a row that open it."""
    backoff: Backoff
    """Of the probes."""
    failures: int = 0
    """In a row, by now."""
    opened_at: datetime | None = None
    """By the wall clock; None: it is closed."""
    probe_at: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None

    def succeeded(self) -> bool:
        """A request was acknowledged; True when that closed the circuit."""
        closed = self.is_open
        self.failures, self.opened_at = 0, None
        return closed

    def failed(self, at: float, wall: datetime, rng: random.Random) -> bool:
        """A request failed; True when that opened the circuit."""
        self.failures += 1
        if self.failures < self.threshold:
            return False
        opened = not self.is_open
        self.opened_at = self.opened_at or wall
        self.probe_at = at + self.backoff.delay(self.failures - self.threshold, rng)
        return opened
