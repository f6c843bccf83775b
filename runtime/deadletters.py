"""Messages that reached nobody: a bounded ring of their types, a counter, and a log line each."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator

from attrs import frozen

from runtime.checks import is_count, require

log = logging.getLogger("runtime")


@frozen
class DeadLetter:
    """One lost message; never its body."""

    recipient: str
    type: str
    """The name of the message's class."""
    reason: str
    """`gone`: nothing takes messages there any more. `full`: no room for a foreign thread's message.
    `dropped`: it was the oldest, and made room."""


class DeadLetters:
    """The last `capacity` dead letters, oldest first. Raises InvalidSpec for a capacity below 0."""

    def __init__(self, capacity: int = 1000) -> None:
        require("capacity", capacity, is_count(capacity))
        self.count = 0
        """How many there have been, those no longer kept included."""
        self.by_reason: Counter[str] = Counter()
        """The same, apart for each reason."""
        self._ring: deque[DeadLetter] = deque(maxlen=capacity)

    def add(self, letter: DeadLetter) -> None:
        self.count += 1
        self.by_reason[letter.reason] += 1
        self._ring.append(letter)
        log.warning(
            "message_lost recipient=%s type=%s reason=%s", letter.recipient, letter.type, letter.reason
        )

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._ring))

    def __len__(self) -> int:
        return len(self._ring)
