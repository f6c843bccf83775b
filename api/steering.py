"""Steering the supervision tree by path: `sessions/ana` is the child `ana` of the root's child `sessions`."""

from enum import StrEnum
from typing import assert_never

import trio
from attrs import frozen

from api.causes import in_a_line
from api.refusals import ChildNotRunning, NotFound, NotStarted, NotSteerable
from runtime import (
    CallTimeout,
    ChildInfo,
    ChildNotFound,
    ChildSpec,
    Exit,
    NotRunning,
    Restart,
    StartFailed,
    State,
    Supervisor,
)
from runtime.states import AT_REST, DUE

PATIENCE = 60.0
"""Seconds for a child to stop and to start again; longer than any takes that still yields."""


class Act(StrEnum):
    """What can be done with a child."""

    RESTART = "restart"
    """Stop it in order if it runs, and start it."""
    STOP = "stop"
    """Stop it in order. It stays so until it is started, or its supervisor is."""
    START = "start"
    """Start what does not run; at once, if it waits for its restart."""
    SUSPEND = "suspend"
    """Let an actor take no message, after the one in hand."""
    RESUME = "resume"
    """Let it go on."""


# What answers the request, and what records it.
_ALWAYS = {"api": frozenset(Act), "storage": frozenset({Act.STOP, Act.SUSPEND})}


@frozen
class Place:
    """A child, by its supervisor."""

    path: str
    supervisor: Supervisor
    id: str

    @property
    def info(self) -> ChildInfo:
        """How it is now. Raises NotFound."""
        try:
            return self.supervisor.which_child(self.id)
        except ChildNotFound:
            raise NotFound("child", self.path) from None

    @property
    def spec(self) -> ChildSpec:
        return self.supervisor.get_childspec(self.id)


def find(root: Supervisor, path: str) -> Place:
    """The child at a path below the root. Raises NotFound, also below a supervisor that does not run."""
    *above, last = path.split("/")
    supervisor = root
    for id_ in above:
        value = Place(path, supervisor, id_).info.value
        if not isinstance(value, Supervisor):
            raise NotFound("child", path)
        supervisor = value
    place = Place(path, supervisor, last)
    _ = place.info
    return place


async def steer(place: Place, act: Act) -> None:
    """Do it, to the end even when the caller is cancelled.

    Raises NotSteerable, ChildNotRunning, NotStarted; the runtime's ChildRunning and NotAnActor, CallTimeout
    when it takes longer than PATIENCE, and NotRunning when its supervisor stops meanwhile.
    """
    _check(place, act)
    with trio.move_on_after(PATIENCE, shield=True) as patience:
        try:
            await _do(place, act)
        except ChildNotFound:
            raise NotFound("child", place.path) from None
        except NotRunning as error:
            if error.id == place.id:
                raise ChildNotRunning(place.path, str(place.info.state)) from None
            raise
        except StartFailed as error:
            raise NotStarted(in_a_line(Exit.error(error.__cause__ or error))) from None
    if patience.cancelled_caught:
        raise CallTimeout(place.id, PATIENCE)


def _check(place: Place, act: Act) -> None:
    if act in _ALWAYS.get(place.path, ()):
        raise NotSteerable("The gateway needs this part to be steered at all.")
    if act in {Act.RESTART, Act.START} and place.spec.restart is Restart.TEMPORARY:
        raise NotSteerable("This child is temporary: it is made anew when it is needed, and never restarted.")
    if act is Act.STOP and place.info.state in AT_REST and place.info.state is not State.FAILED:
        raise ChildNotRunning(place.path, str(place.info.state))


async def _do(place: Place, act: Act) -> None:
    supervisor, id_ = place.supervisor, place.id
    match act:
        case Act.RESTART:
            if place.info.state not in AT_REST | DUE:
                await supervisor.terminate_child(id_, keep=True)
            await supervisor.restart_child(id_)
        case Act.STOP:
            await supervisor.terminate_child(id_, keep=True)
        case Act.START:
            await supervisor.restart_child(id_)
        case Act.SUSPEND:
            await supervisor.suspend_child(id_)
        case Act.RESUME:
            await supervisor.resume_child(id_)
        case _:
            assert_never(act)
