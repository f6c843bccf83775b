"""Faults of the gateway's own, made on purpose in a sandbox: a session's actor that crashes or gets stuck.

The sandbox runs its sessions as RehearsedSession, which understands two messages more than a session does. No
other gateway has actors that would, nor these routes.
"""

from typing import Any

import trio
from attrs import frozen
from quart import Blueprint, Response

from actors.session.actor import SessionActor
from api.access import admit
from api.answers import answer
from api.bodies import body_as
from api.caller import Scope
from api.fields import Count
from api.refusals import NoSuchRoute
from api.services import services

routes = Blueprint("faults", __name__, url_prefix="/api/loopback/actors")


class RehearsedCrash(Exception):
    """What a session dies of that was told to."""


@frozen
class Crash:
    """Die of a RehearsedCrash. Answers nothing."""


@frozen
class Wedge:
    """Do not return from the handler for so many seconds."""

    seconds: float
    stubborn: bool = False
    """Not even when cancelled."""


class RehearsedSession(SessionActor):
    """A session that can be told to crash and to get stuck."""

    async def handle(self, message: Any) -> Any:
        match message:
            case Crash():
                raise RehearsedCrash(f"{self.session_id} was told to crash")
            case Wedge(seconds=seconds, stubborn=stubborn):
                await self._wedge(seconds, stubborn)
            case _:
                return await super().handle(message)
        return None

    async def _wedge(self, seconds: float, stubborn: bool) -> None:
        with trio.CancelScope(shield=stubborn):
            await trio.sleep(seconds)


@frozen(kw_only=True)
class _Wedging:
    seconds: Count
    stubborn: bool = False


@routes.post("/<session_id>/crash")
async def crash(session_id: str) -> Response:
    """Let a session's actor die in its handler."""
    await _admit()
    return await _told(session_id, Crash())


@routes.post("/<session_id>/wedge")
async def wedge(session_id: str) -> Response:
    """Let a session's actor be stuck in its handler; `stubborn`, it does not yield to cancellation either."""
    await _admit()
    asked = await body_as(_Wedging)
    return await _told(session_id, Wedge(asked.seconds, asked.stubborn))


async def _admit() -> None:
    if services().loopback is None:
        raise NoSuchRoute
    await admit(Scope.ADMIN)


async def _told(session_id: str, fault: Crash | Wedge) -> Response:
    await services().sessions.ref(session_id).cast(fault)
    return answer({"sessionId": session_id}, 202)
