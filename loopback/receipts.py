"""Receipts: what a device says about messages it got, passed on to whoever sent them."""

import time

from loopback.accounts import Account, Accounts
from loopback.addresses import Attrs
from loopback.deliveries import Deliveries
from loopback.log import log
from loopback.wire.node import BROADCAST, GROUP, JID, Node

__all__ = ["Receipts", "message_ids"]

DELIVERED = {"", "delivery", "inactive"}  # the last: delivered to a device that nobody sits at
READ = {"read", "played"}
READ_FOR_SELF = {"read-self", "played-self"}  # the sender is not to know
RETRY = "retry"
FILE_MISSING = "server-error"  # for the own phone: the media host does not have a message's file
# Other types (own copies, peer messages, history) end here, and what is not known is not passed on: a type
# that whatsmeow's users do not know ends their event loop.


class Receipts:
    """Settles deliveries and passes receipts on."""

    def __init__(self, accounts: Accounts, deliveries: Deliveries) -> None:
        self._accounts = accounts
        self._deliveries = deliveries

    def accept(self, account: Account, number: int, receipt: Node) -> Node:
        """Take a receipt of one of the account's devices; the acknowledgement for that device."""
        kind = receipt.attr("type") or ""
        to = receipt.jid("to")
        now = int(time.time())
        if to is not None:
            device = account.lid_jid.with_device(number)
            for message_id in message_ids(receipt):
                self._deliveries.settle(device, "message", message_id, str(to))
            self._forward(account, number, kind, to, receipt, now)
        log(
            "receipt_accepted",
            phone=account.phone,
            device=number,
            id=receipt.attr("id"),
            type=kind or "delivered",
        )
        return Node(
            "ack",
            {
                "class": "receipt",
                "id": receipt.attr("id"),
                "from": to,
                "participant": receipt.jid("participant"),
                "type": receipt.attr("type"),
                "t": now,
            },
        )

    def _forward(self, account: Account, number: int, kind: str, to: JID, receipt: Node, now: int) -> None:
        in_group = to.server in {GROUP, BROADCAST}
        author_jid = receipt.jid("participant") if in_group else to
        author = self._accounts.resolve(author_jid)
        if author is None or author_jid is None:
            return
        reader = account.lid_jid if kind in READ else account.lid_jid.with_device(number)
        source: Attrs = {"from": to, "participant": reader} if in_group else {"from": reader}
        attrs = {**source, "id": receipt.attr("id"), "t": now}
        content = receipt.children()
        if kind in DELIVERED | READ and author is not account:
            node = Node("receipt", {**attrs, "type": kind if kind not in {"", "delivery"} else None}, content)
            self._to_all(author, node)
        elif kind == RETRY:
            recipient = receipt.jid("recipient")
            node = Node("receipt", {**attrs, "type": kind, "recipient": recipient}, content)
            self._deliveries.put(author.lid_jid.with_device(author_jid.device), node)
        elif kind == FILE_MISSING and author is account:
            about = {"from": account.lid_jid.with_device(number), "id": receipt.attr("id"), "t": now}
            self._deliveries.put(account.lid_jid, Node("receipt", {**about, "type": kind}, content))
        if kind in READ | READ_FOR_SELF:
            about = {"from": to, "participant": account.lid_jid, "recipient": author.lid_jid}
            if not in_group:
                about = {"from": account.lid_jid, "recipient": author.lid_jid}
            node = Node("receipt", {**about, "id": receipt.attr("id"), "t": now, "type": kind}, content)
            self._to_all(account, node, but=number)

    def _to_all(self, account: Account, node: Node, but: int | None = None) -> None:
        for number in account.numbers:
            if number != but:
                self._deliveries.put(account.lid_jid.with_device(number), node)


def message_ids(receipt: Node) -> list[str]:
    """One receipt may be about several messages."""
    more = receipt.child("list")
    items = more.children("item") if more is not None else ()
    return [i for i in (receipt.attr("id"), *(item.attr("id") for item in items)) if i]
