"""Signal's messages as they travel: between two devices, the first of those, to a group, a group's key.

Each is a version byte (0x33: version 3, spoken by a version 3 client), protobuf fields, and for two of them
an authenticator behind. Every `parse` raises MalformedError and nothing else.
"""

from typing import Self

import attrs

from loopback.signal import wire
from loopback.signal.errors import MalformedError
from loopback.signal.keys import SIGNATURE_SIZE, parse_public, serialised

VERSION = b"\x33"
MAC_SIZE = 8


def _body(data: bytes, trailer: int) -> wire.Fields:
    """The fields between the version byte and a trailer of that many bytes."""
    if len(data) < len(VERSION) + trailer or data[0] >> 4 != VERSION[0] >> 4:
        raise MalformedError("not a message of version 3")
    return wire.Fields(data[len(VERSION) : len(data) - trailer])


@attrs.frozen
class SignalMessage:
    """A message of a session, whose code still has to be checked."""

    ratchet_key: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes = attrs.field(repr=False)

    def encode(self) -> bytes:
        """What the code is computed over, and what goes before it."""
        return VERSION + wire.encode(
            [
                (1, serialised(self.ratchet_key)),
                (2, self.counter),
                (3, self.previous_counter),
                (4, self.ciphertext),
            ]
        )

    @classmethod
    def parse(cls, data: bytes) -> tuple[Self, bytes, bytes]:
        """The message, the bytes the code is over, and the code."""
        fields = _body(data, MAC_SIZE)
        message = cls(
            ratchet_key=parse_public(fields.octets(1)),
            counter=fields.integer(2, 0),
            previous_counter=fields.integer(3, 0),
            ciphertext=fields.octets(4),
        )
        return message, data[:-MAC_SIZE], data[-MAC_SIZE:]


@attrs.frozen
class PreKeySignalMessage:
    """A first message: a whole SignalMessage and what its receiver needs to set up the session."""

    registration_id: int
    prekey_id: int | None
    """The one-time prekey used, if one was to be had."""
    signed_prekey_id: int
    base_key: bytes
    identity_key: bytes
    message: bytes = attrs.field(repr=False)

    def encode(self) -> bytes:
        return VERSION + wire.encode(
            [
                (1, self.prekey_id),
                (2, serialised(self.base_key)),
                (3, serialised(self.identity_key)),
                (4, self.message),
                (5, self.registration_id),
                (6, self.signed_prekey_id),
            ]
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        fields = _body(data, 0)
        return cls(
            registration_id=fields.integer(5, 0),
            prekey_id=fields.integer(1, 0) or None,  # the libraries write 0 for none
            signed_prekey_id=fields.integer(6),
            base_key=parse_public(fields.octets(2)),
            identity_key=parse_public(fields.octets(3)),
            message=fields.octets(4),
        )


@attrs.frozen
class SenderKeyMessage:
    """A message to a group, signed with the sender key's own key; the signature still has to be checked."""

    key_id: int
    iteration: int
    ciphertext: bytes = attrs.field(repr=False)

    def encode(self) -> bytes:
        """What the signature is over, and what goes before it."""
        return VERSION + wire.encode([(1, self.key_id), (2, self.iteration), (3, self.ciphertext)])

    @classmethod
    def parse(cls, data: bytes) -> tuple[Self, bytes, bytes]:
        """The message, the bytes the signature is over, and the signature."""
        fields = _body(data, SIGNATURE_SIZE)
        message = cls(fields.integer(1, 0), fields.integer(2, 0), fields.octets(3))
        return message, data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]


@attrs.frozen
class SenderKeyDistribution:
    """What a member tells another so that it can read the member's messages to the group from here on."""

    key_id: int
    iteration: int
    chain_key: bytes = attrs.field(repr=False)
    signing_key: bytes

    def encode(self) -> bytes:
        return VERSION + wire.encode(
            [(1, self.key_id), (2, self.iteration), (3, self.chain_key), (4, serialised(self.signing_key))]
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        fields = _body(data, 0)
        chain_key = fields.octets(3)
        if len(chain_key) != 32:
            raise MalformedError(f"a chain key has 32 bytes, not {len(chain_key)}")
        return cls(fields.integer(1, 0), fields.integer(2, 0), chain_key, parse_public(fields.octets(4)))
