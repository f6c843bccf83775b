"""The certificates inside Noise: the network's own root key, and the chain by which it vouches for a server.

A client trusts one root key, which is compiled into it; ours has to take its place there.
"""

import os
import time
from pathlib import Path
from typing import Final, Self

from attrs import field, frozen

from loopback.proto import cert
from loopback.signal.keys import KEY_SIZE, KeyPair
from loopback.wire.keyfile import keep

__all__ = ["Identity", "Root"]

_YEAR: Final = 365 * 24 * 3600
_ROOT_SERIAL: Final = 0  # clients demand it


@frozen
class Identity:
    """A server's static key, and the serialised CertChain that ties it to the root key."""

    keys: KeyPair
    chain: bytes = field(repr=False)


@frozen
class Root:
    """The network's root key: `Root(keys)`, or kept in a directory by `Root.open`."""

    keys: KeyPair = field(factory=KeyPair.generate)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """The key in `root.key` there, made at first: a restarted network still has its clients' trust.

        Raises OSError, or ValueError when the file holds something else.
        """
        private = keep(directory / "root.key", lambda: os.urandom(KEY_SIZE))
        if len(private) != KEY_SIZE:
            raise ValueError(f"{directory / 'root.key'} holds no key")
        return cls(KeyPair.from_private(private))

    @property
    def public(self) -> bytes:
        """The 32 bytes that a client must trust."""
        return self.keys.public

    def identity(self, now: float | None = None) -> Identity:
        """A new server identity, valid from a year before `now` (Unix time) to ten years after."""
        now = time.time() if now is None else now
        intermediate, server = KeyPair.generate(), KeyPair.generate()
        chain = cert.CertChain()
        for part, serial, key, issuer_serial, issuer in (
            (chain.intermediate, 1, intermediate, _ROOT_SERIAL, self.keys),
            (chain.leaf, 2, server, 1, intermediate),
        ):
            part.details = cert.CertChain.NoiseCertificate.Details(
                serial=serial,
                issuerSerial=issuer_serial,
                key=key.public,
                notBefore=int(now) - _YEAR,
                notAfter=int(now) + 10 * _YEAR,
            ).SerializeToString()
            part.signature = issuer.sign(part.details)
        return Identity(server, chain.SerializeToString())
