"""How many WebSockets of each key and user listen to the log, and that they are not too many."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from api.refusals import TooManyListeners


@define(eq=False)
class Listeners:
    """At most `per_caller` at once of any key or user, by their ids."""

    per_caller: int = 100
    _open: Counter[str] = field(init=False, factory=Counter)

    @property
    def count(self) -> int:
        """Those that listen now, of everybody."""
        return self._open.total()

    def check(self, caller_id: str) -> None:
        """Raises TooManyListeners where there is no room for one more."""
        if self._open[caller_id] >= self.per_caller:
            raise TooManyListeners(self.per_caller)

    @contextmanager
    def one_more(self, caller_id: str) -> Iterator[None]:
        """Count one while the block lasts. Raises TooManyListeners."""
        self.check(caller_id)
        self._open[caller_id] += 1
        try:
            yield
        finally:
            self._open[caller_id] -= 1
            if not self._open[caller_id]:
                del self._open[caller_id]
