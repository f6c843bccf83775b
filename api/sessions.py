"""Sessions: made, listed, changed, removed, started, stopped, and how they are."""

from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs import frozen
from quart import Blueprint, Response

from actors.directory import NewSession
from actors.errors import AlreadyRunning, SessionNotFound
from actors.session.messages import GetStatus, Logout, RestartClient, SessionStatus, Start, Stop
from actors.whatsapp.jid import phone_jid
from api.access import Scope, admit, admit_to_session
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import body_as, given_in_body, query_as
from api.converter import camel
from api.fields import DEFAULT_LIMIT, Count, JsonObject, Limit, Name, Names, ProxyUrl, SessionId
from api.routing import on_session
from api.services import services
from storage.rows import Json, Session

routes = Blueprint("sessions", __name__)

_ANSWER_WAIT = 30.0  # seconds for a session to disconnect cleanly or to log out


@frozen(kw_only=True)
class _Limits:
    per_minute: Count | None = None
    burst: Count | None = None


@frozen(kw_only=True)
class _NewSession:
    id: SessionId | None = None
    name: Name
    device_name: Name | None = None
    proxy: ProxyUrl | None = None
    limits: _Limits | None = None
    auto_read: bool = False
    metadata: JsonObject | None = None
    start: bool = True


@frozen(kw_only=True)
class _Changes:
    name: Name | None = None
    device_name: Name | None = None
    proxy: ProxyUrl | None = None
    limits: _Limits | None = None
    auto_read: bool = False
    metadata: JsonObject | None = None


@frozen(kw_only=True)
class _Listing:
    status: Names | None = None
    q: str | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


_SETTINGS = ("device_name", "proxy", "limits", "auto_read")


@routes.post("/api/sessions")
async def create() -> Response:
    """A new session and its key, which is shown this once."""
    await admit(Scope.ADMIN)
    new = await body_as(_NewSession)
    asked = NewSession(
        id=new.id,
        name=new.name,
        settings=_stored_settings({name: getattr(new, name) for name in _SETTINGS}),
        metadata=new.metadata or {},
        start=new.start,
    )
    async with recorded("session.create", new.id) as act:
        row, key = await services().sessions.create(asked)
        act.target = row.id
    return answer({"session": session_view(row), "apiKey": key}, 201)


@routes.get("/api/sessions")
async def listing() -> Response:
    """Sessions by id, a page at a time."""
    await admit(Scope.ADMIN)
    asked = query_as(_Listing)
    page = await services().reads.sessions(
        status=asked.status, q=asked.q, cursor=asked.cursor, limit=asked.limit
    )
    return answer({"sessions": [session_view(row) for row in page.items], "cursor": page.cursor})


@on_session(routes, "GET")
async def get(session_id: str | None = None) -> Response:
    """One session, as stored."""
    return answer(session_view(await _stored(await admit_to_session(Scope.READ, session_id))))


@on_session(routes, "PATCH")
async def patch(session_id: str | None = None) -> Response:
    """Change what is named; null sets back to the default."""
    session_id = await admit_to_session(Scope.SETTINGS, session_id)
    given = await given_in_body(_Changes)
    stored = await _stored(session_id)
    changes: dict[str, Any] = {}
    if given.get("name") is not None:
        changes["name"] = given["name"]
    if "metadata" in given:
        changes["metadata"] = given["metadata"] or {}
    if settings := {name: given[name] for name in _SETTINGS if name in given}:
        kept = {name: value for name, value in stored.settings.items() if name not in map(camel, settings)}
        changes["settings"] = kept | _stored_settings(settings)
    if changes:
        async with recorded("session.update", session_id, fields=sorted(map(camel, given))):
            stored = await services().sessions.update(session_id, changes)
    return answer(session_view(stored))


@routes.delete("/api/sessions/<session_id>")
async def delete(session_id: str) -> Response:
    """Remove a session with its keys, messages, events and webhooks. The phone keeps its linked device."""
    await admit(Scope.ADMIN)
    async with recorded("session.delete", session_id):
        await services().sessions.delete(session_id)
        await services().webhooks.session_deleted(session_id)
    return no_content()


@on_session(routes, "POST", "/start")
async def start(session_id: str | None = None) -> Response:
    """Run, and stay running."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    async with recorded("session.start", session_id):
        revived = await services().sessions.revive(session_id)
        try:
            return await _asked(session_id, Start())
        except AlreadyRunning:
            if not revived:  # or else it runs because its actor has just come back
                raise
            return answer(_status_view(await _status(session_id)))


@on_session(routes, "POST", "/stop")
async def stop(session_id: str | None = None) -> Response:
    """Disconnect, and stay stopped."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    async with recorded("session.stop", session_id):
        return await _asked(session_id, Stop())


@on_session(routes, "POST", "/restart")
async def restart(session_id: str | None = None) -> Response:
    """Disconnect and connect again."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    async with recorded("session.restart", session_id):
        await services().sessions.revive(session_id)
        return await _asked(session_id, RestartClient())


@on_session(routes, "POST", "/logout")
async def logout(session_id: str | None = None) -> Response:
    """Unlink this device from its account."""
    session_id = await admit_to_session(Scope.CONTROL, session_id)
    async with recorded("session.logout", session_id):
        return await _asked(session_id, Logout())


@on_session(routes, "GET", "/status")
async def status(session_id: str | None = None) -> Response:
    """How the session is now, asked of its actor."""
    return answer(_status_view(await _status(await admit_to_session(Scope.READ, session_id))))


@on_session(routes, "GET", "/me")
async def me(session_id: str | None = None) -> Response:
    """The account that the session is linked to; all null while it is not."""
    now = await _status(await admit_to_session(Scope.READ, session_id))
    return answer({"jid": now.jid, "lid": now.lid, "phone": now.phone, "pushName": now.push_name})


async def _asked(session_id: str, request: Start | Stop | RestartClient | Logout) -> Response:
    """Ask, then tell what the session is now."""
    await services().sessions.ref(session_id).call(request, timeout=_ANSWER_WAIT)
    return answer(_status_view(await _status(session_id)))


async def _status(session_id: str) -> SessionStatus:
    status: SessionStatus = await services().sessions.ref(session_id).call(GetStatus())
    return status


async def _stored(session_id: str) -> Session:
    row = await services().reads.session(session_id)
    if row is None:
        raise SessionNotFound(session_id=session_id)
    return row


def _stored_settings(given: dict[str, Any]) -> Json:
    """Settings as the row keeps them: what is null or false is left to the default."""
    settings: Json = {}
    for name, value in given.items():
        if isinstance(value, _Limits):
            limits = attrs.asdict(value)
            value = {camel(limit): number for limit, number in limits.items() if number is not None}  # noqa: PLW2901
        if value:
            settings[camel(name)] = value
    return settings


def session_view(row: Session) -> Json:
    """A session as clients see it; of a proxy, all but user and password."""
    settings = dict(row.settings)
    if proxy := settings.get("proxy"):
        parts = urlsplit(proxy)
        settings["proxy"] = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return {
        "id": row.id,
        "name": row.name,
        "desired": row.desired,
        "status": row.status,
        "statusSince": row.status_since,
        "jid": row.jid and phone_jid(str(row.phone)),  # the row has the device's
        "lid": row.lid,
        "phone": row.phone,
        "pushName": row.push_name,
        "lastError": row.last_error,
        **settings,
        "metadata": row.metadata,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


def _status_view(status: SessionStatus) -> Json:
    return {
        "sessionId": status.session_id,
        "desired": status.desired,
        "actual": status.actual,
        "since": status.since,
        "restarts": status.restarts,
        "lastError": status.last_error,
        "liveness": {"lastInboundAt": status.last_inbound_at, "lastPongAt": status.last_pong_at},
        "cell": status.cell,
        "lease": None,
    }
