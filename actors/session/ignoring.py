"""Chats that a session does not want to hear of: what is said there is neither stored nor announced."""

from collections.abc import Iterable

from attrs import field, frozen

from actors.whatsapp.events import (
    ChannelUpdated,
    ChatPresence,
    ClientEvent,
    MessageArrived,
    OldCounter,
    UndecryptableMessage,
)

_STATUS = "status@broadcast"


def _jids(chats: Iterable[str]) -> frozenset[str]:
    return frozenset(chats)


@frozen(kw_only=True)
class Ignored:
    """Which chats: of these kinds, and these by name. Receipts are told all the same."""

    groups: bool = False
    channels: bool = False
    status: bool = False
    """People's stories."""
    broadcasts: bool = False
    """What people write to many at once."""
    chats: frozenset[str] = field(default=frozenset(), converter=_jids)
    """JIDs, by number or LID."""

    def covers(self, event: ClientEvent) -> bool:
        """Whether an event is something said, or being typed, in such a chat."""
        match event:
            case (
                MessageArrived(chat=chat, chat_alt=alt)
                | UndecryptableMessage(chat=chat, chat_alt=alt)
                | OldCounter(chat=chat, chat_alt=alt)
            ):
                return self.covers_chat(chat) or (alt is not None and self.covers_chat(alt))
            case ChatPresence(chat=chat, sender=sender, sender_alt=alt, is_group=is_group):
                named = {chat} if is_group else {chat, sender, alt}
                return self.covers_chat(chat) or not self.chats.isdisjoint(named)
            case ChannelUpdated(jid=jid):
                return self.covers_chat(jid)
            case _:
                return False

    def covers_chat(self, chat: str) -> bool:
        """Whether a chat, by this address, is one of them."""
        if chat in self.chats:
            return True
        match chat.rpartition("@")[2]:
            case "g.us":
                return self.groups
            case "newsletter":
                return self.channels
            case "broadcast":
                return self.status if chat == _STATUS else self.broadcasts
            case _:
                return False
