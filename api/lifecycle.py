"""Sessions' lives: started, stopped, logged out; how they are, whose they are, and how they came to be so."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from attrs import frozen
from quart import Blueprint

from actors.errors import AlreadyRunning
from actors.session.messages import GetStatus, Logout, RestartClient, SessionStatus, Start, Stop
from api.audit import recorded
from api.caller import Scope
from api.fields import DEFAULT_LIMIT, Limit
from api.operation import At, Where, operation
from api.services import services
from api.sessions import stored_session
from storage.errors import StorageError
from storage.rows import Event

routes = Blueprint("lifecycle", __name__)

_life = partial(operation, routes, at=At.ON_SESSION, tag="sessions")

_ANSWER_WAIT = 30.0  # seconds for a session to disconnect cleanly or to log out


@frozen(kw_only=True)
class TimelineQuery:
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class LivenessView:
    last_inbound_at: datetime | None
    """When WhatsApp last delivered anything."""
    last_pong_at: datetime | None
    """When WhatsApp last proved that it answers."""


@frozen(kw_only=True)
class LeaseView:
    """Which node has a session."""

    node: str
    name: str
    epoch: int
    """One more each time that another node has taken it."""
    expires_at: datetime
    """When another may, unless it is renewed before."""


@frozen(kw_only=True)
class SessionStatusView:
    """How a session is now."""

    session_id: str
    desired: str
    actual: str
    since: datetime
    restarts: int
    """Clients started anew since the session's actor came up."""
    last_error: str | None
    liveness: LivenessView
    cell: str | None
    """The process that hosts its client."""
    lease: LeaseView | None = None
    """Null where there is one node only, or while that is not known."""


@frozen(kw_only=True)
class AccountView:
    """The account that a session is linked to; all null while it is not."""

    jid: str | None
    lid: str | None
    phone: str | None
    push_name: str | None


@frozen(kw_only=True)
class StateChangeView:
    status: str
    previous: str | None
    reason: str | None
    at: datetime
    seq: int
    """The event's number in the session's log."""


@frozen(kw_only=True)
class TimelineView:
    changes: list[StateChangeView]
    cursor: str | None


@_life(
    "POST",
    "/start",
    scope=Scope.CONTROL,
    answers={200: SessionStatusView},
    errors=(AlreadyRunning,),
)
async def start(session_id: str) -> SessionStatusView:
    """Run, and stay running."""
    async with recorded("session.start", session_id):
        revived = await services().sessions.revive(session_id)
        try:
            return await _asked(session_id, Start())
        except AlreadyRunning:
            if not revived:  # or else it runs because its actor has just come back
                raise
            return await _status(session_id)


@_life("POST", "/stop", scope=Scope.CONTROL, answers={200: SessionStatusView})
async def stop(session_id: str) -> SessionStatusView:
    """Disconnect, and stay stopped."""
    async with recorded("session.stop", session_id):
        return await _asked(session_id, Stop())


@_life("POST", "/restart", scope=Scope.CONTROL, answers={200: SessionStatusView})
async def restart(session_id: str) -> SessionStatusView:
    """Disconnect and connect again."""
    async with recorded("session.restart", session_id):
        await services().sessions.revive(session_id)
        return await _asked(session_id, RestartClient())


@_life("POST", "/logout", scope=Scope.CONTROL, answers={200: SessionStatusView})
async def logout(session_id: str) -> SessionStatusView:
    """Unlink this device from its account."""
    async with recorded("session.logout", session_id):
        return await _asked(session_id, Logout())


@_life("GET", "/status", scope=Scope.STATUS, answers={200: SessionStatusView})
async def status(session_id: str) -> SessionStatusView:
    """How the session is now, asked of its actor."""
    return await _status(session_id)


@_life("GET", "/me", scope=Scope.STATUS, answers={200: AccountView})
async def me(session_id: str) -> AccountView:
    """The account that the session is linked to, as far as that is known here."""
    now = await _actor_status(session_id)
    return AccountView(jid=now.jid, lid=now.lid, phone=now.phone, push_name=now.push_name)


@_life(
    "GET",
    "/timeline",
    where=Where.ANY,
    scope=Scope.STATUS,
    query=TimelineQuery,
    answers={200: TimelineView},
)
async def timeline(session_id: str, query: TimelineQuery) -> TimelineView:
    """How the session came to be as it is: its changes of state, newest first, a page at a time."""
    await stored_session(session_id)
    page = await services().reads.status_changes(session_id, cursor=query.cursor, limit=query.limit)
    return TimelineView(changes=_changes(page.items), cursor=page.cursor)


async def _asked(session_id: str, request: Start | Stop | RestartClient | Logout) -> SessionStatusView:
    """Ask, then tell what the session is now."""
    await services().sessions.ref(session_id).call(request, timeout=_ANSWER_WAIT)
    return await _status(session_id)


async def _status(session_id: str) -> SessionStatusView:
    now = await _actor_status(session_id)
    return SessionStatusView(
        session_id=now.session_id,
        desired=now.desired,
        actual=now.actual,
        since=now.since,
        restarts=now.restarts,
        last_error=now.last_error,
        liveness=LivenessView(last_inbound_at=now.last_inbound_at, last_pong_at=now.last_pong_at),
        cell=now.cell,
        lease=await _lease(session_id),
    )


async def _lease(session_id: str) -> LeaseView | None:
    if (cluster := services().cluster) is None:
        return None
    with suppress(StorageError):  # the session is known without
        owner = await cluster.owner(session_id)
        if owner is not None and owner.node_id == cluster.node_id:
            return LeaseView(
                node=owner.node_id, name=cluster.name, epoch=owner.epoch, expires_at=owner.expires_at
            )
    return None


async def _actor_status(session_id: str) -> SessionStatus:
    status: SessionStatus = await services().sessions.ref(session_id).call(GetStatus())
    return status


def _changes(events: Sequence[Event]) -> list[StateChangeView]:
    return [
        StateChangeView(
            status=event.data["status"],
            previous=event.data["previous"],
            reason=event.data["reason"],
            at=event.occurred_at,
            seq=event.seq,
        )
        for event in events
    ]
