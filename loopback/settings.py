"""Synced settings (`w:sync:app:state`): encrypted patches that the network numbers, keeps and cannot read.

A patch is accepted only on top of the newest version; else its sender gets what it missed, and tries again.
The other devices are told that there is something new.
"""

from attrs import Factory, define

from loopback import proto
from loopback.accounts import Account, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.store import Store
from loopback.wire.node import Node

__all__ = ["Settings"]

CONFLICT = 409


@define(eq=False)
class Collection:
    """One account's collection: its patches in order; the version is their number."""

    patches: list[bytes] = Factory(list)


class Settings:
    """Every account's collections, kept in the store."""

    def __init__(self, store: Store, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries
        self._collections = store.load("settings", Collection)

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Answer one synchronisation. Raises Refused."""
        sync = iq.child("sync")
        if sync is None:
            raise Refused(400, "bad-request")
        answers = [self._synchronise(account, device, asked) for asked in sync.children("collection")]
        return Node("sync", {}, answers)

    def _synchronise(self, account: Account, device: Device, asked: Node) -> Node:
        name = asked.attr("name")
        if not name:
            raise Refused(400, "bad-request")
        key = f"{account.phone}/{name}"
        collection = self._collections.setdefault(key, Collection())
        base = int(asked.attr("version") or 0)
        patch = asked.child("patch")
        if patch is not None and base == len(collection.patches):
            collection.patches.append(_numbered(patch.data, base + 1))
            self._store.put("settings", key, collection)
            news = Node("collection", {"name": name, "version": base + 1})
            self._deliveries.put_to_companions(
                account, notification("server_sync", account.pn_jid, news), but=device.number
            )
            return Node("collection", {"name": name, "version": base + 1, "type": "result"})
        missing = [Node("patch", {}, data) for data in collection.patches[base:]]
        content = [Node("patches", {}, missing)]
        if patch is not None:
            content.insert(0, Node("error", {"code": CONFLICT, "text": "conflict"}))
        attrs: Attrs = {
            "name": name,
            "version": len(collection.patches),
            "type": "error" if patch is not None else "result",
        }
        return Node("collection", attrs, content)


def _numbered(patch: bytes, version: int) -> bytes:
    """The patch with the version that the network gave it."""
    parsed = proto.serversync.SyncdPatch.FromString(patch)
    parsed.version.version = version
    data: bytes = parsed.SerializeToString()
    return data
