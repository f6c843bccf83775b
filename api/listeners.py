"""How many WebSockets of each key listen to the log, and that they are not too many."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from api.refusals import TooManyListeners


@define(eq=False)
class Listeners:
    """At most `per_key` at once of any key."""

    per_key: int = 100
    _open: Counter[str] = field(init=False, factory=Counter)

    @property
    def count(self) -> int:
        """Those that listen now, of all keys."""
        return self._open.total()

    def check(self, key_id: str) -> None:
        """Raises TooManyListeners where there is no room for one more."""
        if self._open[key_id] >= self.per_key:
            raise TooManyListeners(self.per_key)

    @contextmanager
    def one_more(self, key_id: str) -> Iterator[None]:
        """Count one while the block lasts. Raises TooManyListeners."""
        self.check(key_id)
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
