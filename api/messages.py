"""Messages: sent, marked as read, looked up."""

from datetime import datetime

from attrs import frozen
from quart import Blueprint, Response

from actors.outgoing import Text
from actors.session.messages import MarkRead, Send, Sent
from actors.whatsapp.jid import PHONE, phone_jid
from api.access import Scope, admit_to_session
from api.answers import answer, no_content
from api.bodies import query_as
from api.fields import (
    DEFAULT_LIMIT,
    Address,
    Flag,
    Limit,
    MessageText,
    MismatchError,
    Names,
    Phone,
    Reference,
    is_jid,
    is_phone,
)
from api.operation import operation
from api.refusals import FieldError, InvalidJid, NotFound, ValidationFailed
from api.routing import in_session
from api.sent import SENDING, SentView, answer_of, sent_view
from api.services import services
from api.trace import trace
from storage.rows import Json, Message, MessageStatus

routes = Blueprint("messages", __name__)

_ACK_WAIT = 90.0  # seconds; the session itself gives up on WhatsApp's acknowledgement before


@frozen(kw_only=True)
class _NewText:
    phone: Phone | None = None
    to: Address | None = None
    message: MessageText
    client_ref: Reference | None = None

    def __attrs_post_init__(self) -> None:
        if (self.phone is None) == (self.to is None):
            raise MismatchError("give exactly one of phone and to", path="phone")


@frozen(kw_only=True)
class _Listing:
    chat: Address | None = None
    from_: Address | None = None
    to: Address | None = None
    from_me: Flag | None = None
    type: Names | None = None
    status: Names | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@operation(
    routes,
    "POST",
    "/messages/text",
    scope=Scope.SEND,
    body=_NewText,
    answers={200: SentView},
    errors=SENDING,
    derive=answer_of,
)
async def send_text(session_id: str, body: _NewText) -> SentView:
    """Send a text; answered once WhatsApp's server has acknowledged it.

    When the client goes away meanwhile, a message that its session has begun to send is sent all the same.
    """
    message = Send(
        to=_recipient(body),
        content=Text(text=body.message),
        client_ref=body.client_ref,
        claim_id=trace().claim_id,
    )
    sent: Sent = await services().sessions.ref(session_id).call(message, timeout=_ACK_WAIT)
    return sent_view(sent)


@in_session(routes, "GET", "/messages")
async def listing(session_id: str | None = None) -> Response:
    """A session's messages, newest first, a page at a time."""
    session_id = await admit_to_session(Scope.READ, session_id)
    asked = query_as(_Listing)
    page = await services().reads.messages(
        session_id,
        chat=_jid(asked.chat),
        sender=_jid(asked.from_),
        recipient=_recipients(asked.to),
        from_me=asked.from_me,
        type=asked.type,
        status=_statuses(asked.status),
        since=asked.since,
        until=asked.until,
        q=asked.q,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return answer({"messages": [message_view(message) for message in page.items], "cursor": page.cursor})


@in_session(routes, "GET", "/messages/<message_id>")
async def get(message_id: str, session_id: str | None = None) -> Response:
    """One message, by our id or WhatsApp's."""
    session_id = await admit_to_session(Scope.READ, session_id)
    return answer(message_view(await _stored(session_id, message_id)))


@in_session(routes, "POST", "/messages/<message_id>/read")
async def read(message_id: str, session_id: str | None = None) -> Response:
    """Tell the sender of a message that it was read."""
    session_id = await admit_to_session(Scope.SEND, session_id)
    message = await _stored(session_id, message_id)
    if message.from_me or message.wa_id is None:
        raise ValidationFailed((FieldError("id", "is a message of your own"),))
    request = MarkRead(message.chat, message.sender, (message.wa_id,))
    await services().sessions.ref(session_id).call(request, timeout=_ACK_WAIT)
    return no_content()


async def _stored(session_id: str, message_id: str) -> Message:
    message = await services().reads.message(session_id, message_id)
    if message is None:
        raise NotFound("message", message_id)
    return message


def _recipient(text: _NewText) -> str:
    to = text.phone or text.to
    assert to is not None  # _NewText has seen to it
    if not (is_phone(to) or is_jid(to)):
        raise InvalidJid(to)
    return to


def _jid(address: str | None) -> str | None:
    """How the log of messages names an address."""
    if address is None or is_jid(address):
        return address
    if is_phone(address):
        return phone_jid(address)
    raise InvalidJid(address)


def _recipients(address: str | None) -> tuple[str, ...] | None:
    """A recipient by JID, and by number too where it has one: the chat may be stored under its LID."""
    jid = _jid(address)
    if jid is None:
        return None
    user, _, server = jid.partition("@")
    return (jid, user) if server == PHONE else (jid,)


def _statuses(names: frozenset[str] | None) -> tuple[MessageStatus, ...] | None:
    if names is None:
        return None
    if names - set(MessageStatus):
        raise ValidationFailed((FieldError("status", f"expected some of {', '.join(MessageStatus)}"),))
    return tuple(MessageStatus(name) for name in names)


def message_view(message: Message) -> Json:
    """A message as clients see it; `message` is its content as in `messages.upsert`."""
    return {
        "messageId": message.public_id,
        "id": message.id,
        "sessionId": message.session_id,
        "chat": message.chat,
        "from": message.sender,
        "fromMe": message.from_me,
        "type": message.type,
        "text": message.text,
        "status": message.status,
        "error": message.error,
        "clientRef": message.client_ref,
        "timestamp": int(message.occurred_at.timestamp()),
        "createdAt": message.created_at,
        "updatedAt": message.updated_at,
        "message": message.payload,
    }
