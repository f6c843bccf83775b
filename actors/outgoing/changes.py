"""What is done to an earlier message: a reaction, an edit, a pin, and deleting it for everyone."""

import time
from datetime import UTC, datetime, timedelta

from attrs import evolve

from actors.outgoing.draft import Also, Draft
from actors.outgoing.target import Target
from actors.session.altered import edit_of, revoke_of
from actors.whatsapp.client import SendResult
from actors.whatsapp.edits import edited
from actors.whatsapp.proto import e2e
from actors.whatsapp.wrapping import media_part, part_of
from storage.rows import now
from storage.writes import Append, NewEvent

NEWSLETTER = "@newsletter"
_EDIT_WINDOW = timedelta(minutes=20)  # whatsmeow's EditWindow; in channels it is a month
_EDITABLE = frozenset(
    {"conversation", "extendedTextMessage", "imageMessage", "videoMessage", "documentMessage"}
)


def reaction(target: Target, emoji: str, *, chat: str, own_jid: str) -> Draft:
    """An emoji on a message; an empty one takes it back."""
    message = e2e.Message()
    put = message.reactionMessage
    target.put_key(put.key, chat)
    put.text = emoji
    put.senderTimestampMS = _now_ms()

    def then(result: SendResult) -> Also:
        by = own_jid if target.in_group else None
        own = evolve(target.key, from_me=True, id=result.message_id, participant=by)
        data = {"key": target.key.json(), "reaction": {"key": own.json(), "text": emoji}}
        event = NewEvent("messages.reaction", data, _time_of(result))
        return (Append(target.row.session_id, (event,)),)

    return Draft(message=message, then=then)


def edit(target: Target, text: str, *, chat: str) -> Draft:
    """New words for a message of ours: its text, or its file's caption.

    Raises MessageUnsuitable for somebody else's, for what has no words, and for one so old that WhatsApp's
    clients would not take the edit.
    """
    part = part_of(target.message)
    if not target.row.from_me:
        raise target.unsuitable("it is somebody else's")
    if now() - target.row.occurred_at > _EDIT_WINDOW and not chat.endswith(NEWSLETTER):
        raise target.unsuitable("it is too old to be edited")
    if part is None or part[0] not in _EDITABLE:
        raise target.unsuitable("it has no words that could be edited")
    words = e2e.Message(conversation=text)
    change = edited(target.message, words) if media_part(target.message) is not None else words
    change.ClearField("messageContextInfo")
    message = e2e.Message()
    protocol = message.editedMessage.message.protocolMessage
    target.put_key(protocol.key, chat)
    protocol.type = e2e.ProtocolMessage.MESSAGE_EDIT
    protocol.editedMessage.CopyFrom(change)
    protocol.timestampMS = _now_ms()

    def then(result: SendResult) -> Also:
        return (edit_of(target.row, change, target.key.json(), _time_of(result)),)

    return Draft(message=message, then=then)


def revoke(target: Target, *, chat: str, own_jid: str) -> Draft:
    """Delete a message for everyone: one's own, or in a group whose admin one is anybody's.

    Raises MessageUnsuitable for what somebody else wrote to us alone.
    """
    if not target.row.from_me and not target.in_group:
        raise target.unsuitable("it is somebody else's")
    message = e2e.Message()
    protocol = message.protocolMessage
    protocol.type = e2e.ProtocolMessage.REVOKE
    target.put_key(protocol.key, chat)

    def then(result: SendResult) -> Also:
        return (revoke_of(target.row, target.key.json(), own_jid, _time_of(result)),)

    return Draft(message=message, then=then)


def pin(target: Target, seconds: int, *, chat: str) -> Draft:
    """Pin a message in its chat for so long; 0 seconds take the pin away."""
    message = e2e.Message()
    put = message.pinInChatMessage
    target.put_key(put.key, chat)
    put.type = e2e.PinInChatMessage.PIN_FOR_ALL if seconds else e2e.PinInChatMessage.UNPIN_FOR_ALL
    put.senderTimestampMS = _now_ms()
    if seconds:
        message.messageContextInfo.messageAddOnDurationInSecs = seconds
        message.messageContextInfo.messageAddOnExpiryType = e2e.MessageContextInfo.STATIC
    return Draft(message=message)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _time_of(result: SendResult) -> datetime:
    return datetime.fromtimestamp(result.timestamp, UTC)
