"""What a phone knows of messages: those that reached it, and those that were written on it."""

from collections.abc import Iterator

from loopback.accounts import Account, Accounts
from loopback.composing import Known
from loopback.history import History, InboxMessage, SentMessage
from loopback.store import Store
from loopback.wire.node import JID

__all__ = ["Memory"]

INBOX = 1000  # messages a phone remembers
SENT = 500  # messages it can send again


class Memory:
    """One phone's. What it got names people by number, as the store keeps it; `Known` by identifier."""

    def __init__(self, store: Store, account: Account, accounts: Accounts) -> None:
        self._account = account
        self._accounts = accounts
        self.inbox = History(store, "inbox", account.phone, InboxMessage, INBOX)
        self.sent = History(store, "sent", account.phone, SentMessage, SENT)

    def received(self, message_id: str) -> InboxMessage:
        """A message that reached the phone. Raises LookupError."""
        for message in reversed(self.inbox):
            if message.id == message_id:
                return message
        raise LookupError("no such message has reached the phone")

    def written(self, message_id: str | None) -> SentMessage | None:
        """A message that was written on the phone."""
        return next((message for message in reversed(self.sent) if message.id == message_id), None)

    def known(self, message_id: str) -> Known:
        """A message of either kind. Raises LookupError."""
        for known in reversed(self.all()):
            if known.id == message_id:
                return known
        raise LookupError("the phone knows no such message")

    def all(self) -> list[Known]:
        """Messages of both kinds, oldest first."""
        return sorted([*self._received(), *self._written()], key=lambda message: message.timestamp)

    def _received(self) -> Iterator[Known]:
        for message in self.inbox:
            writer = self._accounts.by_phone(message.sender)
            peer = self._accounts.by_phone(message.chat)
            yield Known(
                message.id,
                chat=peer.lid_jid if peer is not None else JID.parse(message.chat),
                author=writer.lid_jid if writer is not None else self._account.lid_jid,
                from_me=message.from_me,
                timestamp=message.timestamp,
                raw=message.raw,
            )

    def _written(self) -> Iterator[Known]:
        for message in self.sent:
            yield Known(
                message.id,
                chat=JID.parse(message.to),
                author=self._account.lid_jid,
                from_me=True,
                timestamp=message.timestamp,
                raw=message.raw,
            )
