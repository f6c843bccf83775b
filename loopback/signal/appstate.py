"""Synced settings as devices write and read them: encrypted mutations, and sums that show nothing is missing.

A collection is a set of values by index. Each patch changes some; a sum over all values (LTHash), which can
be carried from version to version, is authenticated with each of them.
"""

import hashlib
import hmac
import json
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from loopback import proto
from loopback.signal.cipher import cbc_decrypt, cbc_encrypt, hkdf, mac, same
from loopback.signal.errors import UndecryptableError
from loopback.signal.keyshare import AppStateKey

_SUM_SIZE = 128
_MAC_SIZE = 32
_NUMBERS = struct.Struct("<64H")
_SET = proto.serversync.SyncdMutation.SET


@attrs.frozen
class Mutation:
    """One value of a collection. `value` is a SyncActionValue; None when it was removed."""

    index: tuple[str, ...]
    version: int
    value: Any


@attrs.frozen
class Collection:
    """What a device knows of a collection at one version."""

    name: str
    version: int = 0
    total: bytes = bytes(_SUM_SIZE)
    macs: Mapping[bytes, bytes] = attrs.field(factory=dict)
    """Authenticators of the values, by that of their index."""


@attrs.frozen
class Keys:
    """What is derived from a key of the settings."""

    index: bytes
    cipher: bytes
    value: bytes
    snapshot: bytes
    patch: bytes

    @classmethod
    def derive(cls, key: AppStateKey) -> "Keys":
        made = hkdf(key.data, salt=b"", info=b"WhatsApp Mutation Keys", length=160)
        return cls(*(made[at : at + 32] for at in range(0, 160, 32)))


def encode(key: AppStateKey, collection: Collection, mutations: Sequence[Mutation]) -> bytes:
    """The SyncdPatch that sets these values on top of what is known; the network numbers it."""
    keys = Keys.derive(key)
    sync = proto.serversync
    records = []
    for mutation in mutations:
        index = json.dumps(list(mutation.index), separators=(",", ":")).encode()
        action = proto.syncaction.SyncActionData(
            index=index, value=mutation.value, padding=b"", version=mutation.version
        )
        iv = os.urandom(16)
        content = iv + cbc_encrypt(keys.cipher, iv, action.SerializeToString())
        record = sync.SyncdRecord(
            index=sync.SyncdIndex(blob=mac(keys.index, index)),
            value=sync.SyncdValue(blob=content + _value_mac(keys, key.id, _SET, content)),
            keyID=sync.KeyId(ID=key.id),
        )
        records.append(sync.SyncdMutation(operation=_SET, record=record))
    after = _after(collection, records)
    patch = sync.SyncdPatch(mutations=records, keyID=sync.KeyId(ID=key.id))
    patch.snapshotMAC = _snapshot_mac(keys, after)
    patch.patchMAC = _patch_mac(keys, patch, after)
    data: bytes = patch.SerializeToString()
    return data


def apply(key: AppStateKey, collection: Collection, data: bytes) -> tuple[Collection, list[Mutation]]:
    """The collection after a numbered SyncdPatch, and what it changed.

    Raises UndecryptableError when it does not follow from what is known, or was made with another key.
    """
    keys = Keys.derive(key)
    patch = proto.serversync.SyncdPatch.FromString(data)
    after = _after(collection, patch.mutations)
    if not same(patch.snapshotMAC, _snapshot_mac(keys, after)):
        raise UndecryptableError("the patch does not lead to the sum it claims")
    if not same(patch.patchMAC, _patch_mac(keys, patch, after)):
        raise UndecryptableError("the patch's code does not match")
    return after, [_decode(keys, key.id, mutation) for mutation in patch.mutations]


def _decode(keys: Keys, key_id: bytes, mutation: Any) -> Mutation:
    blob = mutation.record.value.blob
    content, code = blob[:-_MAC_SIZE], blob[-_MAC_SIZE:]
    if not same(code, _value_mac(keys, key_id, mutation.operation, content)):
        raise UndecryptableError("a value's code does not match")
    plaintext = cbc_decrypt(keys.cipher, content[:16], content[16:])
    action = proto.syncaction.SyncActionData.FromString(plaintext)
    if not same(mutation.record.index.blob, mac(keys.index, action.index)):
        raise UndecryptableError("an index' code does not match")
    value = action.value if mutation.operation == _SET else None
    return Mutation(tuple(json.loads(action.index)), action.version, value)


def _after(collection: Collection, mutations: Sequence[Any]) -> Collection:
    """The next version, its sum and authenticators."""
    macs, total = dict(collection.macs), collection.total
    for mutation in mutations:
        index = mutation.record.index.blob
        if (before := macs.pop(index, None)) is not None:
            total = _sum(total, before, sign=-1)
        if mutation.operation == _SET:
            macs[index] = mutation.record.value.blob[-_MAC_SIZE:]
            total = _sum(total, macs[index], sign=1)
    return attrs.evolve(collection, version=collection.version + 1, total=total, macs=macs)


def _sum(total: bytes, code: bytes, *, sign: int) -> bytes:
    """Add one authenticator to the sum, or take it away: 64 numbers of 16 bits, each by itself."""
    made = hkdf(code, salt=b"", info=b"WhatsApp Patch Integrity", length=_SUM_SIZE)
    pairs = zip(_NUMBERS.unpack(total), _NUMBERS.unpack(made), strict=True)
    return _NUMBERS.pack(*((left + sign * right) & 0xFFFF for left, right in pairs))


def _value_mac(keys: Keys, key_id: bytes, operation: int, content: bytes) -> bytes:
    length = (len(key_id) + 1).to_bytes(8, "big")
    data = bytes([operation + 1]) + key_id + content + length
    return hmac.digest(keys.value, data, hashlib.sha512)[:_MAC_SIZE]


def _snapshot_mac(keys: Keys, after: Collection) -> bytes:
    return mac(keys.snapshot, after.total + after.version.to_bytes(8, "big") + after.name.encode())


def _patch_mac(keys: Keys, patch: Any, after: Collection) -> bytes:
    values = b"".join(mutation.record.value.blob[-_MAC_SIZE:] for mutation in patch.mutations)
    place = after.version.to_bytes(8, "big") + after.name.encode()
    return mac(keys.patch, patch.snapshotMAC + values + place)
