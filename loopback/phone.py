"""A simulated phone: a person's device 0, which writes, reads and confirms messages by every client's rules.

It encrypts and decrypts for itself; the network learns no more from it than from a companion. What reached it
can be looked up, which is what tests and demonstrations are for.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any

from attrs import define, frozen

from loopback import proto
from loopback.accounts import PHONE, Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.content import content_field, own_copy, stanza_type, text_of, with_distribution
from loopback.deliveries import Deliveries, settling_key
from loopback.groups import Groups
from loopback.history import History, InboxMessage, SentMessage
from loopback.keyring import Keyring
from loopback.log import log
from loopback.prekeys import Prekeys, bundle_nodes
from loopback.signal import KeyPair, SignalError
from loopback.signal.errors import DuplicateError
from loopback.signal.keyshare import AppStateKey, key_share
from loopback.signal.padding import pad, unpad
from loopback.store import Store
from loopback.wire.node import GROUP, JID, Node

__all__ = ["Phone", "Post"]

INBOX = 1000  # messages a phone remembers
SENT = 500  # messages it can send again
MOST_RETRIES = 4


@define(eq=False)
class Settings:
    """A phone's own choices, kept over a restart."""

    auto_read: bool
    state_key: AppStateKey


@frozen
class Post:
    """Where a phone puts what it sends: the same entrances that clients' stanzas go through."""

    message: Callable[[Account, int, Node], Node]
    receipt: Callable[[Account, int, Node], Node]


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
        post: Post,
        auto_read: bool = False,
    ) -> None:
        self.account = account
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._prekeys = prekeys
        self._deliveries = deliveries
        self._post = post
        self._keys = Keyring(store, account.phone)
        settings = store.get("phone", account.phone, Settings)
        if settings is None:
            settings = Settings(auto_read, AppStateKey.generate(int(time.time() * 1000)))
            store.put("phone", account.phone, settings)
            prekeys.deposit(account.lid_jid, self._keys.bundle())
        self._settings = settings
        self.inbox = History(store, "inbox", account.phone, InboxMessage, INBOX)
        """What reached the phone."""
        self.sent = History(store, "sent", account.phone, SentMessage, SENT)
        """What was written on the phone."""

    @property
    def identity(self) -> KeyPair:
        """The account's identity, with which it signs for its companions."""
        return self._keys.identity

    @property
    def auto_read(self) -> bool:
        return self._settings.auto_read

    @auto_read.setter
    def auto_read(self, on: bool) -> None:
        self._settings.auto_read = on
        self._save_settings()

    # --- Writing ------------------------------------------------------------------------------------------

    def write(self, to: JID, message: Any) -> SentMessage:
        """Send a waE2E.Message to a person or group. Raises LookupError for a chat that is not there."""
        sent = SentMessage(
            "3A" + secrets.token_hex(9).upper(), "", int(time.time()), message.SerializeToString()
        )
        group = self._groups.find(to)
        if group is not None:
            if self.account.lid not in group.members:
                raise LookupError("this phone is not in the group")
            sent.to = str(group.jid)
            stanza = self._group_stanza(group.jid, self._groups.members(group), sent)
        else:
            receiver = self._accounts.resolve(to)
            if receiver is None:
                raise LookupError("this number is not registered")
            sent.to = str(receiver.lid_jid)
            stanza = self._personal_stanza(receiver, sent)
        self.sent.add(sent)
        self._post.message(self.account, PHONE, stanza)
        return sent

    def greet(self, device: Device) -> None:
        """Share the keys of the synced settings with a new companion."""
        address = self.account.lid_jid.with_device(device.number)
        enc = self._encrypt(address, key_share([self._settings.state_key]).SerializeToString())
        if enc is None:
            return
        attrs: Attrs = {
            "to": address,
            "id": "3A" + secrets.token_hex(9).upper(),
            "type": "protocol",
            "category": "peer",
        }
        self._post.message(self.account, PHONE, Node("message", attrs, enc))

    def _personal_stanza(self, receiver: Account, sent: SentMessage) -> Node:
        plaintexts = dict.fromkeys(receiver.device_jids, sent.raw)
        plaintexts |= dict.fromkeys(self.account.device_jids, own_copy(receiver.lid_jid, sent.raw))
        del plaintexts[self.account.lid_jid]
        copies = [
            Node("to", {"jid": device}, enc)
            for device, plaintext in plaintexts.items()
            if (enc := self._encrypt(device, plaintext)) is not None
        ]
        attrs: Attrs = {"to": receiver.lid_jid, "id": sent.id, "type": stanza_type(sent.raw)}
        return Node("message", attrs, Node("participants", {}, copies))

    def _group_stanza(self, group: JID, members: list[Account], sent: SentMessage) -> Node:
        audience = {
            str(device)
            for member in members
            for device in member.device_jids
            if device != self.account.lid_jid
        }
        distribution, lacking, data = self._keys.group_encrypt(str(group), pad(sent.raw), audience)
        plaintext = with_distribution(proto.e2e.Message(), group, distribution)
        copies = [
            Node("to", {"jid": JID.parse(device)}, enc)
            for device in sorted(lacking)
            if (enc := self._encrypt(JID.parse(device), plaintext)) is not None
        ]
        shared = Node("enc", {"v": 2, "type": "skmsg"}, data)
        attrs: Attrs = {"to": group, "id": sent.id, "type": stanza_type(sent.raw)}
        return Node("message", attrs, [Node("participants", {}, copies), shared])

    def _encrypt(
        self, device: JID, plaintext: bytes, *, anew: bool = False, count: int | None = None
    ) -> Node | None:
        """A ciphertext for one device, in a new session if `anew`; None if it deposited no keys."""
        bundle = None
        if anew or not self._keys.has_session(str(device)):
            bundle = self._prekeys.take(device)
            if bundle is None:
                return None
        kind, data = self._keys.encrypt(str(device), bundle, pad(plaintext))
        return Node("enc", {"v": 2, "type": kind, "count": count}, data)

    def read(self, message_id: str) -> None:
        """The user reads a message, and whoever wrote it is told. Raises LookupError if it did not arrive."""
        message = self.find(message_id)
        writer = self._accounts.by_phone(message.sender)
        if writer is not None and not message.from_me:
            in_group = "@" in message.chat
            self._read(
                message.id,
                JID.parse(message.chat) if in_group else writer.lid_jid,
                writer.lid_jid if in_group else None,
            )

    def find(self, message_id: str) -> InboxMessage:
        """A message that reached the phone. Raises LookupError."""
        for message in reversed(self.inbox):
            if message.id == message_id:
                return message
        raise LookupError("no such message has reached the phone")

    def _read(self, message_id: str, chat: JID, author: JID | None) -> None:
        attrs: Attrs = {"id": message_id, "type": "read", "to": chat, "participant": author}
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
            except DuplicateError:
                continue  # handed over again after a restart in between
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
            field = content_field(message)
        if field == "protocolMessage" and node.attr("category") == "peer":
            if own and message.protocolMessage.HasField("appStateSyncKeyRequest"):
                self.greet(self.account.devices[author.device])
            return
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
        )
        self.inbox.add(entry)
        if self.auto_read and not own:
            self._read(entry.id, sender.bare, author.bare if sender.server == GROUP else None)

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
        sent = next((s for s in reversed(self.sent) if s.id == node.attr("id")), None)
        reader_jid = node.jid("participant") or sender
        reader = self._accounts.resolve(reader_jid)
        if sent is None or reader is None:
            return
        if node.attr("type") == "retry":
            self._send_again(node, sent, reader_jid)
            return
        kind = node.attr("type") or "delivered"
        if all(known[:2] != (kind, reader.phone) for known in sent.receipts):
            sent.receipts.append((kind, reader.phone, int(node.attr("t") or 0)))
            self.sent.changed(sent)

    def _send_again(self, node: Node, sent: SentMessage, device: JID) -> None:
        """Somebody could not read a message: again, in a new session."""
        retry = node.child("retry")
        count = int(retry.attr("count") or 1) if retry is not None else 1
        chat = JID.parse(sent.to)
        raw = sent.raw
        attrs: dict[str, Any] = {"id": sent.id, "type": stanza_type(raw), "to": device}
        if chat.server == GROUP:
            attrs |= {"to": chat, "participant": device}
            if (distribution := self._keys.distribution(sent.to)) is not None:
                raw = with_distribution(proto.e2e.Message.FromString(raw), chat, distribution)
        elif device.user == self.account.lid:
            attrs |= {"recipient": chat}
            raw = own_copy(chat, raw)
        enc = self._encrypt(device, raw, anew=True, count=count)
        if enc is not None:
            self._post.message(self.account, PHONE, Node("message", attrs, enc))

    def _save_settings(self) -> None:
        self._store.put("phone", self.account.phone, self._settings)

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
