"""Synced settings (`w:sync:app:state`): encrypted patches that the network numbers, keeps and cannot read.

A patch is accepted only on top of the newest version; else its sender gets what it missed, and tries again.
The other devices are told that there is something new. A device that knows nothing yet gets a snapshot, once
there are many patches: the newest of each value, which the network can put together without reading any.
"""

from typing import Any

from attrs import Factory, define

from loopback import proto
from loopback.accounts import PHONE, Account, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.media import Media
from loopback.signal.media import MediaKind, encrypt
from loopback.store import Store
from loopback.wire.node import Node

__all__ = ["Settings"]

CONFLICT = 409
MANY = 20  # patches from which on a snapshot is shorter


@define(eq=False)
class Collection:
    """One account's collection: its patches in order; the version is their number."""

    patches: list[bytes] = Factory(list)


class Settings:
    """Every account's collections, kept in the store."""

    def __init__(self, store: Store, deliveries: Deliveries, media: Media) -> None:
        self._store = store
        self._deliveries = deliveries
        self._media = media
        self._collections = store.load("settings", Collection)

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Answer one synchronisation. Raises Refused."""
        sync = iq.child("sync")
        if sync is None:
            raise Refused(400, "bad-request")
        answers = [self._synchronise(account, device, asked) for asked in sync.children("collection")]
        return Node("sync", {}, answers)

    def since(self, account: Account, name: str, version: int) -> list[bytes]:
        """The patches (SyncdPatch) after a version."""
        return self._collection(account, name).patches[version:]

    def accept(self, account: Account, name: str, base: int, patch: bytes, *, number: int = PHONE) -> bool:
        """Take a patch of one of the account's devices; whether it was on top of the newest version."""
        collection = self._collection(account, name)
        if base != len(collection.patches):
            return False
        collection.patches.append(_numbered(patch, base + 1))
        self._store.put("settings", f"{account.phone}/{name}", collection)
        news = Node("collection", {"name": name, "version": base + 1})
        self._deliveries.put_to_companions(
            account, notification("server_sync", account.pn_jid, news), but=number
        )
        return True

    def _synchronise(self, account: Account, device: Device, asked: Node) -> Node:
        name = asked.attr("name")
        if not name:
            raise Refused(400, "bad-request")
        base = int(asked.attr("version") or 0)
        patch = asked.child("patch")
        if patch is not None and self.accept(account, name, base, patch.data, number=device.number):
            return Node("collection", {"name": name, "version": base + 1, "type": "result"})
        patches = self.since(account, name, 0)
        content = []
        if patch is not None:
            content.append(Node("error", {"code": CONFLICT, "text": "conflict"}))
        elif base == 0 and asked.attr("return_snapshot") == "true" and len(patches) >= MANY:
            content.append(Node("snapshot", {}, self._snapshot(patches)))
            base = len(patches)
        content.append(Node("patches", {}, [Node("patch", {}, data) for data in patches[base:]]))
        kind = "error" if patch is not None else "result"
        attrs: Attrs = {"name": name, "version": len(patches), "type": kind}
        return Node("collection", attrs, content)

    def _snapshot(self, patches: list[bytes]) -> bytes:
        """Where the newest of each value lies on the media host (ExternalBlobReference)."""
        sync = proto.serversync
        records: dict[bytes, Any] = {}
        for patch in map(sync.SyncdPatch.FromString, patches):
            for mutation in patch.mutations:
                records.pop(mutation.record.index.blob, None)
                if mutation.operation == sync.SyncdMutation.SET:
                    records[mutation.record.index.blob] = mutation.record
        newest = sync.SyncdPatch.FromString(patches[-1])
        whole = sync.SyncdSnapshot(
            version=sync.SyncdVersion(version=len(patches)),
            records=records.values(),
            mac=newest.snapshotMAC,
            keyID=newest.keyID,
        )
        file = encrypt(whole.SerializeToString(), MediaKind.APP_STATE)
        reference = sync.ExternalBlobReference(
            mediaKey=file.media_key,
            directPath=self._media.store("md-app-state", file.data),
            fileSizeBytes=file.file_length,
            fileSHA256=file.file_sha256,
            fileEncSHA256=file.file_enc_sha256,
        )
        data: bytes = reference.SerializeToString()
        return data

    def _collection(self, account: Account, name: str) -> Collection:
        return self._collections.setdefault(f"{account.phone}/{name}", Collection())


def _numbered(patch: bytes, version: int) -> bytes:
    """The patch with the version that the network gave it."""
    parsed = proto.serversync.SyncdPatch.FromString(patch)
    parsed.version.version = version
    data: bytes = parsed.SerializeToString()
    return data
