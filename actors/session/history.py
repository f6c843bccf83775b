"""What a phone hands over of the past, as rows: pure functions from a `waHistorySync.HistorySync`.

Nothing of it is announced as new. Of reactions, votes and edits nothing is told: the phone hands over what
has become of each message.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from actors.session.arrival import kept_message
from actors.session.content import Content, storable
from actors.session.keys import phone_first
from actors.session.reading import read_content
from actors.whatsapp.wrapping import unwrapped
from storage.ids import new_id
from storage.rows import Json, Message, MessageStatus

_STATUSES = {
    3: MessageStatus.DELIVERED,
    4: MessageStatus.READ,
    5: MessageStatus.PLAYED,
}
"""Of our own messages, by waWeb.WebMessageInfo.Status; all others were sent."""


def history_data(history: Any) -> Json:
    """The `data` of history.sync: how much came."""
    kinds = history.DESCRIPTOR.fields_by_name["syncType"].enum_type.values_by_number
    return {
        "type": kinds[history.syncType].name,
        "chunk": history.chunkOrder,
        "progress": history.progress,
        "conversations": len(history.conversations),
        "messages": sum(len(chat.messages) for chat in history.conversations),
        "names": len(history.pushnames),
    }


def messages_of(
    session_id: str, history: Any, own_jid: str, ignores: Callable[[str], bool]
) -> Iterator[Message]:
    """A row for each message of it whose chat is not ignored."""
    phones = {pair.lidJID: pair.pnJID for pair in history.phoneNumberToLidMappings}
    for chat in history.conversations:
        jid, alt = _chat(chat, phones)
        if ignores(jid) or (alt is not None and ignores(alt)):
            continue
        unread = _unread(chat)
        for each in chat.messages:
            info = each.message
            row = _row(session_id, info, jid, own_jid, phones, unread=info.key.ID in unread)
            if row is not None:
                yield row


def _chat(chat: Any, phones: Mapping[str, str]) -> tuple[str, str | None]:
    other = chat.pnJID if chat.ID.endswith("@lid") else chat.lidJID
    return phone_first(storable(chat.ID), storable(other or phones.get(chat.ID, "")) or None)


def _unread(chat: Any) -> frozenset[str]:
    """The ids of the chat's newest messages from others that nobody has read."""
    from_others = [each.message for each in chat.messages if not each.message.key.fromMe]
    from_others.sort(key=lambda info: info.messageTimestamp, reverse=True)
    return frozenset(info.key.ID for info in from_others[: chat.unreadCount])


def _row(
    session_id: str, info: Any, chat: str, own_jid: str, phones: Mapping[str, str], *, unread: bool
) -> Message | None:
    message = unwrapped(info.message)
    content = read_content(message)
    if not isinstance(content, Content) or not info.key.ID:
        return None
    try:
        at = datetime.fromtimestamp(info.messageTimestamp, UTC)
    except (ValueError, OverflowError):
        return None
    if info.messageSecret and not message.messageContextInfo.messageSecret:
        copy = type(message)()
        copy.CopyFrom(message)
        copy.messageContextInfo.messageSecret = info.messageSecret
        message = copy
    from_me = info.key.fromMe
    author = storable(info.participant or info.key.participant) or chat
    status = _STATUSES.get(info.status, MessageStatus.SENT)
    if not from_me:
        status = MessageStatus.RECEIVED if unread else MessageStatus.READ
    return Message(
        session_id=session_id,
        id=new_id("msg"),
        wa_id=storable(info.key.ID),
        chat=chat,
        sender=own_jid if from_me else phone_first(author, phones.get(author))[0],
        from_me=from_me,
        type=content.kind,
        text=content.text,
        payload=content.json,
        status=status,
        raw=kept_message(message),
        history=True,
        occurred_at=at,
    )
