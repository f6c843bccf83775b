"""When a batch is cut is decided from state and time alone."""

from __future__ import annotations

import math

from runtime import Reply
from storage.backlog import Backlog, Waiting
from storage.writes import Append


def waiting(since: float, *, urgent: bool = False) -> Waiting:
    return Waiting(Append("s1"), Reply(None), since, urgent)


def test_nothing_is_due_before_anything_waits() -> None:
    assert Backlog(rows=3, wait=0.01).due() == math.inf


def test_a_cast_waits_for_neighbours_as_long_as_the_oldest_may() -> None:
    backlog = Backlog(rows=3, wait=0.01)
    backlog.add(waiting(5.0))
    backlog.add(waiting(5.009))
    assert backlog.due() == 5.01


def test_a_call_makes_the_batch_due_at_once() -> None:
    backlog = Backlog(rows=3, wait=0.01)
    backlog.add(waiting(5.0))
    backlog.add(waiting(5.0, urgent=True))
    assert backlog.due() == -math.inf
    assert len(backlog.cut()) == 2
    assert backlog.due() == math.inf


def test_a_full_batch_is_due_at_once_and_the_rest_begins_anew() -> None:
    backlog = Backlog(rows=3, wait=0.01)
    writes = [waiting(5.0), waiting(5.0), waiting(5.0), waiting(6.0)]
    for each in writes:
        backlog.add(each)
    assert backlog.due() == -math.inf
    assert backlog.cut() == writes[:3]
    assert backlog.due() == 6.01


def test_a_call_behind_a_full_batch_stays_urgent() -> None:
    backlog = Backlog(rows=2, wait=0.01)
    for urgent in (False, False, True):
        backlog.add(waiting(5.0, urgent=urgent))
    backlog.cut()
    assert backlog.due() == -math.inf
