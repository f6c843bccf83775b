"""Presence and typing: who is there, told only to those who are there themselves and asked."""

import time
from collections.abc import Callable, Iterable

from attrs import frozen

from loopback.accounts import Account, Accounts
from loopback.addresses import Attrs
from loopback.connection import Connection
from loopback.groups import Groups
from loopback.wire.node import GROUP, JID, Node

__all__ = ["Presence", "Typing"]


@frozen
class Typing:
    """What somebody does in a chat, as last told."""

    chat: str  # phone number, or the group's address
    writer: str  # phone number
    state: str  # composing or paused
    media: str  # audio or text


# Any other child ends the event loop of whatsmeow's users.
TYPING = {"composing", "paused"}


class Presence:
    """Who is available and who watches whom. Nothing of this outlives a connection."""

    def __init__(
        self, accounts: Accounts, groups: Groups, connections: Callable[[Account], Iterable[Connection]]
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._connections = connections
        self._watchers: dict[str, dict[Connection, JID]] = {}  # lid of the watched
        self._phones: set[str] = set()  # lids of those who look at their phones
        self._typing: dict[str, dict[tuple[str, str], Typing]] = {}  # lid of who sees it; chat and writer

    def handle(self, connection: Connection, node: Node) -> None:
        """Take a `presence` stanza of a device."""
        account = connection.account
        assert account is not None
        kind = node.attr("type") or "available"
        if kind == "subscribe":
            asked = node.jid("to")
            watched = self._accounts.resolve(asked)
            if watched is not None and asked is not None and account.lid not in watched.blocked:
                self._watchers.setdefault(watched.lid, {})[connection] = asked
                self._tell(connection, asked, watched)
            return
        if name := node.attr("name"):
            account.name = name
            self._accounts.save(account)
        self._set(connection, available=kind == "available")

    def gone(self, connection: Connection) -> None:
        """A device's link is gone; it counts as unavailable."""
        for watchers in self._watchers.values():
            watchers.pop(connection, None)
        self._set(connection, available=False)

    def typing(self, account: Account, node: Node, own: Connection | None = None) -> None:
        """Pass a `chatstate` on to the connected devices of the chat."""
        to = node.jid("to")
        child = next((child for child in node.children() if child.tag in TYPING), None)
        if to is None or child is None:
            return
        group = self._groups.find(to)
        people = self._groups.members(group) if group is not None else [self._accounts.resolve(to)]
        attrs: Attrs = {"from": account.lid_jid}
        if to.server == GROUP:
            attrs = {"from": to, "participant": account.lid_jid}
        for person in people:
            if person is None or person is account or account.lid in person.blocked:
                continue
            chat = account.phone if group is None else str(to)
            seen = Typing(chat, account.phone, child.tag, child.attr("media") or "text")
            self._typing.setdefault(person.lid, {})[chat, account.phone] = seen
            for connection in self._connections(person):
                if connection is not own and connection.active:
                    connection.send(Node("chatstate", attrs, child))

    def typing_seen(self, account: Account) -> list[Typing]:
        """What others do in the account's chats, as last told."""
        return list(self._typing.get(account.lid, {}).values())

    def set_phone(self, account: Account, *, available: bool) -> None:
        """Somebody begins or ends to look at their phone."""
        if available == (account.lid in self._phones):
            return
        if available:
            self._phones.add(account.lid)
        else:
            self._phones.discard(account.lid)
        self._changed(account, available=available)

    def available(self, account: Account) -> bool:
        """Whether somebody is there, at the phone or at a companion."""
        return account.lid in self._phones or any(c.available for c in self._connections(account))

    def _set(self, connection: Connection, *, available: bool) -> None:
        account = connection.account
        if account is None or connection.available == available:
            return
        connection.available = available
        self._changed(account, available=available)

    def _changed(self, account: Account, *, available: bool) -> None:
        if not available:
            account.last_seen = int(time.time())
            self._accounts.save(account)
        for watcher, asked in list(self._watchers.get(account.lid, {}).items()):
            self._tell(watcher, asked, account)

    def _tell(self, watcher: Connection, asked: JID, watched: Account) -> None:
        if not watcher.available:
            return
        attrs: Attrs = {"from": asked}
        if not self.available(watched):
            account = watcher.account
            hidden = account is None or not watched.shows("last", account) or not watched.last_seen
            attrs |= {"type": "unavailable", "last": "deny" if hidden else watched.last_seen}
        watcher.send(Node("presence", attrs))
