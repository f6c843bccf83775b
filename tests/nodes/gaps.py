"""How long sessions were away: from when their connection was lost until they were logged in again."""

from collections.abc import Iterable
from itertools import pairwise

from attrs import frozen

from tests.nodes.witness import Login

__all__ = ["Gap", "gaps", "percentile"]

QUIET = 5.0
"""Seconds without a word after which a connection counts as lost: under load none is silent that long."""


@frozen
class Gap:
    """One absence: of which session's phone, lost by which host, from when, and for how many seconds."""

    phone: str
    host: str
    lost: float
    seconds: float


def gaps(logins: Iterable[Login], since: float) -> list[Gap]:
    """All absences that began after `since`, oldest first.

    A connection was lost when it ended. One that another login ended, or that was quiet before, was lost when
    it was last heard of: its client stood still, or was cut off.
    """
    by_phone: dict[str, list[Login]] = {}
    for login in sorted(logins, key=lambda each: each.number):
        by_phone.setdefault(login.phone, []).append(login)
    found = []
    for phone, mine in by_phone.items():
        for before, after in pairwise(mine):
            ended = after.at if before.ended is None else min(before.ended, after.at)
            silent = before.replaced or ended - before.heard > QUIET
            lost = before.heard if silent else ended
            if lost >= since:
                found.append(Gap(phone, before.host, lost, max(0.0, after.at - lost)))
    return sorted(found, key=lambda gap: gap.lost)


def percentile(seconds: Iterable[float], share: float) -> float:
    """The smallest of them that at least this share is not above; 0 for none."""
    ordered = sorted(seconds)
    if not ordered:
        return 0.0
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]
