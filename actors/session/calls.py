"""Calls that a session declines by itself, as its settings ask."""

import logging
import math
from datetime import UTC, datetime

from actors.errors import SessionError
from actors.outgoing.content import Text
from actors.session.keys import phone_first
from actors.session.messages import Send
from actors.session.settings import CallRejection
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError
from actors.whatsapp.events import CallEvent
from runtime import Ref, SupervisionError
from storage.writes import Append, NewEvent

log = logging.getLogger("session")


async def turn_down(
    call: CallEvent, wish: CallRejection, *, client: Client, session: Ref, writer: Ref, session_id: str
) -> None:
    """Decline a call, say so in the log, and write to the caller where the settings have a text for that.

    The text is sent like any other: it counts for the session's limits. Raises nothing.
    """
    try:
        await client.reject_call(call.sender, call.id)
    except CellError as error:
        log.warning("call_not_rejected session=%s error=%s", session_id, type(error).__name__)
        return
    caller, caller_alt = phone_first(call.creator, call.creator_alt)
    await writer.cast(Append(session_id, (rejected(call.id, caller, caller_alt),)))
    if wish.message is None:
        return
    try:
        await session.call(Send(to=caller, content=Text(text=wish.message)), timeout=math.inf)
    except (SessionError, SupervisionError) as error:
        log.warning("caller_not_answered session=%s error=%s", session_id, type(error).__name__)


def rejected(call_id: str, caller: str, caller_alt: str | None) -> NewEvent:
    """The log's entry for a call that this session declined; WhatsApp itself tells nothing of that."""
    data = {
        "callId": call_id,
        "stage": "rejected",
        "from": caller,
        "fromAlt": caller_alt,
        "reason": None,
        "media": None,
    }
    return NewEvent("call", data, datetime.now(UTC))
