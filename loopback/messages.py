"""Messages: who gets which copy of what a device sent, and what the sender is told.

A device encrypts for every device of the chat and of its own account, all addressed by hidden identifier. The
network cannot read any of it: it sorts the copies and puts them into the devices' queues.
"""

import time

from attrs import evolve

from loopback.accounts import PHONE, Account, Accounts
from loopback.addresses import Attrs, device_list_hash
from loopback.deliveries import Deliveries
from loopback.faults import Faults, Kind
from loopback.groups import Groups
from loopback.log import log
from loopback.trust import Trust
from loopback.wire.node import BROADCAST, GROUP, JID, Node

__all__ = ["Messages"]

NOT_A_MEMBER = 403
ONLY_ADMINS = 405
NO_SUCH_CHAT = 404
UNASKED = 463  # to somebody who has never written to the sender

REMEMBERED = 10_000  # acknowledgements, to answer a message that is sent twice

# What stands beside the ciphertexts and is for the receivers too.
PASSED_ON = {"meta", "biz", "bot"}


class Messages:
    """Sorts messages into queues."""

    def __init__(self, accounts: Accounts, groups: Groups, deliveries: Deliveries, faults: Faults) -> None:
        self._accounts = accounts
        self._groups = groups
        self._deliveries = deliveries
        self._faults = faults
        self._accepted: dict[tuple[JID, str], Node] = {}  # acknowledgements by sender and id, the latest

    def accept(self, sender: Account, number: int, message: Node) -> Node:
        """Take a message of one of the sender's devices on its way; the acknowledgement for that device."""
        author = (sender.lid_jid.with_device(number), message.attr("id") or "")
        first_hand = message.child("participants") is not None and "participant" not in message.attrs
        if first_hand and (known := self._accepted.get(author)) is not None:
            return known  # the client did not get the acknowledgement and sent the same once more
        ack = self._distribute(sender, number, message)
        if first_hand:
            self._accepted[author] = ack
            if len(self._accepted) > REMEMBERED:
                del self._accepted[next(iter(self._accepted))]
        return ack

    def _distribute(self, sender: Account, number: int, message: Node) -> Node:
        to = message.jid("to")
        now = int(time.time())
        error: int | None = None
        phash: str | None = None
        if to is None:
            error = NO_SUCH_CHAT
        elif to.server == GROUP:
            error, phash = self._to_group(sender, number, to, message, now)
        elif to.server == BROADCAST:
            self._to_broadcast(sender, number, to, message, now)
        elif (receiver := self._accounts.resolve(to)) is None:
            error = NO_SUCH_CHAT
        elif self._unasked(sender, number, receiver, message):
            error = UNASKED
        elif message.child("participants") is None:
            self._to_one_device(sender, number, receiver, to.device, message, now)
        else:
            phash = self._to_person(sender, number, receiver, message, now)
        log("message_accepted", phone=sender.phone, device=number, id=message.attr("id"), error=error)
        return Node(
            "ack",
            {
                "class": "message",
                "id": message.attr("id"),
                "from": to,
                "t": now,
                "error": error,
                "phash": phash,
            },
        )

    def _unasked(self, sender: Account, number: int, receiver: Account, message: Node) -> bool:
        """Whether the sender is under WhatsApp's limit on writing to strangers, and the receiver is one.

        Phones do without the token by which companions show that they are not strangers.
        """
        if number == PHONE or sender is receiver or Trust.shown(message, sender, receiver):
            return False
        again = message.child("participants") is None
        return not again and self._faults.strike(Kind.UNASKED_ERROR, sender.phone) is not None

    def _to_person(
        self, sender: Account, number: int, receiver: Account, message: Node, now: int
    ) -> str | None:
        """The right hash of the chat's devices, if the sender did not write to exactly those."""
        written_to = {sender.lid_jid.with_device(number)}
        for copy in self._copies(message):
            device, enc = copy
            owner = self._accounts.resolve(device)
            if owner is None:
                continue
            written_to.add(owner.lid_jid.with_device(device.device))
            own = owner is sender
            if not own and owner is not receiver:
                continue
            attrs: Attrs = {"from": sender.lid_jid.with_device(number)}
            if own:
                attrs |= {"recipient": receiver.lid_jid, "peer_recipient_pn": receiver.pn_jid}
            else:
                attrs |= {"sender_pn": sender.pn_jid}
            self._put(sender, owner, device.device, message, [enc], attrs, now)
        expected = {*sender.device_jids, *receiver.device_jids}
        return None if written_to == expected else device_list_hash(expected)

    def _to_one_device(
        self, sender: Account, number: int, receiver: Account, device: int, message: Node, now: int
    ) -> None:
        """A message sent again because that device could not read it, or one between own devices (peer)."""
        attrs: Attrs = {"from": sender.lid_jid.with_device(number)}
        if receiver is sender:
            recipient = self._accounts.resolve(message.jid("recipient"))
            if recipient is not None:
                attrs |= {"recipient": recipient.lid_jid, "peer_recipient_pn": recipient.pn_jid}
        else:
            attrs |= {"sender_pn": sender.pn_jid}
        self._put(sender, receiver, device, message, list(message.children("enc")), attrs, now)

    def _to_group(
        self, sender: Account, number: int, to: JID, message: Node, now: int
    ) -> tuple[int | None, str | None]:
        group = self._groups.find(to)
        if group is None or sender.lid not in group.members:
            return NOT_A_MEMBER, None
        if group.announce and not group.is_admin(sender.lid):
            return ONLY_ADMINS, None
        attrs: Attrs = {
            "from": group.jid,
            "participant": sender.lid_jid.with_device(number),
            "participant_pn": sender.pn_jid,
            "addressing_mode": "lid",
        }
        again_for = message.jid("participant")
        if again_for is not None:
            if (owner := self._accounts.resolve(again_for)) is not None and owner.lid in group.members:
                self._put(sender, owner, again_for.device, message, list(message.children("enc")), attrs, now)
            return None, None
        copies = {
            (owner.lid, device.device): enc
            for device, enc in self._copies(message)
            if (owner := self._accounts.resolve(device)) is not None
        }
        shared = list(message.children("enc"))
        for member in self._groups.members(group):
            for device in member.numbers:
                if member is sender and device == number:
                    continue
                own = copies.get((member.lid, device))
                encs = ([own] if own is not None else []) + shared
                if encs:
                    self._put(sender, member, device, message, encs, attrs, now)
        phash = device_list_hash(
            device for member in self._groups.members(group) for device in member.device_jids
        )
        return None, (None if message.attr("phash") == phash else phash)

    def _to_broadcast(self, sender: Account, number: int, to: JID, message: Node, now: int) -> None:
        """A status: for whom the sender chose, each with a copy or the common ciphertext."""
        attrs: Attrs = {
            "from": to,
            "participant": sender.lid_jid.with_device(number),
            "participant_pn": sender.pn_jid,
            "addressing_mode": "lid",
        }
        copies = [(device, [enc]) for device, enc in self._copies(message)]
        if (again_for := message.jid("participant")) is not None:
            copies = [(again_for, [])]
        for device, encs in copies:
            if (owner := self._accounts.resolve(device)) is not None:
                self._put(
                    sender, owner, device.device, message, [*encs, *message.children("enc")], attrs, now
                )

    @staticmethod
    def _copies(message: Node) -> list[tuple[JID, Node]]:
        """The ciphertexts for single devices."""
        participants = message.child("participants")
        return [
            (device, enc)
            for to in (participants.children("to") if participants is not None else ())
            if (device := to.jid("jid")) is not None and (enc := to.child("enc")) is not None
        ]

    def _put(
        self,
        sender: Account,
        receiver: Account,
        device: int,
        message: Node,
        encs: list[Node],
        attrs: Attrs,
        now: int,
    ) -> None:
        if device not in receiver.numbers or sender.lid in receiver.blocked:
            return
        if self._faults.strike(Kind.CORRUPT, receiver.phone) is not None:
            encs = [evolve(enc, content=_damaged(enc.data)) for enc in encs]
        needs_identity = any(enc.attr("type") == "pkmsg" for enc in encs)
        beside = [
            node
            for node in message.children()
            if node.tag in PASSED_ON or (needs_identity and node.tag == "device-identity")
        ]
        node = Node(
            "message",
            {
                **attrs,
                "id": message.attr("id"),
                "type": message.attr("type") or "text",
                "category": message.attr("category"),
                "edit": message.attr("edit"),
                "t": now,
                "notify": sender.name,
            },
            [*encs, *beside],
        )
        self._deliveries.put(receiver.lid_jid.with_device(device), node)


def _damaged(ciphertext: bytes) -> bytes:
    """One bit flipped where the encrypted text is, in first and later messages alike."""
    at = len(ciphertext) * 3 // 5
    return ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]
