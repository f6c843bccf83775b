"""How nodes reach what they need, and how they are cut off from it: packets vanish, and nobody is told.

Of two kinds: `namespaces` gives each node a network of its own, as machines have, which only root can make;
`relays` puts a relay before everything a node reaches, which works everywhere. Services listen on 127.0.0.1
of whoever calls this, and a node's address tells the loopback network which one it is.
"""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

__all__ = ["Part", "Way", "Ways"]


class Part(StrEnum):
    """What a node can be cut off from."""

    DATABASE = "database"
    WHATSAPP = "whatsapp"
    NODES = "nodes"
    """All others, in both directions."""


class Way(Protocol):
    """One node's place in the network."""

    host: str
    """Where what it sends comes from, as the loopback network sees it."""
    listen: str
    """For its API, HOST:PORT."""
    through: tuple[str, ...]
    """The command that runs its program there."""

    def url(self) -> str:
        """Where other nodes reach it."""

    def service(self, part: Part) -> tuple[str, int]:
        """Where it reaches the database, or WhatsApp."""

    def opened(self, port: int) -> None:
        """Its API listens on this port."""

    def cut(self, part: Part) -> None:
        """From now on nothing passes. Again is harmless."""

    def heal(self, part: Part) -> None:
        """As before."""


class Ways(Protocol):
    """A network for nodes."""

    kind: str
    hub: str
    """The address at which nodes reach whoever calls this."""

    def join(self, number: int, services: dict[Part, int]) -> AbstractAsyncContextManager[Way]:
        """A place for one more node, numbered from 1; ports on 127.0.0.1 of the database and of WhatsApp."""
