"""Chats: listed with their last message, looked at, read, forgotten; typing and disappearing messages."""

from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from attrs import asdict, frozen
from quart import Blueprint

from actors import errors
from actors.session.inbound import update_data
from actors.session.keys import Key
from actors.whatsapp import administration, people
from actors.whatsapp.client import Client
from actors.whatsapp.people import ChatSettings
from api.caller import Scope
from api.fields import DEFAULT_LIMIT, Limit, Timer
from api.messages import MessagesPage, MessageView, message_view
from api.operation import Where, impossible, operation
from api.performing import PERFORMING, jid_of, perform
from api.refusals import InvalidJid, NotFound
from api.services import services
from storage.chats import Chat
from storage.rows import Message, MessageStatus
from storage.writes import DeleteChat, NewEvent, UpdateMessage

routes = Blueprint("chats", __name__)

_MOST_UNREAD = 500
"""Messages that are marked as read at once, from the newest on."""

_UNWRITABLE = (
    "WhatsApp keeps this among the settings that the account's devices share, which its client library"
    " can read, as the chat's `settings`, and not change."
)


class ChatType(StrEnum):
    """What kind of chat it is."""

    USER = "user"
    GROUP = "group"
    CHANNEL = "channel"
    STATUS = "status"
    OTHER = "other"


_TYPES = {
    "s.whatsapp.net": ChatType.USER,
    "lid": ChatType.USER,
    "g.us": ChatType.GROUP,
    "newsletter": ChatType.CHANNEL,
}


class TypingState(StrEnum):
    """What the others see."""

    COMPOSING = "composing"
    RECORDING = "recording"
    PAUSED = "paused"


@frozen(kw_only=True)
class ChatView:
    """A chat with messages that the gateway has stored."""

    jid: str
    alt: str | None
    """The other address of the same person: the LID of a phone number."""
    name: str | None
    """A group's subject, what the account calls a person, or what they call themselves."""
    type: ChatType
    last_message: MessageView | None
    last_message_at: datetime | None
    unread_count: int
    """What others wrote and neither the phone nor the gateway has marked as read."""


@frozen(kw_only=True)
class ChatSettingsView:
    """What the phone has set for the chat."""

    archived: bool
    pinned: bool
    muted: bool
    muted_until: datetime | None
    """The year 9999: for ever."""


@frozen(kw_only=True)
class ChatDetailView(ChatView):
    """A chat and what the phone has set for it."""

    settings: ChatSettingsView | None
    """None while the session is not connected."""


@frozen(kw_only=True)
class ChatsView:
    """A page of chats."""

    chats: list[ChatView]
    cursor: str | None
    """For the next page; null: this was the last."""


@frozen(kw_only=True)
class ReadView:
    """What was marked as read."""

    read: int
    """So many messages."""


@frozen(kw_only=True)
class _Listing:
    q: str | None = None
    """Looked for in names and addresses."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class _Messages:
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    """Full text: all words, "a phrase", or, -not."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class _Typing:
    state: TypingState


@frozen(kw_only=True)
class _Disappearing:
    seconds: Timer


@operation(routes, "GET", "/chats", scope=Scope.READ, query=_Listing, answers={200: ChatsView})
async def listing(session_id: str, query: _Listing) -> ChatsView:
    """The session's chats, the last active first."""
    if query.cursor is None:
        await services().address_book.refresh(session_id)
    reads = services().reads
    page = await reads.chats.chats(session_id, q=query.q, cursor=query.cursor, limit=query.limit)
    last = await _last_messages(session_id, page.items)
    return ChatsView(chats=[ChatView(**_facts(chat, last)) for chat in page.items], cursor=page.cursor)


@operation(
    routes,
    "GET",
    "/chats/<jid>",
    scope=Scope.READ,
    answers={200: ChatDetailView},
    errors=(InvalidJid, NotFound),
)
async def get(session_id: str, jid: str) -> ChatDetailView:
    """One chat by either address, and what the phone has set for it."""
    await services().address_book.refresh(session_id)
    jids = await _addresses(session_id, jid)
    page = await services().reads.chats.chats(session_id, jids=jids)
    if page.items:
        facts = _facts(page.items[0], await _last_messages(session_id, page.items))
    else:
        known = await services().reads.chats.addresses(session_id, jids)
        if not known:
            raise NotFound("chat", jid)
        facts = {
            "jid": known[0].jid,
            "alt": known[0].alt,
            "name": known[0].name or known[0].business_name or known[0].push_name,
            "type": _type(known[0].jid),
            "last_message": None,
            "last_message_at": None,
            "unread_count": 0,
        }
    return ChatDetailView(**facts, settings=await _settings(session_id, jids))


@operation(
    routes,
    "DELETE",
    "/chats/<jid>",
    where=Where.ANY,
    scope=Scope.DELETE,
    answers={204: None},
    errors=(InvalidJid, NotFound),
)
async def delete(session_id: str, jid: str) -> None:
    """Forget the chat's messages here. On the phone they stay: the client library cannot delete there."""
    jids = await _addresses(session_id, jid)
    written = await services().writer.call(DeleteChat(session_id, tuple(jids)))
    if not written.applied:
        raise NotFound("chat", jid)


@operation(
    routes,
    "GET",
    "/chats/<jid>/messages",
    where=Where.ANY,
    scope=Scope.READ,
    query=_Messages,
    answers={200: MessagesPage},
    errors=(InvalidJid,),
)
async def messages(session_id: str, jid: str, query: _Messages) -> MessagesPage:
    """The chat's messages, newest first."""
    jids = await _addresses(session_id, jid)
    page = await services().reads.messages(session_id, chat=jids, **asdict(query))
    return MessagesPage(messages=tuple(map(message_view, page.items)), cursor=page.cursor)


@operation(
    routes,
    "POST",
    "/chats/<jid>/read",
    scope=Scope.SEND,
    answers={200: ReadView},
    errors=(*PERFORMING, InvalidJid),
)
async def read(session_id: str, jid: str) -> ReadView:
    """Mark what others wrote as read, here and for those who wrote it: the newest 500 messages."""
    jids = await _addresses(session_id, jid)
    page = await services().reads.messages(
        session_id, chat=jids, from_me=False, status=MessageStatus.RECEIVED, limit=_MOST_UNREAD
    )
    unread = [message for message in page.items if message.wa_id is not None]

    def sender(message: Message) -> tuple[str, str]:
        return message.chat, message.sender

    async def act(client: Client) -> None:
        for (chat, author), theirs in groupby(sorted(unread, key=sender), sender):
            if _type(chat) in {ChatType.USER, ChatType.GROUP}:  # who writes elsewhere is not told
                ids = [str(message.wa_id) for message in theirs]
                await client.mark_read(ids, chat=chat, sender=author)

    if unread:
        await perform(session_id, "chat.read", act)
        *others, last = unread
        for message in others:
            await services().writer.cast(_read(message))
        await services().writer.call(_read(last))  # which is committed after the others
    return ReadView(read=len(unread))


@operation(
    routes,
    "POST",
    "/chats/<jid>/typing",
    scope=Scope.SEND,
    body=_Typing,
    answers={204: None},
    errors=(*PERFORMING, InvalidJid),
)
async def typing(session_id: str, jid: str, body: _Typing) -> None:
    """Show the account as writing or recording in the chat, or as having stopped. It fades by itself."""
    chat = jid_of(jid)
    recording = body.state is TypingState.RECORDING
    composing = body.state is not TypingState.PAUSED
    await perform(
        session_id,
        "chat.typing",
        lambda client: client.send_chat_presence(chat, composing=composing, audio=recording),
    )


@operation(
    routes,
    "POST",
    "/chats/<jid>/disappearing",
    scope=Scope.SEND,
    body=_Disappearing,
    answers={204: None},
    errors=(
        *PERFORMING,
        InvalidJid,
        errors.GroupNotFound,
        errors.NotGroupMember,
        errors.NotGroupAdmin,
    ),
)
async def disappearing(session_id: str, jid: str, body: _Disappearing) -> None:
    """How long new messages stay in the chat; 0: for ever."""
    chat = jid_of(jid)
    if _type(chat) not in {ChatType.USER, ChatType.GROUP}:
        raise InvalidJid(jid[:255])

    async def act(client: Client) -> None:
        if _type(chat) is ChatType.USER:
            await administration.set_disappearing(client, chat, body.seconds)
            return
        async with administration.refusals_of(client, chat):
            await administration.set_disappearing(client, chat, body.seconds)

    await perform(session_id, "chat.disappearing", act)


for _action, _summary in (
    ("unread", "Mark a chat as unread."),
    ("archive", "Put a chat away."),
    ("unarchive", "Take a chat back."),
    ("pin", "Keep a chat above the others."),
    ("unpin", "Keep a chat above the others no more."),
    ("mute", "Have a chat make no sound."),
    ("unmute", "Hear a chat again."),
):
    impossible(routes, "POST", f"/chats/<jid>/{_action}", scope=Scope.SEND, summary=_summary, why=_UNWRITABLE)

impossible(
    routes,
    "POST",
    "/chats/<jid>/history",
    scope=Scope.READ,
    summary="Ask the phone for older messages of a chat.",
    why="The client library cannot ask the phone for more of a chat's history; what the phone hands over by"
    " itself is stored.",
)


# --- How ---------------------------------------------------------------------------------------------------


async def _addresses(session_id: str, given: str) -> list[str]:
    """All addresses of the chat that a client names by one, or by a phone number. Raises InvalidJid."""
    jid = given if given == "status@broadcast" else jid_of(given)
    known = await services().reads.chats.addresses(session_id, [jid])
    others = {each for row in known for each in (row.jid, row.alt) if each is not None}
    return [jid, *sorted(others - {jid})]


async def _last_messages(session_id: str, chats: list[Chat]) -> dict[str, Message]:
    ids = [chat.last_message_id for chat in chats]
    found = await services().reads.messages_by_id(session_id, ids)
    return {message.id: message for message in found}


def _facts(chat: Chat, last: dict[str, Message]) -> dict[str, Any]:
    message = last.get(chat.last_message_id)  # None: deleted in between
    return {
        "jid": chat.jid,
        "alt": chat.alt,
        "name": chat.name,
        "type": _type(chat.jid),
        "last_message": None if message is None else message_view(message),
        "last_message_at": chat.last_message_at,
        "unread_count": chat.unread,
    }


def _type(jid: str) -> ChatType:
    if jid == "status@broadcast":
        return ChatType.STATUS
    return _TYPES.get(jid.rpartition("@")[2], ChatType.OTHER)


async def _settings(session_id: str, jids: list[str]) -> ChatSettingsView | None:
    async def act(client: Client) -> ChatSettings:
        for jid in jids:
            if (found := await people.chat_settings(client, jid)) is not None:
                return found
        return ChatSettings(archived=False, pinned=False, muted_until=None)

    try:
        found = await perform(session_id, "chat.settings", act)
    except errors.SessionError:
        return None
    until = None if found.muted_until is None else datetime.fromtimestamp(found.muted_until, UTC)
    muted = until is not None and until > datetime.now(UTC)
    return ChatSettingsView(
        archived=found.archived, pinned=found.pinned, muted=muted, muted_until=until if muted else None
    )


def _read(message: Message) -> UpdateMessage:
    at = datetime.now(UTC)
    key = Key(
        chat=message.chat,
        chat_alt=None,
        from_me=False,
        id=message.public_id,
        participant=message.sender if _type(message.chat) is ChatType.GROUP else None,
    )
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        status=MessageStatus.READ,
        events=(NewEvent("messages.update", update_data(key, MessageStatus.READ, at), at),),
    )
