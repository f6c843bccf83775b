"""X25519 key pairs, and XEdDSA: signatures made with an X25519 key.

Public keys are 32 bare bytes everywhere in this package; only `serialised` puts the type byte in front that
Signal's messages and signatures want.
"""

import os
from typing import Self

import attrs
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from xeddsa import bindings as xeddsa

from loopback.signal.errors import BadSignatureError, MalformedError

KEY_SIZE = 32
SIGNATURE_SIZE = 64
_KEY_TYPE = b"\x05"  # Curve25519, the only one there is
_SIGN_BIT = 0x80


@attrs.frozen
class KeyPair:
    """An X25519 key pair that can also sign."""

    private: bytes = attrs.field(repr=False)
    """32 bytes, clamped. XEdDSA negates the key when its Edwards point has the wrong sign; that form exists
    only inside `sign`, because X25519 would clamp it into a different key."""
    public: bytes
    """32 bytes."""

    @classmethod
    def generate(cls) -> Self:
        return cls.from_private(os.urandom(KEY_SIZE))

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """Raises MalformedError when it is not 32 bytes."""
        if len(private) != KEY_SIZE:
            raise MalformedError(f"a private key has {KEY_SIZE} bytes, not {len(private)}")
        clamped = bytes([private[0] & 0xF8, *private[1:31], private[31] & 0x7F | 0x40])
        return cls(clamped, X25519PrivateKey.from_private_bytes(clamped).public_key().public_bytes_raw())

    def agree(self, public: bytes) -> bytes:
        """The 32 byte secret shared with the holder of `public`.

        Raises MalformedError for a key of the wrong length or of low order.
        """
        try:
            theirs = X25519PublicKey.from_public_bytes(public)
            return X25519PrivateKey.from_private_bytes(self.private).exchange(theirs)
        except ValueError:
            raise MalformedError("not a usable public key") from None

    def sign(self, message: bytes) -> bytes:
        """A 64 byte XEdDSA signature, different each time."""
        return xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(self.private, False), message, os.urandom(64))


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an XEdDSA signature, also of signers that keep their key's sign in the signature's last bit.

    Raises BadSignatureError.
    """
    if len(public) == KEY_SIZE and len(signature) == SIGNATURE_SIZE:
        edwards = xeddsa.curve25519_pub_to_ed25519_pub(public, bool(signature[63] & _SIGN_BIT))
        plain = signature[:63] + bytes([signature[63] & ~_SIGN_BIT])
        if xeddsa.ed25519_verify(plain, edwards, message):
            return
    raise BadSignatureError("the signature does not verify")


def serialised(public: bytes) -> bytes:
    """The 33 bytes under which Signal's messages and signatures know a public key."""
    return _KEY_TYPE + public


def parse_public(data: bytes) -> bytes:
    """The inverse of `serialised`.

    Raises MalformedError.
    """
    if len(data) != KEY_SIZE + 1 or data[:1] != _KEY_TYPE:
        raise MalformedError(f"{len(data)} bytes are not a serialised public key")
    return data[1:]
