"""Contacts: who is on WhatsApp."""

from attrs import frozen
from quart import Blueprint, Response

from actors.session.messages import CheckContacts, ContactCheck
from api.access import Scope, admit_to_session
from api.answers import answer
from api.bodies import body_as
from api.fields import MismatchError, Phone
from api.routing import in_session
from api.services import services

routes = Blueprint("contacts", __name__)

_ANSWER_WAIT = 60.0  # seconds for WhatsApp's answer
_MOST = 100  # numbers in one question


@frozen
class _Check:
    phones: tuple[Phone, ...]

    def __attrs_post_init__(self) -> None:
        if not 1 <= len(self.phones) <= _MOST:
            raise MismatchError(f"expected 1 to {_MOST} phones", path="phones")


@in_session(routes, "POST", "/contacts/check")
async def check(session_id: str | None = None) -> Response:
    """Which of these numbers have an account, in the order asked."""
    session_id = await admit_to_session(Scope.READ, session_id)
    asked = await body_as(_Check)
    session = services().sessions.ref(session_id)
    checks: tuple[ContactCheck, ...] = await session.call(CheckContacts(asked.phones), timeout=_ANSWER_WAIT)
    return answer([{"phone": c.phone, "exists": c.exists, "jid": c.jid, "lid": c.lid} for c in checks])
