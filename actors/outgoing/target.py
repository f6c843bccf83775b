"""The stored message that another one is about: what it quotes, edits, votes on or forwards."""

from typing import Any

from attrs import field, frozen

from actors.errors import MessageUnsuitable
from actors.session.keys import Key, key_of_stored
from actors.whatsapp.proto import e2e
from actors.whatsapp.wrapping import unwrapped
from storage.rows import Message

_GROUP = "@g.us"


@frozen(kw_only=True)
class Target:
    """A message that WhatsApp knows."""

    row: Message
    author: str
    """Its author's address in the form that its chat uses."""
    message: Any = field(repr=False)
    """The `waE2E.Message` without envelopes; an empty one where it is not kept."""

    @property
    def wa_id(self) -> str:
        assert self.row.wa_id is not None  # `target_of` has seen to it
        return self.row.wa_id

    @property
    def in_group(self) -> bool:
        return self.row.chat.endswith(_GROUP)

    def put_key(self, key: Any, chat: str) -> None:
        """Fill a `MessageKey` that names the message to others in its chat."""
        key.remoteJID = chat
        key.fromMe = self.row.from_me
        key.ID = self.wa_id
        if self.in_group and not self.row.from_me:
            key.participant = self.author

    @property
    def key(self) -> Key:
        """Its key as events show it."""
        return key_of_stored(self.row)

    def unsuitable(self, reason: str) -> MessageUnsuitable:
        return MessageUnsuitable(message_id=self.row.public_id, reason=reason)


def target_of(row: Message, author: str) -> Target:
    """The stored message as a target. Raises MessageUnsuitable when WhatsApp does not have it (yet)."""
    if row.wa_id is None:
        raise MessageUnsuitable(message_id=row.id, reason="WhatsApp does not have it")
    return Target(row=row, author=author, message=unwrapped(e2e.Message.FromString(row.raw or b"")))
