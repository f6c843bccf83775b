"""What a supervisor is told about a child: how to start it, when to restart it, how to stop it."""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable
from types import NoneType
from typing import Any, Final, Literal

from attrs import Factory, field, frozen

from runtime.actor import Actor
from runtime.backoff import Backoff
from runtime.checks import a, is_number, require, valid
from runtime.mailbox import Mailbox


class Restart(enum.StrEnum):
    PERMANENT = "permanent"
    """Restarted after any exit."""
    TRANSIENT = "transient"
    """Restarted after an error or a kill."""
    TEMPORARY = "temporary"
    """Never restarted, and forgotten when it ends."""


class Strategy(enum.StrEnum):
    ONE_FOR_ONE = "one_for_one"
    """The child that failed is restarted."""
    ONE_FOR_ALL = "one_for_all"
    """All others are stopped in reverse, and all are started."""
    REST_FOR_ONE = "rest_for_one"
    """Those started after it are stopped in reverse; it and they are started."""


class AutoShutdown(enum.StrEnum):
    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """The supervisor stops when a significant child ended by itself."""
    ALL_SIGNIFICANT = "all_significant"
    """The supervisor stops when the last running significant child ended by itself."""


class ChildType(enum.StrEnum):
    WORKER = "worker"
    SUPERVISOR = "supervisor"


class Brutal(enum.Enum):
    BRUTAL = "brutal"

    def __repr__(self) -> str:
        return self.name


BRUTAL: Final = Brutal.BRUTAL
"""As `shutdown`: cancelled at once, with no time for anything."""


_BACKOFF = a((Backoff, NoneType))


def _patience(spec: ChildSpec) -> float:
    return math.inf if spec.type is ChildType.SUPERVISOR else 5.0


@frozen
class ChildSpec:
    """One child, as its supervisor knows it. Raises InvalidSpec(field, value) when built wrongly.

    `start` is an async callable `start(*, task_status)`, an Actor subclass, or a functools.partial of either;
    each life calls it anew.
    """

    id: str = field(validator=valid(lambda value: isinstance(value, str) and value != ""))
    start: Callable[..., Any] = field(validator=valid(callable))
    restart: Restart = field(default=Restart.PERMANENT, kw_only=True, validator=a(Restart))
    type: ChildType = field(default=ChildType.WORKER, kw_only=True, validator=a(ChildType))
    shutdown: float | Literal[Brutal.BRUTAL] = field(
        default=Factory(_patience, takes_self=True),
        kw_only=True,
        validator=valid(lambda value: value is BRUTAL or is_number(value)),
    )
    """Seconds for an orderly end, or BRUTAL."""
    significant: bool = field(default=False, kw_only=True, validator=a(bool))
    backoff: Backoff | None = field(default=None, kw_only=True, validator=_BACKOFF)
    start_timeout: float = field(
        default=30.0, kw_only=True, validator=valid(lambda value: is_number(value) and value > 0)
    )
    """Seconds until it must be ready."""
    mailbox: Callable[[], Mailbox] = field(default=Mailbox, kw_only=True, validator=valid(callable))
    """Makes the mailbox, once, when the supervisor gets to know the child; only actors have one."""

    @significant.validator
    def _significant_can_end_by_itself(self, _attribute: object, value: bool) -> None:
        require("significant", value, not (value and self.restart is Restart.PERMANENT))

    @property
    def patience(self) -> float:
        """Seconds for an orderly end; 0 for BRUTAL."""
        return 0.0 if isinstance(self.shutdown, Brutal) else self.shutdown

    @property
    def shutdown_is_brutal(self) -> bool:
        return self.shutdown is BRUTAL

    @property
    def is_actor(self) -> bool:
        start = self.start.func if isinstance(self.start, functools.partial) else self.start
        return isinstance(start, type) and issubclass(start, Actor)
