"""Everything the runtime itself raises: one base, leaves that are facts with fields."""

# ruff: noqa: A002 - `id` is the field's public name

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.exits import Exit


class SupervisionError(Exception):
    """Base of all errors of the runtime. A domain error of an actor is never one of these."""


class InvalidSpec(SupervisionError):
    """A spec, a supervisor's flag, a back-off or a mailbox was built with a value it cannot have."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"{field} cannot be {value!r}")
        self.field = field
        self.value = value


class ChildError(SupervisionError):
    """An error about one child, or about a supervisor, named by its id."""

    says = "{id}"

    def __init__(self, id: str) -> None:
        super().__init__(self.says.format(id=id))
        self.id = id


class StartFailed(ChildError):
    """A child did not become ready; `__cause__` is what it raised, or trio.TooSlowError."""

    says = "{id} failed to start"


class AlreadyStarted(ChildError):
    """A child of this id is running, starting, or waiting for its restart."""

    says = "{id} is already started"


class AlreadyPresent(ChildError):
    """A child of this id is known and does not run; restart or delete it."""

    says = "{id} is already present, and not running"


class ChildRunning(ChildError):
    """The operation needs a child that does not run."""

    says = "{id} is running"


class ChildNotFound(ChildError):
    """The supervisor has no child of this id."""

    says = "{id} was not found"


class NotRunning(ChildError):
    """The supervisor, or the child, does not run, or stopped meanwhile."""

    says = "{id} is not running"


class NotAnActor(ChildError):
    """The child is a plain function: it has no mailbox."""

    says = "{id} is not an actor"


class ActorGone(ChildError):
    """Nothing will start this actor by itself again: the message was not handled."""

    says = "{id} is gone"


class MailboxFull(ChildError):
    """The mailbox had no room and rejects, or dropped this message for a younger one."""

    says = "the mailbox of {id} is full"


class ActorDied(SupervisionError):
    """The actor's life ended with this caller's answer outstanding. `__cause__` is what it died of."""

    def __init__(self, exit: Exit) -> None:
        super().__init__(f"the actor died: {exit}")
        self.exit = exit
        self.__cause__ = exit.cause


class CallTimeout(SupervisionError):
    """No answer within `timeout` seconds; the wait for room in the mailbox counts."""

    def __init__(self, id: str, timeout: float) -> None:
        super().__init__(f"{id} did not answer within {timeout} s")
        self.id = id
        self.timeout = timeout


class RestartIntensityExceeded(SupervisionError):
    """A child failed too often. `__cause__` is what it died of.

    `restarts` were wanted within `period` seconds; an infinite period means failures in a row (back-off).
    """

    def __init__(self, id: str, restarts: int, period: float) -> None:
        super().__init__(f"{id}: {restarts} restarts within {period} s")
        self.id = id
        self.restarts = restarts
        self.period = period


class TooManyChildren(SupervisionError):
    """A dynamic supervisor already has `max_children`."""

    def __init__(self, max_children: int) -> None:
        super().__init__(f"there are already {max_children} children")
        self.max_children = max_children
