"""Stanzas: `Node`, an immutable element with attributes and content, and `JID`, an address in it.

What is an address is a `JID` and everything else a string or bytes, in both directions: clients tell the two
apart on the wire, and take a string where they expect an address for an error.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Self

from attrs import field, frozen, validators

__all__ = [
    "BROADCAST",
    "GROUP",
    "GROUPS",
    "HOSTED",
    "HOSTED_LID",
    "JID",
    "LEGACY",
    "LID",
    "NEWSLETTER",
    "PN",
    "SERVER",
    "STATUS",
    "Node",
]

PN: Final = "s.whatsapp.net"  # people by phone number
LID: Final = "lid"  # people by hidden identifier
GROUP: Final = "g.us"
NEWSLETTER: Final = "newsletter"
BROADCAST: Final = "broadcast"
LEGACY: Final = "c.us"  # people by phone number, as older queries write them
HOSTED: Final = "hosted"  # a business's phone-number devices that are run for it
HOSTED_LID: Final = "hosted.lid"

_WITH_DEVICES: Final = frozenset({PN, LID, HOSTED, HOSTED_LID})
_ADDRESS: Final = re.compile(
    r"(?:(?P<user>[^@:]*?)(?:\.\d{1,3})?(?::(?P<device>\d{1,3}))?@)?(?P<server>[^@:]+)"
)


@frozen(order=True)
class JID:
    """An address: a user, group or newsletter at a server, and for people one of their devices.

    Device 0 is the phone. An empty user is the server itself. Only people have other devices than 0.
    """

    user: str
    server: str = field(validator=validators.min_len(1))
    device: int = field(default=0, validator=[validators.ge(0), validators.le(255)])

    def __attrs_post_init__(self) -> None:
        if self.device and self.server not in _WITH_DEVICES:
            raise ValueError(f"an address at {self.server} has no devices")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `user@server`, `user:device@server`, `user.agent:device@server` or `server`.

        The agent is dropped: the server says the same. Raises ValueError for anything else.
        """
        if (match := _ADDRESS.fullmatch(text)) is None:
            raise ValueError("not an address")
        return cls(match["user"] or "", match["server"], int(match["device"] or 0))

    @property
    def bare(self) -> Self:
        """The same address without its device: the person, not one of their devices."""
        return type(self)(self.user, self.server) if self.device else self

    def with_device(self, device: int) -> Self:
        return type(self)(self.user, self.server, device)

    def __str__(self) -> str:
        if self.device:
            return f"{self.user}:{self.device}@{self.server}"
        return f"{self.user}@{self.server}" if self.user else self.server


SERVER: Final = JID("", PN)  # the network itself, most stanzas' `to` and `from`
GROUPS: Final = JID("", GROUP)
STATUS: Final = JID("status", BROADCAST)


def _attributes(given: Mapping[str, str | int | JID | None]) -> Mapping[str, str | JID]:
    return MappingProxyType(
        {name: str(v) if isinstance(v, int) else v for name, v in given.items() if v is not None}
    )


def _content(given: "bytes | str | Node | Iterable[Node] | None") -> "bytes | tuple[Node, ...] | None":
    match given:
        case None | bytes():
            return given
        case str():
            return given.encode()
        case Node():
            return (given,)
        case _:
            return tuple(given) or None


def _sizes(content: "bytes | tuple[Node, ...] | None") -> str:
    return f"<{len(content)} bytes>" if isinstance(content, bytes) else repr(content)


@frozen
class Node:
    """One stanza or a part of one.

    `Node("iq", {"id": id, "t": 1, "to": jid, "phash": None}, Node("ping"))`: numbers become strings and
    attributes that are None are left out. Content is bytes, text (sent as UTF-8), one node, nodes or None; no
    nodes at all are None. The representation shows how many bytes there are and not the bytes, which may be
    secret.
    """

    tag: str = field(validator=validators.min_len(1))
    attrs: Mapping[str, str | JID] = field(default=MappingProxyType({}), converter=_attributes)
    content: "bytes | tuple[Node, ...] | None" = field(default=None, converter=_content, repr=_sizes)

    def attr(self, name: str) -> str | None:
        """The attribute as text, an address as its string; None if it is not there."""
        value = self.attrs.get(name)
        return None if value is None else str(value)

    def jid(self, name: str) -> JID | None:
        """The attribute as an address; None if it is not there or not an address."""
        value = self.attrs.get(name)
        return value if isinstance(value, JID) else None

    def children(self, tag: str | None = None) -> "tuple[Node, ...]":
        """The nodes inside, in order; only those called `tag`, if given."""
        nodes = self.content if isinstance(self.content, tuple) else ()
        return nodes if tag is None else tuple(node for node in nodes if node.tag == tag)

    def child(self, *path: str) -> "Node | None":
        """The first node inside called so; with several names, the first one inside that one, and so on."""
        node: Node | None = self
        for tag in path:
            node = next(iter(node.children(tag)), None) if node is not None else None
        return node

    @property
    def data(self) -> bytes:
        """The content where it is bytes, else b""."""
        return self.content if isinstance(self.content, bytes) else b""

    @property
    def text(self) -> str:
        """The content as UTF-8 text, what is not UTF-8 replaced; "" where it is not bytes."""
        return self.data.decode(errors="replace")
