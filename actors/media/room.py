"""Room in memory for files: whoever is going to hold many bytes says so, and waits until they fit."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field


@define(eq=False)
class Room:
    """So many bytes may be held at once by all together; first come, first served.

    Do not ask for more while holding some: two who do would wait for each other.
    """

    size: int
    _held: int = field(default=0, init=False)
    _waiting: deque[tuple[int, trio.Event]] = field(factory=deque, init=False)

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Hold room for `size` bytes, or all there is where that is less, while the block lasts."""
        size = min(size, self.size)
        place = (size, trio.Event())
        self._waiting.append(place)
        self._admit()
        try:
            await place[1].wait()
            yield
        finally:
            if place[1].is_set():
                self._held -= size
            else:
                self._waiting.remove(place)
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._held + self._waiting[0][0] <= self.size:
            size, admitted = self._waiting.popleft()
            self._held += size
            admitted.set()
