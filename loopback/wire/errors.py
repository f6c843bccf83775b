"""What may go wrong on the wire: one base, leaves that are facts.

None carries keys or content, so every one may be logged.
"""

__all__ = [
    "HandshakeFailed",
    "LinkClosed",
    "MalformedFrame",
    "MalformedNode",
    "TokensNotFound",
    "Undecryptable",
    "WebSocketClosed",
    "WireError",
]


class WireError(Exception):
    """Base of all errors of this package."""


class TokensNotFound(WireError):
    """The client library is not there, or its file is not one that the token tables can be read from."""


class MalformedNode(WireError):
    """The bytes are no stanza."""


class MalformedFrame(WireError):
    """The client did not open with the prologue."""


class HandshakeFailed(WireError):
    """The client's part of the Noise handshake is not what it should be."""


class Undecryptable(WireError):
    """A message after the handshake does not decrypt: damaged, repeated, left out or of another key."""


class WebSocketClosed(WireError):
    """The WebSocket is gone, or never came to be."""


class LinkClosed(WireError):
    """The link is gone: the client left, sent nonsense, took nothing in time, or we closed it."""
