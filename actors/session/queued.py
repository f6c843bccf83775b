"""What becomes of a queued message, as writes: stored, put off, sent again, given up."""

from datetime import UTC, datetime

from attrs import evolve

from actors.outgoing.content import Text
from actors.outgoing.describe import described
from actors.outgoing.intent import Intent, from_json, to_json
from actors.session.inbound import update_data
from actors.session.keys import PHONE_SERVER, Key
from actors.session.messages import Send
from actors.whatsapp.jid import phone_jid
from storage.ids import new_id
from storage.rows import Message, MessageStatus
from storage.writes import NewEvent, StoreMessage, UpdateMessage

CANCELLED, EXPIRED, INTERRUPTED = "cancelled", "expired", "interrupted"
"""What a message's `error` says when nobody wanted it any more, when it was too late for it, and when the
gateway or the session ended while it was sent."""


def queue(send: Send, session_id: str, own_jid: str, batch_id: str | None = None) -> StoreMessage:
    """Keep a message until its turn comes."""
    intent = Intent(to=send.to, content=send.content, options=send.options)
    kind, text, payload = described(intent)
    chat = send.to if "@" in send.to else phone_jid(send.to)
    message = Message(
        session_id=session_id,
        id=new_id("msg"),
        chat=chat,
        sender=own_jid,
        recipient_phone=chat.removesuffix(PHONE_SERVER) if chat.endswith(PHONE_SERVER) else None,
        from_me=True,
        type=kind,
        text=text,
        payload=payload,
        status=MessageStatus.QUEUED,
        client_ref=send.client_ref,
        intent=to_json(intent),
        priority=send.priority,
        send_at=send.send_at,
        expires_at=send.expires_at,
        batch_id=batch_id or send.batch_id,
        claim_id=send.claim_id,
    )
    return StoreMessage(
        message=message, events=(_update(message, MessageStatus.QUEUED, send_at=send.send_at),)
    )


def give_up(message: Message, error: str) -> UpdateMessage:
    """Send it no more, if it still waits."""
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        status=MessageStatus.FAILED,
        only_from=MessageStatus.QUEUED,
        error=error,
        events=(_update(message, MessageStatus.FAILED, error=error),),
    )


def put_off(message: Message, until: datetime) -> UpdateMessage:
    """Send it then, if it still waits."""
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        only_from=MessageStatus.QUEUED,
        send_at=until,
        events=(_update(message, MessageStatus.QUEUED, send_at=until),),
    )


def reword(message: Message, text: str, send_at: datetime | None = None) -> UpdateMessage:
    """Have it say something else, if it still waits as it is; and send it then, where that is given.

    Raises ValueError for what is no text.
    """
    assert message.intent is not None  # it is queued
    intent = from_json(message.intent)
    if not isinstance(intent.content, Text):
        raise ValueError(message.type)  # noqa: TRY004 - the message's kind, not a Python type
    # What was shown below a link of the old text says nothing about the new one.
    intent = evolve(intent, content=Text(text=text))
    _, said, payload = described(intent)
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        only_from=MessageStatus.QUEUED,
        unchanged_since=message.updated_at,
        intent=to_json(intent),
        text=said,
        payload=payload,
        send_at=send_at,
        events=(_update(message, MessageStatus.QUEUED, send_at=send_at or message.send_at),),
    )


def put_back(message: Message, until: datetime | None = None) -> UpdateMessage:
    """Let it wait again, although it was `sending`: nothing of it went out."""
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        status=MessageStatus.QUEUED,
        again=True,
        only_from=MessageStatus.SENDING,
        send_at=until,
        events=(_update(message, MessageStatus.QUEUED, send_at=until),),
    )


def send_again(message: Message) -> UpdateMessage:
    """Queue a message that failed, or of which it is not known whether it went out."""
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        status=MessageStatus.QUEUED,
        again=True,
        events=(_update(message, MessageStatus.QUEUED),),
    )


def interrupted(message: Message) -> UpdateMessage:
    """Nobody is left who was sending it: WhatsApp may have it or not."""
    return UpdateMessage(
        session_id=message.session_id,
        id=message.id,
        status=MessageStatus.UNKNOWN,
        only_from=MessageStatus.SENDING,
        error=INTERRUPTED,
        events=(_update(message, MessageStatus.UNKNOWN, error=INTERRUPTED),),
    )


def _update(
    message: Message, status: MessageStatus, *, error: str | None = None, send_at: datetime | None = None
) -> NewEvent:
    at = datetime.now(UTC)
    key = Key(chat=message.chat, chat_alt=None, from_me=True, id=message.public_id)
    data = update_data(key, status, at, error)
    if send_at is not None:
        data["sendAt"] = send_at.isoformat()
    return NewEvent("messages.update", data, at)
