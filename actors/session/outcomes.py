"""What errors mean: a client's to whoever asked the session, and a session's in the row of a message."""

import re

from actors.errors import (
    AccountRestricted,
    OutcomeUnknown,
    SessionError,
    SessionRestarting,
    WhatsAppFailed,
)
from actors.whatsapp import errors as wa

# WhatsApp's answer to a message to a stranger from an account that wrote to too many of them.
_REACHED_OUT_TOO_MUCH = 463


def session_error(session_id: str, error: wa.CellError, message_id: str | None = None) -> SessionError:
    """What a failed call means to the caller; `message_id` where a message was given to WhatsApp."""
    match error:
        case wa.OutcomeUnknown() if message_id is not None:
            return OutcomeUnknown(session_id=session_id, message_id=message_id)
        case wa.OutcomeUnknown() | wa.NotConnected():
            return SessionRestarting(session_id=session_id, retry_after=1.0)
        case wa.WhatsAppError() if reached_out_too_much(error):
            return AccountRestricted(session_id=session_id, reason="too many messages to new contacts")
        case wa.WhatsAppError(code=code, text=text):
            return WhatsAppFailed(session_id=session_id, reason=text, code=code)
        case _:
            return WhatsAppFailed(session_id=session_id, reason=str(error))


def reached_out_too_much(error: wa.CellError) -> bool:
    """Whether WhatsApp takes no messages to strangers from this account for a time."""
    return isinstance(error, wa.WhatsAppError) and error.code == _REACHED_OUT_TOO_MUCH


def error_text(error: SessionError) -> str:
    """What a failed message's row says: the reason given, or else the error's name."""
    reason = getattr(error, "reason", None)
    return reason or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
