"""The directory (`usync`): who is registered, under which identifier, with which devices and profile."""

from loopback.accounts import PHONE, Account, Accounts, Device
from loopback.addresses import Attrs, device_list_hash
from loopback.answers import Refused, notification
from loopback.businesses import verified_name
from loopback.deliveries import Deliveries
from loopback.faults import Faults, Kind
from loopback.wire.node import JID, LEGACY, Node

__all__ = ["Directory"]


class Directory:
    """Answers `usync` queries and tells those who asked for somebody's devices when these change."""

    def __init__(self, accounts: Accounts, deliveries: Deliveries, faults: Faults) -> None:
        self._accounts = accounts
        self._deliveries = deliveries
        self._faults = faults

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Answer one query. Raises Refused."""
        del device
        if (fault := self._faults.strike(Kind.USYNC_ERROR, account.phone)) is not None:
            raise Refused(fault.code or 429, "rate-overlimit")
        usync = iq.child("usync")
        query, asked = (usync.child("query"), usync.child("list")) if usync is not None else (None, None)
        if usync is None or query is None or asked is None:
            raise Refused(400, "bad-request")
        users = [self._user(account, query, user) for user in asked.children("user")]
        return Node("usync", {"sid": usync.attr("sid"), "mode": usync.attr("mode")}, Node("list", {}, users))

    def devices_changed(self, account: Account, changed: int) -> None:
        """Tell everybody who may remember a list of the account's devices to ask again.

        The device that was added or removed needs no telling.
        """
        watchers = {account.lid, *account.watchers}
        digest = device_list_hash(account.device_jids)
        # A client remembers the list under the address it asked for, and forgets it under the one it is told.
        for address, other in ((account.pn_jid, account.lid_jid), (account.lid_jid, None)):
            node = notification("devices", address, Node("update", {"device_hash": digest}), lid=other)
            for watcher in filter(None, map(self._accounts.by_lid, watchers)):
                self._deliveries.put_to_companions(watcher, node, but=changed if watcher is account else None)

    def _user(self, asker: Account, query: Node, user: Node) -> Node:
        asked, contact = user.jid("jid"), user.child("contact")
        if asked is None and contact is not None:
            return self._contact(query, contact)
        found = self._accounts.resolve(asked)
        if found is None:
            return Node("user", {"jid": asked}, Node("contact", {"type": "out"}))
        answers = [node for what in query.children() if (node := self._about(asker, found, what)) is not None]
        return Node("user", {"jid": asked}, answers)

    def _contact(self, query: Node, contact: Node) -> Node:
        """Whether a number is registered; the answer repeats the question's text."""
        number = contact.text.partition("@")[0].lstrip("+")
        found = self._accounts.by_phone(number)
        if found is None:
            answer = Node("contact", {"type": "out"}, contact.data)
            return Node("user", {"pn_jid": JID(number, LEGACY)}, answer)
        wants = query.child("contact")
        by_lid = wants is not None and wants.attr("addressing_mode") == "lid"
        attrs = {"jid": found.lid_jid if by_lid else found.pn_jid, "pn_jid": found.pn_jid}
        known = [verified_name(found.business)] if found.business is not None else []
        return Node("user", attrs, [Node("contact", {"type": "in"}, contact.data), *known])

    def _about(self, asker: Account, found: Account, what: Node) -> Node | None:
        match what.tag:
            case "devices":
                if asker.lid not in found.watchers:
                    found.watchers.add(asker.lid)
                    self._accounts.save(found)
                return self._devices(found)
            case "lid":
                return Node("lid", {"val": found.lid_jid})
            case "contact":
                return Node("contact", {"type": "in"})
            case "status" if not found.shows("status", asker):
                return Node("status", {"code": 401, "type": "fail"})
            case "status":
                return Node("status", {"t": found.about_set}, found.about) if found.about else Node("status")
            case "picture" if found.picture and found.shows("profile", asker):
                return Node("picture", {"id": found.picture.partition(" ")[0]})
            case "business" if found.business is not None:
                return verified_name(found.business)
            case "disappearing_mode":
                attrs: Attrs = {"duration": found.disappearing, "t": found.disappearing_set}
                return Node("disappearing_mode", attrs)
            case _:
                return None

    @staticmethod
    def _devices(account: Account) -> Node:
        devices = [
            Node("device", {"id": number, "key-index": number if number != PHONE else None})
            for number in account.numbers
        ]
        device_list = Node("device-list", {"hash": device_list_hash(account.device_jids)}, devices)
        return Node("devices", {}, device_list)
