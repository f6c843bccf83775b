"""What a phone sends, as stanzas: one ciphertext for each device that is to read it, or one for a group."""

from typing import Any

from loopback import proto
from loopback.accounts import Account
from loopback.addresses import Attrs
from loopback.content import edit_of, mediatype, meta_of, own_copy, stanza_type, with_distribution
from loopback.history import SentMessage
from loopback.keyring import Keyring
from loopback.prekeys import Prekeys
from loopback.signal.padding import pad
from loopback.wire.node import BROADCAST, GROUP, JID, Node

__all__ = ["Outgoing"]


class Outgoing:
    """Encrypts for one phone."""

    def __init__(self, account: Account, keys: Keyring, prekeys: Prekeys) -> None:
        self._account = account
        self._keys = keys
        self._prekeys = prekeys

    def to_person(self, receiver: Account, sent: SentMessage) -> Node:
        """A message for somebody's devices and the own companions."""
        plaintexts = dict.fromkeys(receiver.device_jids, sent.raw)
        plaintexts |= dict.fromkeys(self._account.device_jids, own_copy(receiver.lid_jid, sent.raw))
        del plaintexts[self._account.lid_jid]
        copies = [
            Node("to", {"jid": device}, enc)
            for device, plaintext in plaintexts.items()
            if (enc := self._encrypt(device, plaintext, kind=mediatype(sent.raw))) is not None
        ]
        return self._message(receiver.lid_jid, sent, [Node("participants", {}, copies)])

    def to_group(self, group: JID, members: list[Account], sent: SentMessage) -> Node:
        """A message for all devices of a group, or of those who are to see a status."""
        audience = {
            str(device)
            for member in members
            for device in member.device_jids
            if device != self._account.lid_jid
        }
        distribution, lacking, data = self._keys.group_encrypt(str(group), pad(sent.raw), audience)
        plaintext = with_distribution(proto.e2e.Message(), group, distribution)
        # Nobody but its sender knows a status' audience: each device gets something of its own, if only
        # the key that it has already.
        written_to = audience if group.server == BROADCAST else lacking
        copies = [
            Node("to", {"jid": JID.parse(device)}, enc)
            for device in sorted(written_to)
            if (enc := self._encrypt(JID.parse(device), plaintext)) is not None
        ]
        shared = Node("enc", {"v": 2, "type": "skmsg", "mediatype": mediatype(sent.raw)}, data)
        return self._message(group, sent, [Node("participants", {}, copies), shared])

    def to_channel(self, channel: JID, sent: SentMessage) -> Node:
        """A post, which is not encrypted; its change carries the changed message itself."""
        raw, edit = sent.raw, edit_of(sent.raw)
        post_id = sent.id
        if edit is not None:
            change = proto.e2e.Message.FromString(raw)
            inner = (
                change.editedMessage.message if change.HasField("editedMessage") else change
            ).protocolMessage
            post_id, raw = inner.key.ID, inner.editedMessage.SerializeToString()
            edit = "3" if edit == "1" else "8"
        plaintext = Node("plaintext", {"mediatype": mediatype(raw)}, raw)
        attrs: Attrs = {"to": channel, "id": post_id, "type": stanza_type(raw), "edit": edit}
        return Node("message", attrs, plaintext)

    def to_companion(self, number: int, message_id: str, message: Any) -> Node | None:
        """What the phone tells a companion only; None if that deposited no keys."""
        device = self._account.lid_jid.with_device(number)
        enc = self._encrypt(device, message.SerializeToString())
        attrs: Attrs = {"to": device, "id": message_id, "type": "protocol", "category": "peer"}
        return Node("message", attrs, enc) if enc is not None else None

    def again(self, device: JID, sent: SentMessage, count: int) -> Node | None:
        """A message once more, in a new session, for a device that could not read it."""
        chat = JID.parse(sent.to)
        raw = sent.raw
        attrs: Attrs = {"id": sent.id, "type": stanza_type(raw), "to": device, "edit": edit_of(raw)}
        if chat.server in {GROUP, BROADCAST}:
            attrs |= {"to": chat, "participant": device}
            if (distribution := self._keys.distribution(sent.to)) is not None:
                raw = with_distribution(proto.e2e.Message.FromString(raw), chat, distribution)
        elif device.user == self._account.lid:
            attrs |= {"recipient": chat}
            raw = own_copy(chat, raw)
        enc = self._encrypt(device, raw, anew=True, count=count, kind=mediatype(sent.raw))
        return Node("message", attrs, [enc, *meta_of(sent.raw)]) if enc is not None else None

    @staticmethod
    def _message(to: JID, sent: SentMessage, parts: list[Node]) -> Node:
        attrs: Attrs = {
            "to": to,
            "id": sent.id,
            "type": stanza_type(sent.raw),
            "edit": edit_of(sent.raw),
        }
        return Node("message", attrs, [*parts, *meta_of(sent.raw)])

    def _encrypt(
        self,
        device: JID,
        plaintext: bytes,
        *,
        anew: bool = False,
        count: int | None = None,
        kind: str | None = None,
    ) -> Node | None:
        """A ciphertext for one device, in a new session if `anew`; None if it deposited no keys."""
        bundle = None
        if anew or not self._keys.has_session(str(device)):
            bundle = self._prekeys.take(device)
            if bundle is None:
                return None
        cipher, data = self._keys.encrypt(str(device), bundle, pad(plaintext))
        return Node("enc", {"v": 2, "type": cipher, "count": count, "mediatype": kind}, data)
