"""The certificate authority for TLS: clients of the network are told to trust it, and nothing else does."""

import ssl
from pathlib import Path
from typing import Final, Self

import trustme
from attrs import define

from loopback.wire.keyfile import keep

__all__ = ["CHAT_HOST", "HOSTS", "MEDIA_HOSTS", "Authority"]

CHAT_HOST: Final = "web.whatsapp.com"
MEDIA_HOSTS: Final = ("mmg.whatsapp.net", "pps.whatsapp.net")
HOSTS: Final = (CHAT_HOST, *MEDIA_HOSTS)


@define(eq=False)
class Authority:
    """A CA kept in a directory: `ca.pem` for the clients, `ca.key` (mode 0600) for us."""

    pem: Path  # what SSL_CERT_FILE of a client names
    _ca: trustme.CA

    @classmethod
    def open(cls, directory: Path) -> Self:
        """The authority of that directory, made at first. Raises OSError, or ValueError for other files."""

        def make() -> bytes:
            ca = trustme.CA()
            return ca.private_key_pem.bytes() + ca.cert_pem.bytes()

        both = keep(directory / "ca.key", make)
        ca = trustme.CA.from_pem(both, both)  # takes each from its part of the text
        pem = directory / "ca.pem"
        if not pem.exists() or pem.read_bytes() != ca.cert_pem.bytes():  # never empty while a client reads it
            pem.write_bytes(ca.cert_pem.bytes())
        return cls(pem, ca)

    def context(self) -> ssl.SSLContext:
        """What a server needs to be every host of the network. No ALPN, hence HTTP/1.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*HOSTS).configure_cert(context)
        return context
