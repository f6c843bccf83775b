"""How failed tries to sign in slow down the next ones: strictly one name from one address, loosely all else.

Who guesses at a name from one address soon waits a quarter of an hour after each try. That must not keep out
the name's owner, who comes from elsewhere: over all addresses the tries at a name wait a minute at most, as
do those from an address over all names; and neither where this name has signed in from this address before.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeVar

import trio
from attrs import define, field, frozen

from api.refusals import TooManyTries

T = TypeVar("T")

FORGOTTEN = 3600.0
"""Seconds after the last failure."""

MOST = 10_000
"""Names, addresses and pairs that are remembered of each kind; those that were seen last."""

_DOUBLED = 20
"""Times a wait is doubled at most, lest it be no number."""


@frozen(eq=False)
class Rule:
    """So many failures cost nothing; then each doubles the wait, from a second to the longest."""

    free: int
    longest: float


PAIR = Rule(free=5, longest=900)
"""Of one name from one address."""
ADDRESS = Rule(free=30, longest=60)
"""Of all names from one address."""
NAME = Rule(free=100, longest=60)
"""Of one name from all addresses."""


@frozen
class Failures:
    """How often something failed, and when it last did."""

    count: int
    last: float


def wait_after(failures: Failures | None, rule: Rule, now: float) -> float:
    """Seconds until the next try may be."""
    if failures is None or failures.count < rule.free or now - failures.last > FORGOTTEN:
        return 0.0
    wait = min(rule.longest, 2.0 ** min(failures.count - rule.free, _DOUBLED))
    return max(0.0, failures.last + wait - now)


@define(eq=False)
class Tries:
    """The tries of a gateway. Nothing here waits or is stored: a restart forgets it all."""

    clock: Callable[[], float] = trio.current_time
    _failures: dict[Rule, OrderedDict[tuple[str, ...], Failures]] = field(
        factory=lambda: {rule: OrderedDict() for rule in (PAIR, ADDRESS, NAME)}, init=False
    )
    _known: OrderedDict[tuple[str, ...], None] = field(factory=OrderedDict, init=False)
    """Pairs of name and address that have signed in."""

    def begin(self, name: str, address: str | None) -> None:
        """Count a try as a failure, until `succeeded` says otherwise: those at once are all counted.

        Raises TooManyTries, and counts nothing, where it has to wait.
        """
        now = self.clock()
        counted = list(self._counted(name.lower(), _place(address)))
        wait = max(wait_after(self._failures[rule].get(who), rule, now) for rule, who in counted)
        if wait > 0:
            raise TooManyTries(wait)
        for rule, who in counted:
            found = self._failures[rule].pop(who, None)
            before = 0 if found is None or now - found.last > FORGOTTEN else found.count
            _remember(self._failures[rule], who, Failures(before + 1, now))

    def succeeded(self, name: str, address: str | None) -> None:
        """Forget this name's failures, here and over all addresses; the address keeps those of others."""
        name, place = name.lower(), _place(address)
        self._failures[PAIR].pop((name, place), None)
        self._failures[NAME].pop((name,), None)
        found = self._failures[ADDRESS].get((place,))
        if found is not None and (name, place) not in self._known:
            self._failures[ADDRESS][(place,)] = Failures(found.count - 1, found.last)
        self._known.pop((name, place), None)
        _remember(self._known, (name, place), None)

    def forget(self, name: str) -> None:
        """Forget all failures of a name: it has another password, which nobody has tried."""
        name = name.lower()
        self._failures[NAME].pop((name,), None)
        for pair in [each for each in self._failures[PAIR] if each[0] == name]:
            del self._failures[PAIR][pair]

    def _counted(self, name: str, place: str) -> Iterator[tuple[Rule, tuple[str, ...]]]:
        yield PAIR, (name, place)
        if (name, place) not in self._known:
            yield ADDRESS, (place,)
            yield NAME, (name,)


def _remember(kept: OrderedDict[tuple[str, ...], T], who: tuple[str, ...], what: T) -> None:
    kept[who] = what
    if len(kept) > MOST:
        kept.popitem(last=False)


def _place(address: str | None) -> str:
    """The address, or what of it its owner cannot choose: of IPv6 the first 64 bits."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
