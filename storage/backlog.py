"""Writes waiting for their batch, and when it is due: decided from state and time alone."""

from __future__ import annotations

import math
from collections import deque

from attrs import define, field, frozen

from runtime import Reply
from storage.fencing import Fence
from storage.writes import Write


@frozen
class Waiting:
    """A write that has arrived."""

    write: Write
    reply: Reply
    since: float
    """When it arrived, by the loop's clock."""
    urgent: bool
    """Somebody waits for the answer."""
    fence: Fence | None = None


@define(eq=False)
class Backlog:
    """Writes in order of arrival, cut into batches of at most `rows`.

    A write that nobody waits for stays at most `wait` seconds for neighbours to share a transaction with.
    One that somebody waits for makes the batch due at once; what arrives while it is committed is the next.
    """

    rows: int
    wait: float
    _items: deque[Waiting] = field(init=False, factory=deque)
    _urgent: int = field(init=False, default=0)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Waiting) -> None:
        self._items.append(item)
        self._urgent += item.urgent

    def due(self) -> float:
        """When the next batch is to be cut: -inf for at once, inf for not before more arrives."""
        if not self._items:
            return math.inf
        if self._urgent or len(self._items) >= self.rows:
            return -math.inf
        return self._items[0].since + self.wait

    def cut(self) -> list[Waiting]:
        """Take the next batch."""
        batch = [self._items.popleft() for _ in range(min(self.rows, len(self._items)))]
        self._urgent -= sum(item.urgent for item in batch)
        return batch
