"""Webhooks: endpoints that are told of events, of one session or of all."""

from datetime import timedelta
from typing import Any

from attrs import frozen
from quart import Blueprint, Response, request

from actors.errors import SessionNotFound
from actors.signature import new_secret
from api.access import Scope, acting_on, admit
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import body_as, given_in_body
from api.fields import A_DAY, EventName, HttpHeaders, Seconds, Secret, WebUrl
from api.refusals import NotFound
from api.routing import in_session
from api.services import services
from storage.ids import new_id
from storage.rows import Json, Webhook, now

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


@frozen
class _Rotation:
    grace_seconds: Seconds = A_DAY


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
        secret=new.secret or new_secret(),
        active=new.active,
        headers=new.headers or {},
        cursor=await services().reads.last_position(),
    )
    async with recorded("webhook.create", row.id, sessionId=owner):
        stored = await services().webhooks.create(row)
    return _shown_once(stored, 201)


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
    changes = {name: defaults[name] if new is None else new for name, new in given.items()}
    return await _changed("webhook.update", row, changes)


@in_session(routes, "DELETE", "/webhooks/<webhook_id>")
async def delete(webhook_id: str, session_id: str | None = None) -> Response:
    """Tell this endpoint no more."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    async with recorded("webhook.delete", row.id):
        await services().webhooks.delete(row.id)
    return no_content()


@in_session(routes, "POST", "/webhooks/<webhook_id>/pause")
async def pause(webhook_id: str, session_id: str | None = None) -> Response:
    """Tell this endpoint nothing for now; what happens meanwhile is kept for it."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    return await _changed("webhook.pause", row, {"active": False})


@in_session(routes, "POST", "/webhooks/<webhook_id>/resume")
async def resume(webhook_id: str, session_id: str | None = None) -> Response:
    """Go on where the endpoint was paused."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    return await _changed("webhook.resume", row, {"active": True})


@in_session(routes, "POST", "/webhooks/<webhook_id>/rotate-secret")
async def rotate_secret(webhook_id: str, session_id: str | None = None) -> Response:
    """A new secret; for `graceSeconds` the old one signs too, while the receiver changes over."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    rotation = await body_as(_Rotation)
    until = now() + timedelta(seconds=rotation.grace_seconds)
    changes = {"secret": new_secret(), "previous_secret": row.secret, "previous_secret_until": until}
    return _shown_once(await _update("webhook.rotate_secret", row, changes), 200)


async def _changed(action: str, row: Webhook, changes: dict[str, Any]) -> Response:
    return answer(webhook_view(await _update(action, row, changes) if changes else row))


async def _update(action: str, row: Webhook, changes: dict[str, Any]) -> Webhook:
    async with recorded(action, row.id, fields=sorted(changes)):
        updated = await services().webhooks.update(row.id, changes)
        if updated is None:
            raise NotFound("webhook", row.id)
        return updated


def _shown_once(row: Webhook, status: int) -> Response:
    shown = {"webhook": webhook_view(row), "secret": row.secret}
    return answer(shown, status, {"cache-control": "no-store"})


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
