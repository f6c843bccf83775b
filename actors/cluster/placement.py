"""Where sessions go: decided from what each node has, so that all get their share and little moves.

A node's share of all sessions is its share of the memory of all nodes. A node that is being drained, or has
used up its memory, has none.
"""

import math
from collections.abc import Sequence

from attrs import frozen

__all__ = ["Member", "Move", "Plan", "plan", "spread"]

FULL = 0.9
"""Of its memory, from which on a node takes no more sessions."""
SLACK = 0.1
"""By how much of its share, and one session, a node may be above it: to even out less is not worth a gap."""
STEP = 32
"""Sessions that a node takes, or gives, at once: many logins in one moment would look like an attack."""


@frozen(kw_only=True)
class Member:
    """A node, as far as its place in the whole goes."""

    id: str
    sessions: int
    memory: int
    """Used, in bytes."""
    memory_total: int
    """0: it has not told yet; it counts as much as the smallest."""
    draining: bool = False

    @property
    def takes(self) -> bool:
        return not self.draining and self.memory <= self.memory_total * FULL


@frozen
class Move:
    """So many sessions from the planning node to another."""

    count: int
    to: str


@frozen(kw_only=True)
class Plan:
    """What one node does now."""

    take: int = 0
    """Free sessions."""
    moves: tuple[Move, ...] = ()


def plan(me: str, members: Sequence[Member], free: int) -> Plan:
    """What the node `me` is to do, where `free` sessions belong to nobody.

    Every node plans for itself, from the same table. Free sessions go first; while there are any nothing else
    moves. One that is drained plans nothing: it gives all away, by `spread`.
    """
    mine = next((member for member in members if member.id == me), None)
    if mine is None or mine.draining:
        return Plan()
    shares = _shares(members, sum(member.sessions for member in members) + free)
    share = shares.get(me, 0)
    if free:
        return Plan(take=max(0, min(free, share - mine.sessions, STEP)))
    over = mine.sessions - share
    if over <= 1 + share * SLACK:
        return Plan()
    room = {
        member.id: shares[member.id] - member.sessions
        for member in members
        if member.id in shares and member.sessions < shares[member.id]
    }
    if not room:
        return Plan()
    to = max(room, key=lambda each: room[each])
    return Plan(moves=(Move(min(over, room[to], STEP), to),))


def spread(count: int, me: str, members: Sequence[Member]) -> list[str]:
    """Where each of so many sessions of the node `me`, which is to have none, goes; empty: nowhere."""
    weights = _weights([member for member in members if member.id != me])
    if not weights:
        return []
    sessions = {member.id: member.sessions for member in members}
    places = []
    for _ in range(count):
        to = min(weights, key=lambda each: (sessions[each] + 1) / weights[each])
        sessions[to] += 1
        places.append(to)
    return places


def _shares(members: Sequence[Member], total: int) -> dict[str, int]:
    """Rounded up, so that all together have room for all."""
    weights = _weights(members)
    all_of_them = sum(weights.values())
    return {each: math.ceil(total * weight / all_of_them) for each, weight in weights.items()}


def _weights(members: Sequence[Member]) -> dict[str, int]:
    taking = [member for member in members if member.takes]
    smallest = min((member.memory_total for member in taking if member.memory_total), default=1)
    return {member.id: member.memory_total or smallest for member in taking}
