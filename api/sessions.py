"""Sessions: made, listed, changed, removed, started, stopped, and how they are and came to be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen
from quart import Blueprint

from actors.directory import NewSession
from actors.egress import UrlForbidden
from actors.errors import AlreadyRunning, SessionExists, SessionNotFound
from actors.session.messages import GetStatus, Logout, RestartClient, SessionStatus, Start, Stop
from actors.whatsapp.jid import phone_jid
from api.access import Scope
from api.audit import recorded
from api.converter import SOMETIMES, camel
from api.fields import (
    DEFAULT_LIMIT,
    Count,
    Jids,
    JsonObject,
    Limit,
    MessageText,
    MismatchError,
    Name,
    Names,
    ProxyUrl,
    SessionId,
)
from api.operation import Answer, At, operation
from api.services import services
from api.webhooks import NewWebhook, WebhookMadeView, add_webhook
from storage.rows import Event, Json, Session

routes = Blueprint("sessions", __name__)

T = TypeVar("T")

_ANSWER_WAIT = 30.0  # seconds for a session to disconnect cleanly or to log out
_MOST_WEBHOOKS = 20
_SOMETIMES = {SOMETIMES: True}

# --- what is asked ------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Limits:
    """How fast a session may send; what is left out is the gateway's default."""

    per_minute: Count | None = None
    burst: Count | None = None
    """How many may go at once after a pause."""
    new_chats_per_day: Count | None = None
    """How many chats may begin with a message of the session's own."""


@frozen(kw_only=True)
class Ignore:
    """Chats whose messages are neither stored nor announced, nor marked as read."""

    groups: bool = False
    channels: bool = False
    status: bool = False
    """People's stories."""
    broadcasts: bool = False
    """What people write to many at once."""
    chats: Jids | None = None
    """These, by number or LID."""


@frozen(kw_only=True)
class CallRejection:
    message: MessageText | None = None
    """Sent to whoever called; it counts for the session's limits."""


@frozen(kw_only=True, slots=False)
class _Settings:
    device_name: Name | None = None
    """What the phone calls this device; counts when it is paired."""
    proxy: ProxyUrl | None = None
    """Counts from the next start."""
    limits: Limits | None = None
    ignore: Ignore | None = None
    auto_read: bool = False
    """Messages are marked as read as they come in."""
    auto_reject_calls: bool | CallRejection | None = None
    """Calls are declined as they come in."""
    metadata: JsonObject | None = None
    """Anything of the caller's own."""


@frozen(kw_only=True)
class SessionDraft(_Settings):
    id: SessionId | None = None
    name: Name
    webhooks: tuple[NewWebhook, ...] = ()
    """Told of all that happens in the session, from its first event on."""
    start: bool = True

    def __attrs_post_init__(self) -> None:
        if len(self.webhooks) > _MOST_WEBHOOKS:
            raise MismatchError(f"expected at most {_MOST_WEBHOOKS}", path="webhooks")


@frozen(kw_only=True)
class SessionChanges(_Settings):
    name: Name | None = None


@frozen(kw_only=True)
class SessionsQuery:
    status: Names | None = None
    q: str | None = None
    """Looked for in id, name, phone and push name."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class TimelineQuery:
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


# --- what is answered ---------------------------------------------------------------------------------------


@frozen(kw_only=True)
class LimitsView:
    per_minute: int | None = field(default=None, metadata=_SOMETIMES)
    burst: int | None = field(default=None, metadata=_SOMETIMES)
    new_chats_per_day: int | None = field(default=None, metadata=_SOMETIMES)


@frozen(kw_only=True)
class IgnoreView:
    groups: bool | None = field(default=None, metadata=_SOMETIMES)
    channels: bool | None = field(default=None, metadata=_SOMETIMES)
    status: bool | None = field(default=None, metadata=_SOMETIMES)
    broadcasts: bool | None = field(default=None, metadata=_SOMETIMES)
    chats: list[str] | None = field(default=None, metadata=_SOMETIMES)


@frozen(kw_only=True)
class CallRejectionView:
    message: str


@frozen(kw_only=True)
class SessionView:
    """A session as it is stored. A setting that has its default is left out."""

    id: str
    name: str
    desired: str
    """`running` or `stopped`: what was asked for."""
    status: str
    """What it was last: `stopped`, `starting`, `pairing`, `connected`, `reconnecting`, `logged_out`,
    `restricted` or `failed`."""
    status_since: datetime
    jid: str | None
    lid: str | None
    phone: str | None
    push_name: str | None
    last_error: str | None
    device_name: str | None = field(default=None, metadata=_SOMETIMES)
    proxy: str | None = field(default=None, metadata=_SOMETIMES)
    """Without its user and password."""
    limits: LimitsView | None = field(default=None, metadata=_SOMETIMES)
    ignore: IgnoreView | None = field(default=None, metadata=_SOMETIMES)
    auto_read: bool | None = field(default=None, metadata=_SOMETIMES)
    auto_reject_calls: bool | CallRejectionView | None = field(default=None, metadata=_SOMETIMES)
    metadata: Json
    created_at: datetime
    updated_at: datetime


@frozen(kw_only=True)
class SessionMadeView:
    session: SessionView
    api_key: str
    """Shown only now."""
    webhooks: list[WebhookMadeView] | None = field(default=None, metadata=_SOMETIMES)


@frozen(kw_only=True)
class SessionsView:
    sessions: list[SessionView]
    cursor: str | None


@frozen(kw_only=True)
class LivenessView:
    last_inbound_at: datetime | None
    """When WhatsApp last delivered anything."""
    last_pong_at: datetime | None
    """When WhatsApp last proved that it answers."""


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
    lease: Json | None = None


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


# --- routes -------------------------------------------------------------------------------------------------


@operation(
    routes,
    "POST",
    "/sessions",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    body=SessionDraft,
    answers={201: SessionMadeView},
    errors=(SessionExists, UrlForbidden),
)
async def create(body: SessionDraft) -> Answer:
    """A new session and its key, which is shown this once; with its webhooks, or not at all."""
    for webhook in body.webhooks:
        services().webhooks.egress.check_url(webhook.url)
    asked = NewSession(
        id=body.id,
        name=body.name,
        settings=_stored_settings({name: getattr(body, name) for name in _SETTINGS}),
        metadata=body.metadata or {},
        start=body.start,
    )
    position = await services().reads.last_position()
    async with recorded("session.create", body.id) as act:
        row, key = await services().sessions.create(asked)
        act.target = row.id
        try:
            made = [await add_webhook(row.id, webhook, position) for webhook in body.webhooks]
        except Exception:
            await services().sessions.delete(row.id)
            raise
    view = SessionMadeView(session=session_view(row), api_key=key, webhooks=made or None)
    return Answer(view, 201, {"cache-control": "no-store"})


@operation(
    routes,
    "GET",
    "/sessions",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    query=SessionsQuery,
    answers={200: SessionsView},
)
async def listing(query: SessionsQuery) -> SessionsView:
    """Sessions by id, a page at a time."""
    page = await services().reads.sessions(
        status=query.status, q=query.q, cursor=query.cursor, limit=query.limit
    )
    return SessionsView(sessions=[session_view(row) for row in page.items], cursor=page.cursor)


@operation(routes, "GET", "", at=At.ON_SESSION, scope=Scope.READ, answers={200: SessionView})
async def get(session_id: str) -> SessionView:
    """One session, as stored."""
    return session_view(await _stored(session_id))


@operation(
    routes,
    "PATCH",
    "",
    at=At.ON_SESSION,
    scope=Scope.SETTINGS,
    body=SessionChanges,
    patch=True,
    answers={200: SessionView},
)
async def patch(session_id: str, body: dict[str, Any]) -> SessionView:
    """Change what is named; null sets back to the default."""
    stored = await _stored(session_id)
    changes: dict[str, Any] = {}
    if body.get("name") is not None:
        changes["name"] = body["name"]
    if "metadata" in body:
        changes["metadata"] = body["metadata"] or {}
    if settings := {name: body[name] for name in _SETTINGS if name in body}:
        kept = {name: value for name, value in stored.settings.items() if name not in map(camel, settings)}
        changes["settings"] = kept | _stored_settings(settings)
    if changes:
        async with recorded("session.update", session_id, fields=sorted(map(camel, body))):
            stored = await services().sessions.update(session_id, changes)
    return session_view(stored)


@operation(
    routes,
    "DELETE",
    "/sessions/<session_id>",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    answers={204: None},
    errors=(SessionNotFound,),
)
async def delete(session_id: str) -> None:
    """Remove a session with its keys, messages, events and webhooks. The phone keeps its linked device."""
    async with recorded("session.delete", session_id):
        await services().sessions.delete(session_id)
        await services().webhooks.session_deleted(session_id)


@operation(
    routes,
    "POST",
    "/start",
    at=At.ON_SESSION,
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


@operation(routes, "POST", "/stop", at=At.ON_SESSION, scope=Scope.CONTROL, answers={200: SessionStatusView})
async def stop(session_id: str) -> SessionStatusView:
    """Disconnect, and stay stopped."""
    async with recorded("session.stop", session_id):
        return await _asked(session_id, Stop())


@operation(
    routes, "POST", "/restart", at=At.ON_SESSION, scope=Scope.CONTROL, answers={200: SessionStatusView}
)
async def restart(session_id: str) -> SessionStatusView:
    """Disconnect and connect again."""
    async with recorded("session.restart", session_id):
        await services().sessions.revive(session_id)
        return await _asked(session_id, RestartClient())


@operation(routes, "POST", "/logout", at=At.ON_SESSION, scope=Scope.CONTROL, answers={200: SessionStatusView})
async def logout(session_id: str) -> SessionStatusView:
    """Unlink this device from its account."""
    async with recorded("session.logout", session_id):
        return await _asked(session_id, Logout())


@operation(routes, "GET", "/status", at=At.ON_SESSION, scope=Scope.READ, answers={200: SessionStatusView})
async def status(session_id: str) -> SessionStatusView:
    """How the session is now, asked of its actor."""
    return await _status(session_id)


@operation(routes, "GET", "/me", at=At.ON_SESSION, scope=Scope.READ, answers={200: AccountView})
async def me(session_id: str) -> AccountView:
    """The account that the session is linked to, as far as that is known here."""
    now = await _actor_status(session_id)
    return AccountView(jid=now.jid, lid=now.lid, phone=now.phone, push_name=now.push_name)


@operation(
    routes,
    "GET",
    "/timeline",
    at=At.ON_SESSION,
    scope=Scope.READ,
    query=TimelineQuery,
    answers={200: TimelineView},
)
async def timeline(session_id: str, query: TimelineQuery) -> TimelineView:
    """How the session came to be as it is: its changes of state, newest first, a page at a time."""
    await _stored(session_id)
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
    )


async def _actor_status(session_id: str) -> SessionStatus:
    status: SessionStatus = await services().sessions.ref(session_id).call(GetStatus())
    return status


async def _stored(session_id: str) -> Session:
    row = await services().reads.session(session_id)
    if row is None:
        raise SessionNotFound(session_id=session_id)
    return row


# --- settings between a request, the row and an answer ------------------------------------------------------

_SETTINGS = ("device_name", "proxy", "limits", "ignore", "auto_read", "auto_reject_calls")


def _stored_settings(given: dict[str, Any]) -> Json:
    """Settings as the row keeps them: what is null or false is left to the default."""
    stored = {camel(name): _stored_setting(value) for name, value in given.items()}
    return {name: value for name, value in stored.items() if value}


def _stored_setting(value: Any) -> Any:
    match value:
        case CallRejection(message=None):
            return True
        case Limits() | Ignore() | CallRejection():
            return {camel(name): part for name, part in attrs.asdict(value).items() if part}
        case _:
            return value


def session_view(row: Session) -> SessionView:
    """A session as clients see it."""
    settings = row.settings
    rejects = settings.get("autoRejectCalls")
    return SessionView(
        id=row.id,
        name=row.name,
        desired=row.desired,
        status=row.status,
        status_since=row.status_since,
        jid=row.jid and phone_jid(str(row.phone)),  # the row has the device's
        lid=row.lid,
        phone=row.phone,
        push_name=row.push_name,
        last_error=row.last_error,
        device_name=settings.get("deviceName"),
        proxy=_shown_proxy(settings.get("proxy")),
        limits=_of_settings(LimitsView, settings.get("limits")),
        ignore=_of_settings(IgnoreView, settings.get("ignore")),
        auto_read=settings.get("autoRead"),
        auto_reject_calls=CallRejectionView(**rejects) if isinstance(rejects, dict) else rejects,
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _of_settings(view: type[T], stored: Json | None) -> T | None:
    """A view of a part of the settings; None where nothing is set."""
    if stored is None:
        return None
    names = [each.name for each in attrs.fields(view)]  # type: ignore[arg-type]
    return view(**{name: stored[camel(name)] for name in names if camel(name) in stored})


def _shown_proxy(proxy: str | None) -> str | None:
    """A proxy's URL without user and password."""
    if proxy is None:
        return None
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


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
