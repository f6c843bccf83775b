"""What was found out a moment ago, for many who ask for the same."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import trio
from attrs import define, field

T = TypeVar("T")


@define(eq=False)
class _Found:
    value: Any = None
    good_until: float = float("-inf")
    looking: trio.Lock = field(factory=trio.Lock)


@define(eq=False)
class Remembered:
    """Values by key, each for its time. What is past it is dropped when next something is looked up."""

    _found: dict[Hashable, _Found] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._found)

    async def get(self, key: Hashable, seconds: float, look: Callable[[], Awaitable[T]]) -> T:
        """What `look` gave at most so many seconds ago; of several who ask at once one looks.

        Raises what `look` raises, which is not remembered.
        """
        found = self._found.setdefault(key, _Found())
        async with found.looking:
            if trio.current_time() >= found.good_until:
                found.value = await look()
                found.good_until = trio.current_time() + seconds
                self._forget()
            value: T = found.value
        return value

    def _forget(self) -> None:
        now = trio.current_time()
        self._found = {
            key: each for key, each in self._found.items() if now < each.good_until or each.looking.locked()
        }
