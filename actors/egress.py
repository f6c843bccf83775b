"""Where requests on behalf of others may go: http and https, and only to addresses of the public internet.

A URL that somebody gave us must not reach what only we can reach: this machine, its network, the metadata of
its cloud. A name says nothing about that, so addresses are judged, and the one that was judged is the one
that is connected to. An operator may open networks.
"""

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from attrs import field, frozen

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@frozen
class UrlForbidden(Exception):
    """A URL, or what its host's name leads to, is not to be requested; the reason names no address."""

    reason: str

    def __str__(self) -> str:
        return self.reason


# IANA's special-purpose registries for IPv4 and IPv6, as of 2026, and what clouds use beside them.
_IPV4: dict[str, tuple[str, ...]] = {
    "this machine": ("0.0.0.0/8", "127.0.0.0/8"),
    "a private network": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    "link-local": ("169.254.0.0/16",),
    "multicast": ("224.0.0.0/4",),
    "a cloud's own service": ("168.63.129.16/32",),
    "reserved": (
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
    ),
}
_IPV6: dict[str, tuple[str, ...]] = {
    "this machine": ("::/127",),
    "a private network": ("fc00::/7", "fec0::/10", "64:ff9b:1::/48"),
    "link-local": ("fe80::/10",),
    "multicast": ("ff00::/8",),
    "reserved": ("2001::/23", "2001:db8::/32", "3fff::/20"),
}
_FORBIDDEN: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for table in (_IPV4, _IPV6)
    for reason, networks in table.items()
    for network in networks
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_6TO4 = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")


def _networks(given: Iterable[str | Network]) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in given)


@frozen(kw_only=True)
class Egress:
    """The rules. `Egress()` lets nothing but public addresses through."""

    allow_private: bool = False
    """Any address at all."""
    allow_networks: tuple[Network, ...] = field(default=(), converter=_networks)
    """Beside the public internet."""

    def check_url(self, url: str) -> None:
        """Raises UrlForbidden for a URL that may not be requested wherever its host's name leads."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise UrlForbidden("it is no URL") from None
        if parts.scheme not in {"http", "https"}:
            raise UrlForbidden("it is neither http nor https")
        if "@" in parts.netloc:
            raise UrlForbidden("it carries a user or a password")
        if not host:
            raise UrlForbidden("it names no host")
        if (address := literal(host)) is not None:
            self.check_address(address)

    def check_address(self, address: Address) -> None:
        """Raises UrlForbidden for an address that may not be connected to."""
        if (reason := self._refusal(address)) is not None:
            raise UrlForbidden(f"its address is {reason}")

    def permitted(self, addresses: Sequence[Address]) -> Address:
        """The first that may be connected to, of those a name leads to. Raises UrlForbidden for none."""
        for address in addresses:
            if self._refusal(address) is None:
                return address
        if addresses:
            self.check_address(addresses[0])
        raise UrlForbidden("its host has no address")

    def _refusal(self, address: Address) -> str | None:
        inner = unwrapped(address)
        if self.allow_private or any(
            each in network
            for each in (address, inner)
            for network in self.allow_networks
            if network.version == each.version
        ):
            return None
        for network, reason in _FORBIDDEN:
            if inner.version == network.version and inner in network:
                return reason
        return None if isinstance(inner, IPv4Address) or inner in _GLOBAL_IPV6 else "reserved"


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one only carries (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def literal(host: str) -> Address | None:
    """The address that a host is, in any notation that the system takes, as `0x7f.1`; None: it is a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    return ip_address(str(found[0][4][0]).partition("%")[0])
