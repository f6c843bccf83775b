"""What a sudden end left half done."""

from __future__ import annotations

from collections.abc import Callable

from runtime import Ref
from storage.reads import Reads
from storage.rows import Message, MessageStatus
from storage.together import write_together
from storage.writes import UpdateMessage


async def mark_interrupted(
    reads: Reads, writer: Ref, unknown: Callable[[Message], UpdateMessage], *, session_id: str | None = None
) -> int:
    """Call messages `unknown` that are `sending` though nobody sends them; how many they were.

    WhatsApp may have them or not: so they are neither sent twice nor forgotten. To be called before any
    session sends, or for one session before that does. `unknown` makes the write. Raises DatabaseUnavailable.
    """
    count = 0
    after = ("", "")
    while messages := await reads.under_way(MessageStatus.SENDING, session_id=session_id, after=after):
        written = await write_together(writer, [unknown(message) for message in messages])
        count += sum(each.applied for each in written)
        after = (messages[-1].session_id, messages[-1].id)
    return count
