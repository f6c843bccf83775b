"""Addresses in stanzas: the attributes that carry them, and what is computed from lists of devices."""

import base64
import hashlib
from collections.abc import Iterable

from loopback.wire.node import JID

__all__ = ["Attrs", "device_list_hash"]

Attrs = dict[str, str | int | JID | None]


def device_list_hash(devices: Iterable[JID]) -> str:
    """The hash by which a sender and the network compare whom a message goes to (`phash`)."""
    names = sorted(f"{jid.user}.0:{jid.device}@{jid.server}" for jid in devices)
    digest = hashlib.sha256("".join(names).encode()).digest()
    return "2:" + base64.b64encode(digest[:6]).decode().rstrip("=")
