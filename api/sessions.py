"""Sessions: made, listed, changed and removed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

from attrs import field, frozen
from quart import Blueprint

from actors.directory import NewSession
from actors.egress import UrlForbidden
from actors.errors import SessionExists, SessionNotFound
from actors.session.settings import HistoryDepth
from actors.whatsapp.jid import phone_jid
from api.access import caller
from api.audit import recorded
from api.caller import Scope
from api.checks import MismatchError
from api.constraints import sized
from api.converter import SOMETIMES, camel
from api.fields import DEFAULT_LIMIT, Limit, Name, Names, SessionId
from api.operation import Answer, At, Where, operation
from api.refusals import Draining, NotReady
from api.services import services
from api.settings import (
    SETTINGS,
    CallRejectionView,
    IgnoreView,
    LimitsView,
    Settings,
    shown_settings,
    stored_settings,
)
from api.webhooks import NewWebhook, WebhookMadeView, add_webhook
from storage.rows import Json, Session

routes = Blueprint("sessions", __name__)

T = TypeVar("T")

_MOST_WEBHOOKS = 20
_SOMETIMES = {SOMETIMES: True}

# --- what is asked ------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class SessionDraft(Settings):
    id: SessionId | None = None
    name: Name
    webhooks: tuple[NewWebhook, ...] = ()
    """Told of all that happens in the session, from its first event on."""
    start: bool = True

    def __attrs_post_init__(self) -> None:
        if len(self.webhooks) > _MOST_WEBHOOKS:
            raise MismatchError(f"expected at most {_MOST_WEBHOOKS}", path="webhooks")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield sized("webhooks", 0, _MOST_WEBHOOKS)


@frozen(kw_only=True)
class SessionChanges(Settings):
    name: Name | None = None


@frozen(kw_only=True)
class SessionsQuery:
    status: Names | None = None
    q: str | None = None
    """Looked for in id, name, phone and push name."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


# --- what is answered ---------------------------------------------------------------------------------------


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
    history: HistoryDepth | None = field(default=None, metadata=_SOMETIMES)
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


# --- routes -------------------------------------------------------------------------------------------------


@operation(
    routes,
    "POST",
    "/sessions",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    body=SessionDraft,
    answers={201: SessionMadeView},
    errors=(SessionExists, UrlForbidden, Draining, NotReady),
)
async def create(body: SessionDraft) -> Answer:
    """A new session and its key, which is shown this once; with its webhooks, or not at all."""
    _check_may_begin()
    for webhook in body.webhooks:
        services().webhooks.egress.check_url(webhook.url)
    asked = NewSession(
        id=body.id,
        name=body.name,
        settings=stored_settings({name: getattr(body, name) for name in SETTINGS}),
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


def _check_may_begin() -> None:
    """Raises Draining or NotReady where another node has to be asked."""
    cluster = services().cluster
    reason = None if cluster is None else cluster.unready
    if reason == "draining":
        raise Draining
    if reason is not None:
        raise NotReady(f"This node cannot take a session: {reason}.")


@operation(
    routes,
    "GET",
    "/sessions",
    at=At.GATEWAY,
    scope=Scope.STATUS,
    query=SessionsQuery,
    answers={200: SessionsView},
)
async def listing(query: SessionsQuery) -> SessionsView:
    """The caller's sessions by id, a page at a time."""
    page = await services().reads.sessions(
        among=caller().sessions, status=query.status, q=query.q, cursor=query.cursor, limit=query.limit
    )
    return SessionsView(sessions=[session_view(row) for row in page.items], cursor=page.cursor)


@operation(
    routes, "GET", "", at=At.ON_SESSION, where=Where.ANY, scope=Scope.STATUS, answers={200: SessionView}
)
async def get(session_id: str) -> SessionView:
    """One session, as stored."""
    return session_view(await stored_session(session_id))


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
    stored = await stored_session(session_id)
    changes: dict[str, Any] = {}
    if body.get("name") is not None:
        changes["name"] = body["name"]
    if "metadata" in body:
        changes["metadata"] = body["metadata"] or {}
    if settings := {name: body[name] for name in SETTINGS if name in body}:
        kept = {name: value for name, value in stored.settings.items() if name not in map(camel, settings)}
        changes["settings"] = kept | stored_settings(settings)
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
        services().address_book.forget(session_id)
        await services().webhooks.session_deleted(session_id)


async def stored_session(session_id: str) -> Session:
    """A session's row. Raises SessionNotFound."""
    row = await services().reads.session(session_id)
    if row is None:
        raise SessionNotFound(session_id=session_id)
    return row


def session_view(row: Session) -> SessionView:
    """A session as clients see it."""
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
        **shown_settings(row.settings),
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
