"""What a sudden end left half done."""

from __future__ import annotations

from collections.abc import Callable

from runtime import Ref
from storage.reads import Reads
from storage.rows import Message, MessageStatus
from storage.writes import NewEvent, UpdateMessage, Written


async def mark_interrupted(reads: Reads, writer: Ref, event: Callable[[Message], NewEvent]) -> int:
    """Call messages `unknown` that are `sending` though nobody sends them; how many they were.

    WhatsApp may have them or not: so they are neither sent twice nor forgotten. To be called once, after the
    writer's start and before any session's. `event` makes the messages.update that tells of it.
    """
    count = 0
    after = ("", "")
    while messages := await reads.under_way(MessageStatus.SENDING, after=after):
        for message in messages:
            written: Written = await writer.call(
                UpdateMessage(
                    session_id=message.session_id,
                    id=message.id,
                    status=MessageStatus.UNKNOWN,
                    error="interrupted",
                    events=(event(message),),
                )
            )
            count += written.applied
        after = (messages[-1].session_id, messages[-1].id)
    return count
