"""Receipts that may be about a message which WhatsApp has been given and whose id is not stored yet."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import trio
from attrs import define, field

from actors.session.arrival import ContentWrite
from runtime import Ref

__all__ = ["Receipts"]

PATIENCE = 2.0  # seconds that a receipt waits for messages in the air


@define(eq=False)
class Receipts:
    """Holds them back, in order, until they can find their messages."""

    settled: Callable[[], Awaitable[None]]
    """Waits until every message that WhatsApp has been given by now is stored with its id."""
    writer: Ref
    _held: deque[ContentWrite] = field(init=False, factory=deque)
    _storing: trio.Lock = field(init=False, factory=trio.Lock)

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, writes: Iterable[ContentWrite]) -> None:
        """Keep what a receipt changes until `release`."""
        self._held.extend(writes)

    async def release(self) -> None:
        """Store all that is held, each once, when the messages are settled or have had their time."""
        with trio.move_on_after(PATIENCE):
            await self.settled()
        async with self._storing:
            while self._held:
                await self.writer.cast(self._held[0])
                self._held.popleft()
