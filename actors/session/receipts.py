"""Receipts that may be about a message which WhatsApp has been given and whose id is not stored yet."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio
from attrs import define, evolve, field

from actors.session.arrival import ContentWrite
from runtime import Ref
from storage import StoreMessage

__all__ = ["SETTLING", "Receipts"]

SETTLING = 2.0  # seconds to wait for messages in the air


@define(eq=False)
class Receipts:
    """Holds them back until they can find their messages, and all that follows, but for new messages.

    What is stored says how far the journal is, so nothing may say so past what is held: a crash would lose
    that. New messages are stored at once and say nothing; should they come again, they are there already.
    """

    settled: Callable[[], Awaitable[None]]
    """Waits until every message that WhatsApp has been given by now is stored with its id."""
    writer: Ref
    _held: deque[ContentWrite] = field(init=False, factory=deque)
    _storing: trio.Lock = field(init=False, factory=trio.Lock)

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, writes: Sequence[ContentWrite]) -> tuple[ContentWrite, ...]:
        """Keep what an event changes until `release`; what of it is to be stored now."""
        if all(isinstance(write, StoreMessage) for write in writes):
            return tuple(evolve(write, journal_seq=None) for write in writes)
        self._held.extend(writes)
        return ()

    async def release(self) -> None:
        """Store all that is held, each once, when the messages are settled or have had their time."""
        with trio.move_on_after(SETTLING):
            await self.settled()
        async with self._storing:
            while self._held:
                await self.writer.cast(self._held[0])
                self._held.popleft()
