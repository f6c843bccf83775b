"""Which message of which chat, in both forms of address that WhatsApp has for a person."""

from attrs import frozen

from actors.whatsapp.events import MessageArrived, UndecryptableMessage
from actors.whatsapp.jid import PHONE
from storage.rows import Json, Message

PHONE_SERVER = f"@{PHONE}"


@frozen(kw_only=True)
class Key:
    """Which message of which chat, in both forms of address; Baileys' `key`."""

    chat: str
    chat_alt: str | None
    from_me: bool
    id: str
    participant: str | None = None
    participant_alt: str | None = None

    def json(self) -> Json:
        key: Json = {"remoteJid": self.chat, "fromMe": self.from_me, "id": self.id}
        for name, value in (
            ("remoteJidAlt", self.chat_alt),
            ("participant", self.participant),
            ("participantAlt", self.participant_alt),
        ):
            if value:
                key[name] = value
        return key


def phone_first(one: str, other: str | None) -> tuple[str, str | None]:
    """Two addresses of one party, the phone number's first where it is known."""
    if other and other.endswith(PHONE_SERVER) and not one.endswith(PHONE_SERVER):
        return other, one
    return one, other


def key_of(event: MessageArrived | UndecryptableMessage, message_id: str) -> Key:
    """The key of a message in the chat of this event, by its sender."""
    chat, chat_alt = phone_first(event.chat, event.chat_alt)
    if not event.is_group:
        return Key(chat=chat, chat_alt=chat_alt, from_me=event.from_me, id=message_id)
    author, author_alt = phone_first(event.sender, event.sender_alt)
    return Key(
        chat=chat,
        chat_alt=chat_alt,
        from_me=event.from_me,
        id=message_id,
        participant=author,
        participant_alt=author_alt,
    )


def key_of_stored(row: Message) -> Key:
    """The key of a stored message that WhatsApp knows."""
    assert row.wa_id is not None
    participant = row.sender if row.chat.endswith(("@g.us", "@broadcast")) else None
    return Key(chat=row.chat, chat_alt=None, from_me=row.from_me, id=row.wa_id, participant=participant)
