"""Finds the stored message that an arriving one is about, though both may have come in one breath."""

import math
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

from actors.session.arrival import subject_of
from actors.whatsapp.events import MessageArrived
from runtime import Ref
from storage.errors import DatabaseUnavailable
from storage.reads import Reads
from storage.rows import Message
from storage.writes import Append

_AGAIN = 0.5  # seconds until the database is asked again that was away


@define(eq=False)
class EarlierMessages:
    """The stored messages of one session."""

    session_id: str
    reads: Reads
    writer: Ref
    settled: Callable[[], Awaitable[None]] = field(repr=False)
    """Waits until all that WhatsApp has been given is handed to the writer."""
    patience: float = 2.0  # seconds for that

    async def of(self, event: MessageArrived) -> Message | None:
        """The message of the same chat that this one edits, deletes or answers in secret; None: not known.

        Waits until everything is stored that came before. While the database is away it waits for that.
        """
        message_id = subject_of(event.message)
        if message_id is None:
            return None
        found = await self._stored(event, message_id)
        if found is None:
            with trio.move_on_after(self.patience):
                await self.settled()
            # The writer keeps the order: once it has done this, it has stored all that it was given before.
            await self.writer.call(Append(self.session_id), timeout=math.inf)
            found = await self._stored(event, message_id)
        return found

    async def _stored(self, event: MessageArrived, message_id: str) -> Message | None:
        row = await self._read(message_id)
        if row is None or row.wa_id != message_id:
            return None
        # An id is another message's too in another chat, if somebody wants it so.
        return row if row.chat in {event.chat, event.chat_alt} else None

    async def _read(self, message_id: str) -> Message | None:
        while True:
            try:
                return await self.reads.message(self.session_id, message_id)
            except DatabaseUnavailable:
                await trio.sleep(_AGAIN)
