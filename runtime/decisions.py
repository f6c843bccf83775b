"""What to restart, when and in what order: functions of state, event and time, without a loop."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import dropwhile
from typing import TypeAlias

from attrs import frozen

from runtime.backoff import OnExhausted
from runtime.exits import Exit
from runtime.spec import AutoShutdown, ChildSpec, Restart, Strategy


@frozen
class Again:
    """Start it again `wait` seconds from now; `counts` towards the supervisor's intensity, or does not."""

    failures: int
    wait: float
    counts: bool


@frozen
class GiveUp:
    """Leave it failed."""

    failures: int


@frozen
class Escalate:
    """It failed too often in a row: fail the supervisor."""

    failures: int


Verdict: TypeAlias = Again | GiveUp | Escalate


def wants_restart(restart: Restart, exit_: Exit) -> bool:
    """Whether a child of that restart type is started again after that exit."""
    if restart is Restart.TRANSIENT:
        return exit_.kind in {"error", "killed"}
    return restart is Restart.PERMANENT


def judge(spec: ChildSpec, failures: int, alive: float, rng: random.Random) -> Verdict:
    """What a back-off says to one more failure, after `failures` in a row and a life of `alive` seconds."""
    backoff = spec.backoff
    if backoff is None:
        return Again(failures + 1, 0.0, counts=True)
    if backoff.is_over(alive):
        failures = 0
    gives_up = backoff.on_exhausted is OnExhausted.GIVE_UP
    if backoff.max_failures is not None and failures >= backoff.max_failures:
        return GiveUp(failures + 1) if gives_up else Escalate(failures + 1)
    return Again(failures + 1, backoff.delay(failures, rng), counts=not gives_up)


def swept(strategy: Strategy, order: Iterable[str], failed: str) -> Sequence[str]:
    """The ids that a recovery of `failed` covers, itself included, in start order; they stop in reverse."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(order)
        case Strategy.REST_FOR_ONE:
            return tuple(dropwhile(lambda id_: id_ != failed, order))


def shuts_down(auto_shutdown: AutoShutdown, significant_left: bool) -> bool:
    """Whether a supervisor stops when a significant child ended by itself."""
    match auto_shutdown:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return True
        case AutoShutdown.ALL_SIGNIFICANT:
            return not significant_left
