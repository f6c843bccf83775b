"""Messages that are there: looked up, marked as read, edited, pinned, deleted."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen
from quart import Blueprint

from actors.errors import MessageUnsuitable
from actors.outgoing import Content, Edit, Pin, Revoke
from actors.session.inbound import update_data
from actors.session.keys import Key
from actors.session.messages import MarkRead, Send
from actors.whatsapp.client import Client
from actors.whatsapp.events import ReceiptKind
from actors.whatsapp.jid import PHONE
from api.caller import Scope
from api.constraints import some_of
from api.converter import SOMETIMES
from api.fields import (
    A_WEEK,
    DEFAULT_LIMIT,
    Address,
    Flag,
    Limit,
    MessageIds,
    MessageText,
    Names,
    Seconds,
)
from api.operation import Answer, Where, impossible, operation
from api.performing import PERFORMING, jid_of, perform
from api.refusals import FieldError, InvalidJid, NotFound, ValidationFailed
from api.sent import QueuedView, SentView, answer_of
from api.services import services
from api.submission import ABOUT, prefers_async, stored, submit
from api.trace import trace
from storage.rows import Json, Message, MessageStatus, now
from storage.writes import DeleteMessage, NewEvent, UpdateMessage

routes = Blueprint("messages", __name__)

_ANSWER_WAIT = 90.0  # seconds; the client library gives up before


@frozen(kw_only=True)
class MessageView:
    """A message, ours or another's."""

    message_id: str
    """WhatsApp's id once it is known, the gateway's before."""
    id: str
    """The gateway's."""
    session_id: str
    chat: str
    from_: str
    from_me: bool
    type: str
    text: str | None
    status: MessageStatus
    error: str | None
    client_ref: str | None
    media_id: str | None
    """Its file among `/api/media`; null: there is none, or it is not downloaded yet."""
    timestamp: int
    created_at: datetime
    updated_at: datetime
    message: Json
    """Its content as in `messages.upsert`."""
    history: bool | None = field(default=None, metadata={SOMETIMES: True})
    """True: handed over by the phone, from before it was linked; it was never announced as new."""


@frozen(kw_only=True)
class MessagesPage:
    """Messages, newest first; `cursor` leads to the next page, null: there is none."""

    messages: tuple[MessageView, ...]
    cursor: str | None


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
    """Words, a "phrase", or, -not."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield some_of("status", MessageStatus)


@operation(
    routes,
    "GET",
    "/messages",
    across=True,
    where=Where.ANY,
    scope=Scope.READ,
    query=_Listing,
    answers={200: MessagesPage},
    errors=(InvalidJid,),
)
async def listing(sessions: frozenset[str] | None, query: _Listing) -> MessagesPage:
    """Messages, newest first, a page at a time: of a session, or of all that are the caller's."""
    page = await services().reads.messages(
        sessions,
        chat=_jid(query.chat),
        sender=_jid(query.from_),
        recipient=_recipients(query.to),
        from_me=query.from_me,
        type=query.type,
        status=_statuses(query.status),
        since=query.since,
        until=query.until,
        q=query.q,
        cursor=query.cursor,
        limit=query.limit,
    )
    return MessagesPage(messages=tuple(map(message_view, page.items)), cursor=page.cursor)


@operation(
    routes,
    "GET",
    "/messages/<message_id>",
    where=Where.ANY,
    scope=Scope.READ,
    answers={200: MessageView},
    errors=(NotFound,),
)
async def get(session_id: str, message_id: str) -> MessageView:
    """One message, by the gateway's id or WhatsApp's."""
    return message_view(await stored(session_id, message_id))


# --- Read ------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class _Read:
    message_ids: MessageIds


@operation(
    routes,
    "POST",
    "/messages/read",
    scope=Scope.SEND,
    body=_Read,
    answers={204: None},
    errors=(*PERFORMING, NotFound, MessageUnsuitable),
)
async def read_many(session_id: str, body: _Read) -> None:
    """Tell the senders of up to 100 messages that they were read, and of voice notes that they were heard."""
    await _mark(session_id, [await stored(session_id, each) for each in body.message_ids])


@operation(
    routes,
    "POST",
    "/messages/<message_id>/read",
    scope=Scope.SEND,
    answers={204: None},
    errors=(*PERFORMING, NotFound, MessageUnsuitable),
)
async def read(session_id: str, message_id: str) -> None:
    """Tell the sender of a message that it was read, and of a voice note that it was heard."""
    await _mark(session_id, [await stored(session_id, message_id)])


async def _mark(session_id: str, messages: list[Message]) -> None:
    told: dict[tuple[str, str, bool], list[Message]] = defaultdict(list)
    for message in messages:
        if message.from_me or message.wa_id is None:
            raise MessageUnsuitable(message_id=message.public_id, reason="it is one of your own")
        told[message.chat, message.sender, message.type == "voice"].append(message)
    for (chat, sender, voice), of_one in told.items():
        ids = tuple(str(message.wa_id) for message in of_one)
        await services().sessions.ref(session_id).call(MarkRead(chat, sender, ids), timeout=_ANSWER_WAIT)
        if voice:
            await _tell_played(session_id, chat, sender, ids)
        status = MessageStatus.PLAYED if voice else MessageStatus.READ
        for message in of_one:
            await services().writer.call(_marked(message, status))


async def _tell_played(session_id: str, chat: str, sender: str, ids: tuple[str, ...]) -> None:
    async def act(client: Client) -> None:
        await client.mark_read(ids, chat=chat, sender=sender, kind=ReceiptKind.PLAYED)

    await perform(session_id, "message.played", act)


def _marked(message: Message, status: MessageStatus) -> UpdateMessage:
    key = Key(chat=message.chat, chat_alt=None, from_me=False, id=message.public_id)
    event = NewEvent("messages.update", update_data(key, status, now()))
    return UpdateMessage(session_id=message.session_id, id=message.id, status=status, events=(event,))


# --- Changed ---------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class _Edited:
    message: MessageText
    """The new text, or caption."""


@operation(
    routes,
    "PATCH",
    "/messages/<message_id>",
    scope=Scope.SEND,
    body=_Edited,
    answers={200: SentView, 202: QueuedView},
    errors=(*ABOUT, NotFound),
    derive=answer_of,
)
async def edit(session_id: str, message_id: str, body: _Edited) -> SentView | Answer:
    """Change the text of a message of one's own. The answer is about the edit, which has an id of its own."""
    message = await stored(session_id, message_id)
    return await _about(message, Edit(message_id=message.id, text=body.message))


@frozen(kw_only=True)
class _Pinned:
    seconds: Seconds = A_WEEK
    """How long: WhatsApp offers a day, a week and 30 days."""


@operation(
    routes,
    "POST",
    "/messages/<message_id>/pin",
    scope=Scope.SEND,
    body=_Pinned,
    answers={200: SentView, 202: QueuedView},
    errors=(*ABOUT, NotFound),
    derive=answer_of,
)
async def pin(session_id: str, message_id: str, body: _Pinned) -> SentView | Answer:
    """Pin a message in its chat, for everyone; 0 seconds take the pin away."""
    message = await stored(session_id, message_id)
    return await _about(message, Pin(message_id=message.id, seconds=body.seconds))


@operation(
    routes,
    "POST",
    "/messages/<message_id>/unpin",
    scope=Scope.SEND,
    answers={200: SentView, 202: QueuedView},
    errors=(*ABOUT, NotFound),
    derive=answer_of,
)
async def unpin(session_id: str, message_id: str) -> SentView | Answer:
    """Take a message's pin away, for everyone."""
    message = await stored(session_id, message_id)
    return await _about(message, Pin(message_id=message.id, seconds=0))


impossible(
    routes,
    "POST",
    "/messages/<message_id>/star",
    scope=Scope.SEND,
    summary="Star a message.",
    why="The client library cannot write the account's settings, of which starred messages are.",
)


class Whom(StrEnum):
    """For whom a message is deleted."""

    EVERYONE = "everyone"
    ME = "me"


@frozen(kw_only=True)
class _Deleted:
    for_: Whom = Whom.EVERYONE
    """`everyone`: WhatsApp takes it back. `me`: it is forgotten here, and nobody is told."""


@operation(
    routes,
    "DELETE",
    "/messages/<message_id>",
    scope=Scope.DELETE,
    query=_Deleted,
    answers={200: SentView, 202: QueuedView, 204: None},
    errors=(*ABOUT, NotFound),
    derive=answer_of,
)
async def delete(session_id: str, message_id: str, query: _Deleted) -> SentView | Answer | None:
    """Delete a message: for everyone, answered like a send, or here alone (204)."""
    message = await stored(session_id, message_id)
    if query.for_ is Whom.EVERYONE:
        return await _about(message, Revoke(message_id=message.id))
    await services().writer.call(DeleteMessage(session_id, message.id))
    return None


async def _about(message: Message, content: Content) -> SentView | Answer:
    """Send something to the chat of a message that is about it."""
    asked = Send(to=message.chat, content=content, queued=prefers_async(), claim_id=trace().claim_id)
    return await submit(message.session_id, asked)


# --- Between rows and views ------------------------------------------------------------------------------


def _jid(address: str | None) -> str | None:
    """How the log of messages names an address."""
    return None if address is None else jid_of(address)


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


def message_view(message: Message) -> MessageView:
    """A message as clients see it."""
    return MessageView(
        message_id=message.public_id,
        id=message.id,
        session_id=message.session_id,
        chat=message.chat,
        from_=message.sender,
        from_me=message.from_me,
        type=message.type,
        text=message.text,
        status=message.status,
        error=message.error,
        client_ref=message.client_ref,
        media_id=message.media_id,
        timestamp=int(message.occurred_at.timestamp()),
        created_at=message.created_at,
        updated_at=message.updated_at,
        message=message.payload,
        history=message.history or None,
    )
