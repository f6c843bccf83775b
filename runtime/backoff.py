"""Growing, jittered waits between restarts, and what happens when they did not help."""

from __future__ import annotations

import enum
import random

from attrs import field, frozen

from runtime.checks import a, is_count, is_number, require, valid


class OnExhausted(enum.StrEnum):
    ESCALATE = "escalate"
    """More failures in a row than `max_failures` fail the supervisor."""
    GIVE_UP = "give_up"
    """They leave the child `failed` and the tree up; such a child never counts towards the intensity."""


@frozen
class Backoff:
    """The wait before restart number k of a row is min·factor^k, at most max, then lengthened by jitter.

    Raises InvalidSpec for an argument out of its range.
    """

    min: float = field(validator=valid(is_number))
    """Seconds before the first restart of a row."""
    max: float = field()
    """Seconds that the wait grows to, before jitter."""
    factor: float = field(default=2.0, validator=valid(lambda value: is_number(value, least=1.0)))
    jitter: float = field(default=0.2, validator=valid(is_number))
    """A wait d becomes one between d and d·(1 + jitter), so that neighbours do not return in step."""
    reset_after: float | None = field(
        default=None, validator=valid(lambda value: value is None or is_number(value))
    )
    """Seconds alive after which the row starts anew; None means `max`."""
    max_failures: int | None = field(
        default=None, validator=valid(lambda value: value is None or is_count(value))
    )
    """Failures in a row that are borne; None means any number."""
    on_exhausted: OnExhausted = field(default=OnExhausted.ESCALATE, validator=a(OnExhausted))

    @max.validator  # noqa: A003 - the attribute above is meant
    def _max_is_not_below_min(self, _attribute: object, value: float) -> None:
        require("max", value, is_number(value, least=self.min))

    def delay(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after `failures` earlier failures in a row (0 for the first)."""
        try:
            wait = min(self.max, self.min * self.factor**failures)
        except OverflowError:  # a float's power; the row is long past max
            wait = self.max
        return wait * (1.0 + rng.uniform(0.0, self.jitter))

    def is_over(self, alive: float) -> bool:
        """True when a life of `alive` seconds ends a row of failures."""
        return alive >= (self.max if self.reset_after is None else self.reset_after)
