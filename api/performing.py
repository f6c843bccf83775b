"""What is done with a session's client at once: groups, contacts, the profile, channels and the like."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from actors import errors
from actors.session.messages import Perform
from actors.whatsapp.client import Client
from actors.whatsapp.jid import phone_jid
from api.checks import is_jid, is_phone
from api.refusals import InvalidJid
from api.services import services
from runtime import CallTimeout

T = TypeVar("T")

_ANSWER_WAIT = 90.0  # seconds; the client library gives up before

PERFORMING = (
    errors.SessionDisconnected,
    errors.SessionLoggedOut,
    errors.SessionRestarting,
    errors.AccountRestricted,
    errors.WhatsAppFailed,
    errors.OutcomeUnknown,
    CallTimeout,
)
"""What may go wrong with everything that is asked of WhatsApp."""


async def perform(session_id: str, name: str, act: Callable[[Client], Awaitable[T]]) -> T:
    """What `act` answers, done in the session with its connected client; `name` is what logs call it."""
    answer: Any = await services().sessions.ref(session_id).call(Perform(name, act), timeout=_ANSWER_WAIT)
    found: T = answer
    return found


def jid_of(address: str) -> str:
    """The JID of what is one, or a phone number. Raises InvalidJid."""
    if is_phone(address):
        return phone_jid(address)
    if is_jid(address):
        return address
    raise InvalidJid(address[:255])
