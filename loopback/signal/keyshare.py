"""The keys of the synced settings, which the phone shares with each companion in a message of its own."""

import os
from collections.abc import Iterable
from typing import Any

import attrs

from loopback import proto


@attrs.frozen
class AppStateKey:
    """A key of an account's synced settings."""

    id: bytes
    """6 bytes: the device that made it (0, the phone) in two, then four random ones."""
    data: bytes = attrs.field(repr=False)
    """32 bytes, from which the keys of the mutations are derived."""
    raw_id: int
    """Names the set of linked devices that the key was made for."""
    timestamp: int
    """When it was made, in Unix milliseconds."""

    @classmethod
    def generate(cls, timestamp: int) -> "AppStateKey":
        return cls(b"\0\0" + os.urandom(4), os.urandom(32), int.from_bytes(os.urandom(4), "big"), timestamp)


def key_share(keys: Iterable[AppStateKey]) -> Any:
    """The waE2E.Message that hands the keys over; goes to an own companion with category=peer."""
    e2e = proto.e2e
    return e2e.Message(
        protocolMessage=e2e.ProtocolMessage(
            type=e2e.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE,
            appStateSyncKeyShare=e2e.AppStateSyncKeyShare(
                keys=[
                    e2e.AppStateSyncKey(
                        keyID=e2e.AppStateSyncKeyId(keyID=key.id),
                        keyData=e2e.AppStateSyncKeyData(
                            keyData=key.data,
                            fingerprint=e2e.AppStateSyncKeyFingerprint(
                                rawID=key.raw_id, currentIndex=0, deviceIndexes=[0]
                            ),
                            timestamp=key.timestamp,
                        ),
                    )
                    for key in keys
                ]
            ),
        )
    )
