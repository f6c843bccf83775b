"""A simulated phone: a person's device 0, which writes, reads and confirms messages by every client's rules.

It encrypts and decrypts for itself; the network learns no more from it than from a companion. What reached it
can be looked up, which is what tests and demonstrations are for.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, frozen

from loopback import composing, proto
from loopback.accounts import PHONE, Account, Accounts, Business
from loopback.addresses import Attrs
from loopback.answers import Refused
from loopback.businesses import certificate
from loopback.companions import Companions
from loopback.content import content_field, subject_of, text_of, unwrapped
from loopback.deliveries import Deliveries, settling_key
from loopback.groups import Groups
from loopback.history import InboxMessage, SentMessage
from loopback.keyring import Keyring
from loopback.log import log
from loopback.media import Media
from loopback.memory import Memory
from loopback.outgoing import Outgoing
from loopback.prekeys import Prekeys, bundle_nodes
from loopback.receipts import message_ids
from loopback.settings import Settings
from loopback.signal import KeyPair, SignalError
from loopback.signal.errors import DuplicateError
from loopback.signal.keyshare import AppStateKey
from loopback.signal.padding import unpad
from loopback.store import Store
from loopback.synced import Synced
from loopback.wire.node import BROADCAST, GROUP, JID, NEWSLETTER, STATUS, Node

__all__ = ["Phone", "Post"]

MOST_RETRIES = 4


@define(eq=False)
class Choices:
    """A phone's own choices, kept over a restart."""

    auto_read: bool
    state_key: AppStateKey


@frozen
class Post:
    """Where a phone puts what it sends: the same entrances that clients' stanzas go through."""

    message: Callable[[Account, int, Node], Node]
    receipt: Callable[[Account, int, Node], Node]
    trust: Callable[[Account, Account, int], None]
    """Somebody was written to at a Unix second, and may answer."""


class Phone:
    """One account's phone."""

    def __init__(
        self,
        store: Store,
        account: Account,
        *,
        accounts: Accounts,
        groups: Groups,
        prekeys: Prekeys,
        deliveries: Deliveries,
        settings: Settings,
        media: Media,
        post: Post,
        auto_read: bool = False,
    ) -> None:
        self.account = account
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._deliveries = deliveries
        self._post = post
        self._keys = Keyring(store, account.phone)
        self._outgoing = Outgoing(account, self._keys, prekeys)
        choices = store.get("phone", account.phone, Choices)
        if choices is None:
            choices = Choices(auto_read, AppStateKey.generate(int(time.time() * 1000)))
            store.put("phone", account.phone, choices)
            prekeys.deposit(account.lid_jid, self._keys.bundle())
        self._choices = choices
        self.synced = Synced(account, settings, choices.state_key)
        """What the phone shares with its companions: archived, pinned and muted chats, names."""
        self.memory = Memory(store, account, accounts)
        """The messages that reached the phone and that were written on it."""
        self.companions = Companions(
            account,
            self.memory,
            self.synced,
            choices.state_key,
            accounts=accounts,
            groups=groups,
            media=media,
            tell=self._tell,
        )
        """What the phone does for them."""

    @property
    def identity(self) -> KeyPair:
        """The account's identity, with which it signs for its companions."""
        return self._keys.identity

    @property
    def auto_read(self) -> bool:
        return self._choices.auto_read

    @auto_read.setter
    def auto_read(self, on: bool) -> None:
        self._choices.auto_read = on
        self._store.put("phone", self.account.phone, self._choices)

    # --- Writing: all raise LookupError for what is not there, Refused for what the network refuses --------

    def write(self, to: JID, message: Any) -> SentMessage:
        """Send a waE2E.Message to a person, group or channel, or to `status@broadcast`."""
        now = int(time.time())
        sent = SentMessage("3A" + secrets.token_hex(9).upper(), "", now, message.SerializeToString())
        if (group := self._groups.find(to)) is not None:
            if self.account.lid not in group.members:
                raise LookupError("this phone is not in the group")
            sent.to = str(group.jid)
            stanza = self._outgoing.to_group(group.jid, self._groups.members(group), sent)
        elif to.server == NEWSLETTER:
            sent.to = str(to)
            stanza = self._outgoing.to_channel(to, sent)
        elif to.server == BROADCAST:
            sent.to = str(STATUS)
            people = map(self._accounts.by_lid, [self.account.lid, *self.account.contacts])
            audience = [person for person in people if person is not None]
            stanza = self._outgoing.to_group(STATUS, audience, sent)
        else:
            receiver = self._accounts.resolve(to)
            if receiver is None:
                raise LookupError("this number is not registered")
            sent.to = str(receiver.lid_jid)
            stanza = self._outgoing.to_person(receiver, sent)
            if receiver is not self.account:
                self._post.trust(self.account, receiver, now)
        self.memory.sent.add(sent)  # first: whoever cannot read it asks at once
        error = self._post.message(self.account, PHONE, stanza).attr("error")
        if error is not None:
            raise Refused(int(error), "the network does not take the message")
        return sent

    def react(self, message_id: str, emoji: str) -> SentMessage:
        """React to a message; without an emoji no longer."""
        known = self.memory.known(message_id)
        return self.write(known.chat, composing.reaction(known, emoji))

    def edit(self, message_id: str, text: str) -> SentMessage:
        """Give an own message another text."""
        known = self.memory.known(message_id)
        if not known.from_me:
            raise LookupError("somebody else wrote this message")
        return self.write(known.chat, composing.edit(known, text))

    def revoke(self, message_id: str) -> SentMessage:
        """Take a message back, or as an admin somebody else's."""
        known = self.memory.known(message_id)
        return self.write(known.chat, composing.revocation(known))

    def vote(self, message_id: str, options: Sequence[str]) -> SentMessage:
        """Vote in a poll; for nothing to take a vote back."""
        known = self.memory.known(message_id)
        return self.write(known.chat, composing.vote(known, self.account.lid_jid, options))

    # --- What it is and sets ------------------------------------------------------------------------------

    def rename(self, name: str) -> None:
        """Call oneself something else; others see it with the next message."""
        self.account.name = name
        self._accounts.save(self.account)
        self.synced.name_self(name)

    def name_contact(self, person: Account, full_name: str, first_name: str) -> None:
        """Put somebody into the address book."""
        self.account.contacts[person.lid] = full_name
        self._accounts.save(self.account)
        self.synced.name_contact(person, full_name, first_name)

    def become_business(self, business: Business | None) -> None:
        """Show a business, whose name the phone signs, or none any more."""
        if business is not None:
            business = evolve(business, certificate=certificate(business.name, self.identity))
        self.account.business = business
        self._accounts.save(self.account)

    def _tell(self, number: int, message: Any) -> None:
        """Send a message of the phone's own to one companion."""
        stanza = self._outgoing.to_companion(number, "3A" + secrets.token_hex(9).upper(), message)
        if stanza is not None:
            self._post.message(self.account, PHONE, stanza)

    # --- Reading ------------------------------------------------------------------------------------------

    def read(self, message_id: str, *, played: bool = False) -> None:
        """The user reads a message, or listens to it. Raises LookupError if it did not arrive."""
        message = self.memory.received(message_id)
        writer = self._accounts.by_phone(message.sender)
        if writer is not None and not message.from_me:
            in_group = "@" in message.chat
            self._read(
                message.id,
                JID.parse(message.chat) if in_group else writer.lid_jid,
                writer.lid_jid if in_group else None,
                "played" if played else "read",
            )

    def _read(self, message_id: str, chat: JID, author: JID | None, kind: str = "read") -> None:
        hidden = self.account.privacy.get("readreceipts") == "none" and chat.server != GROUP
        attrs: Attrs = {
            "id": message_id,
            "type": f"{kind}-self" if hidden else kind,
            "to": chat,
            "participant": author,
        }
        self._post.receipt(self.account, PHONE, Node("receipt", attrs))

    # --- Receiving ----------------------------------------------------------------------------------------

    def receive(self, node: Node) -> None:
        """Take a stanza from the phone's queue; it is settled even if it cannot be handled."""
        sender = node.jid("from")
        try:
            match node.tag:
                case "message" if sender is not None:
                    self._receive_message(node, sender)
                case "receipt" if sender is not None:
                    self._receive_receipt(node, sender)
        finally:
            self._deliveries.settle(self.account.lid_jid, *settling_key(node))

    def _receive_message(self, node: Node, sender: JID) -> None:
        author = node.jid("participant") or sender
        content = None
        for enc in node.children("enc"):
            try:
                plaintext = self._decrypt(enc, sender, author)
            except DuplicateError:  # handed over again after a restart in between; or its sender went back
                log("message_known", phone=self.account.phone, id=node.attr("id"))
                continue
            except SignalError as unreadable:
                log("message_unreadable", phone=self.account.phone, id=node.attr("id"), reason=unreadable)
                self._ask_again(node, enc)
                return
            message = proto.e2e.Message.FromString(plaintext)
            if message.HasField("senderKeyDistributionMessage"):
                told = message.senderKeyDistributionMessage
                self._keys.process_distribution(
                    told.groupID, str(author), told.axolotlSenderKeyDistributionMessage
                )
            if content_field(message) is not None:
                content = message
        own = self._accounts.resolve(author) is self.account
        self._confirm(node, "sender" if own else None)
        if content is not None:
            self._take_in(node, sender, author, content, own=own)

    def _decrypt(self, enc: Node, sender: JID, author: JID) -> bytes:
        kind = enc.attr("type") or ""
        if kind == "skmsg":
            return unpad(self._keys.group_decrypt(str(sender), str(author), enc.data))
        return unpad(self._keys.decrypt(str(author), kind, enc.data))

    def _take_in(self, node: Node, sender: JID, author: JID, message: Any, *, own: bool) -> None:
        field = content_field(message)
        chat = sender
        if field == "deviceSentMessage":
            if not own:
                return
            chat = JID.parse(message.deviceSentMessage.destinationJID)
            message = message.deviceSentMessage.message
        if own and node.attr("category") == "peer":
            companion = self.account.devices[author.device]
            self.companions.serve(companion, node.attr("id") or "", message.protocolMessage)
            return
        field = content_field(unwrapped(message))
        writer = self._accounts.resolve(author)
        if field is None or writer is None:
            return
        entry = InboxMessage(
            id=node.attr("id") or "",
            sender=writer.phone,
            chat=self._chat_name(chat),
            from_me=own,
            type=field,
            text=text_of(message),
            timestamp=int(node.attr("t") or 0),
            raw=message.SerializeToString(),
            about=subject_of(message),
            choices=self._choices_in(message, writer) if field == "pollUpdateMessage" else None,
        )
        self.memory.inbox.add(entry)
        if self.auto_read and not own:
            in_group = sender.server in {GROUP, BROADCAST}
            self._read(entry.id, sender.bare, author.bare if in_group else None)

    def _choices_in(self, message: Any, voter: Account) -> list[str] | None:
        try:
            poll = self.memory.known(subject_of(message))
        except LookupError:
            return None
        author = self._accounts.resolve(poll.author)
        if author is None:
            return None
        own, theirs = (author.lid_jid, author.pn_jid), (voter.lid_jid, voter.pn_jid)
        return composing.choices(message, poll, own, theirs)

    def _confirm(self, node: Node, kind: str | None) -> None:
        attrs = _answer_attrs(node) | {"type": "peer_msg" if node.attr("category") == "peer" else kind}
        self._post.receipt(self.account, PHONE, Node("receipt", attrs))

    def _ask_again(self, node: Node, enc: Node) -> None:
        """Ask the sender for the message once more, showing the keys for a new session."""
        count = int(enc.attr("count") or 0) + 1
        if count > MOST_RETRIES:
            return
        bundle = self._keys.bundle()
        retry = Node("retry", {"count": count, "id": node.attr("id"), "t": node.attr("t"), "v": 1})
        parts = [
            retry,
            Node("registration", {}, bundle.registration_id.to_bytes(4, "big")),
            Node("keys", {}, bundle_nodes(bundle)),
        ]
        attrs = _answer_attrs(node) | {"type": "retry"}
        self._post.receipt(self.account, PHONE, Node("receipt", attrs, parts))

    # --- Receipts -----------------------------------------------------------------------------------------

    def _receive_receipt(self, node: Node, sender: JID) -> None:
        if node.attr("type") == "server-error":
            self._deliveries.put(sender, self.companions.upload_again(node))
            return
        reader_jid = node.jid("participant") or sender
        reader = self._accounts.resolve(reader_jid)
        if reader is None:
            return
        for sent in filter(None, map(self.memory.written, message_ids(node))):
            if node.attr("type") == "retry":
                self._send_again(node, sent, reader_jid)
                continue
            kind = node.attr("type") or "delivered"
            if all(known[:2] != (kind, reader.phone) for known in sent.receipts):
                sent.receipts.append((kind, reader.phone, int(node.attr("t") or 0)))
                self.memory.sent.changed(sent)

    def _send_again(self, node: Node, sent: SentMessage, device: JID) -> None:
        """Somebody could not read a message: again, in a new session."""
        retry = node.child("retry")
        count = int(retry.attr("count") or 1) if retry is not None else 1
        stanza = self._outgoing.again(device, sent, count)
        if stanza is not None:
            self._post.message(self.account, PHONE, stanza)

    def _chat_name(self, chat: JID) -> str:
        account = self._accounts.resolve(chat)
        return account.phone if account is not None else str(chat)


def _answer_attrs(node: Node) -> dict[str, str | JID | None]:
    return {
        "id": node.attr("id"),
        "to": node.jid("from"),
        "participant": node.jid("participant"),
        "recipient": node.jid("recipient"),
    }
