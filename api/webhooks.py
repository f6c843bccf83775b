"""Webhooks: endpoints that are told of events, of one session or of all."""

import base64
import secrets
from typing import Any

from attrs import frozen
from quart import Blueprint, Response, request

from actors.errors import SessionNotFound
from api.access import Scope, acting_on, admit
from api.answers import answer, no_content
from api.bodies import body_as, given_in_body
from api.fields import EventName, HttpHeaders, Secret, WebUrl
from api.refusals import NotFound
from api.routing import in_session
from api.services import services
from storage.ids import new_id
from storage.rows import Json, Webhook
from storage.writes import Delete, Insert, Update

routes = Blueprint("webhooks", __name__)


@frozen(kw_only=True)
class _NewWebhook:
    url: WebUrl
    events: tuple[EventName, ...] = ()
    headers: HttpHeaders | None = None
    secret: Secret | None = None
    active: bool = True


@frozen(kw_only=True)
class _Changes:
    url: WebUrl | None = None
    events: tuple[EventName, ...] | None = None
    headers: HttpHeaders | None = None
    active: bool | None = None


@in_session(routes, "POST", "/webhooks")
async def create(session_id: str | None = None) -> Response:
    """A new endpoint, told of what happens from now on; its secret is shown this once."""
    owner = await _owner(Scope.SETTINGS, session_id)
    new = await body_as(_NewWebhook)
    if owner is not None and await services().reads.session(owner) is None:
        raise SessionNotFound(session_id=owner)
    row = Webhook(
        id=new_id("whk"),
        session_id=owner,
        url=new.url,
        events=new.events,
        secret=new.secret or _new_secret(),
        active=new.active,
        headers=new.headers or {},
        cursor=await services().reads.last_position(),
    )
    await services().writer.call(Insert(row))
    shown = {"webhook": webhook_view(row), "secret": row.secret}
    return answer(shown, 201, {"cache-control": "no-store"})


@in_session(routes, "GET", "/webhooks")
async def listing(session_id: str | None = None) -> Response:
    """A session's endpoints; without a session, for an admin, all."""
    owner = await _owner(Scope.READ, session_id)
    rows = await services().reads.webhooks(session_id=owner)
    return answer({"webhooks": [webhook_view(row) for row in rows]})


@in_session(routes, "GET", "/webhooks/<webhook_id>")
async def get(webhook_id: str, session_id: str | None = None) -> Response:
    """One endpoint."""
    return answer(webhook_view(await _stored(Scope.READ, session_id, webhook_id)))


@in_session(routes, "PATCH", "/webhooks/<webhook_id>")
async def patch(webhook_id: str, session_id: str | None = None) -> Response:
    """Change what is named; null sets back to the default."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    given = await given_in_body(_Changes)
    defaults: dict[str, Any] = {"url": row.url, "events": (), "headers": {}, "active": True}
    return await _changed(row, {name: defaults[name] if new is None else new for name, new in given.items()})


@in_session(routes, "DELETE", "/webhooks/<webhook_id>")
async def delete(webhook_id: str, session_id: str | None = None) -> Response:
    """Tell this endpoint no more."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    await services().writer.call(Delete(Webhook, row.id))
    return no_content()


@in_session(routes, "POST", "/webhooks/<webhook_id>/pause")
async def pause(webhook_id: str, session_id: str | None = None) -> Response:
    """Tell this endpoint nothing for now; what happens meanwhile is kept for it."""
    return await _changed(await _stored(Scope.SETTINGS, session_id, webhook_id), {"active": False})


@in_session(routes, "POST", "/webhooks/<webhook_id>/resume")
async def resume(webhook_id: str, session_id: str | None = None) -> Response:
    """Go on where the endpoint was paused."""
    return await _changed(await _stored(Scope.SETTINGS, session_id, webhook_id), {"active": True})


async def _changed(row: Webhook, changes: dict[str, Any]) -> Response:
    if changes:
        written = await services().writer.call(Update(Webhook, row.id, changes))
        if not written.applied:
            raise NotFound("webhook", row.id)
        row = written.row
    return answer(webhook_view(row))


async def _owner(scope: Scope, session_id: str | None) -> str | None:
    """The session whose webhooks these are; None, for an admin who names none: those of all."""
    key = await admit(scope)
    named = request.headers.get("x-session-id")
    if key.session_id is None and session_id is None and named is None:
        return None
    return acting_on(key, session_id, named)


async def _stored(scope: Scope, session_id: str | None, webhook_id: str) -> Webhook:
    owner = await _owner(scope, session_id)
    row = await services().reads.webhook(webhook_id)
    if row is None or (owner is not None and row.session_id != owner):
        raise NotFound("webhook", webhook_id)
    return row


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def webhook_view(row: Webhook) -> Json:
    """What may be told of a webhook: not its secrets, and of its headers only the names."""
    return {
        "id": row.id,
        "sessionId": row.session_id,
        "url": row.url,
        "events": row.events,
        "headers": sorted(row.headers),
        "active": row.active,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
