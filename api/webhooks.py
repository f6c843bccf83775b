"""Webhooks: endpoints that are told of events, of one session or of all."""

from datetime import timedelta
from typing import Any

from attrs import frozen
from quart import Blueprint, Response, request

from actors.circuit import Circuit
from actors.envelope import cursor_of, position_of
from actors.errors import SessionNotFound
from actors.signature import new_secret
from api.access import Scope, acting_on, admit
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import body_as, given_in_body, query_as
from api.converter import unstructure
from api.fields import (
    A_DAY,
    DEFAULT_LIMIT,
    EventName,
    HttpHeaders,
    Jids,
    Limit,
    MessageTypes,
    MismatchError,
    Names,
    Seconds,
    Secret,
    WebUrl,
    moment,
)
from api.refusals import FieldError, NotFound, ValidationFailed
from api.routing import in_session
from api.services import services
from storage.ids import new_id
from storage.rows import Delivery, DeliveryStatus, Json, Webhook, now

routes = Blueprint("webhooks", __name__)


@frozen(kw_only=True)
class _Filters:
    chats: Jids | None = None
    from_me: bool | None = None
    types: MessageTypes | None = None


@frozen(kw_only=True)
class NewWebhook:
    url: WebUrl
    events: tuple[EventName, ...] = ()
    filters: _Filters | None = None
    headers: HttpHeaders | None = None
    secret: Secret | None = None
    active: bool = True


@frozen(kw_only=True)
class _Changes:
    url: WebUrl | None = None
    events: tuple[EventName, ...] | None = None
    filters: _Filters | None = None
    headers: HttpHeaders | None = None
    active: bool | None = None


@frozen
class _Rotation:
    grace_seconds: Seconds = A_DAY


@frozen(kw_only=True)
class _Stretch:
    after: str
    until: str | None = None


@frozen(kw_only=True)
class _Listing:
    status: Names | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class WebhookMadeView:
    webhook: Json
    secret: str
    """Shown only now."""


async def add_webhook(owner: str | None, new: NewWebhook, position: int) -> WebhookMadeView:
    """A new endpoint of a session, or of all, told of what lies past a position of the log.

    Its URL must have been checked.
    """
    row = Webhook(
        id=new_id("whk"),
        session_id=owner,
        url=new.url,
        events=new.events,
        secret=new.secret or new_secret(),
        active=new.active,
        headers=new.headers or {},
        filters=_stored_filters(new.filters),
        cursor=position,
    )
    async with recorded("webhook.create", row.id, sessionId=owner):
        stored = await services().webhooks.create(row)
    return WebhookMadeView(webhook=webhook_view(stored), secret=stored.secret)


@in_session(routes, "POST", "/webhooks")
async def create(session_id: str | None = None) -> Response:
    """A new endpoint, told of what happens from now on; its secret is shown this once."""
    owner = await _owner(Scope.SETTINGS, session_id)
    new = await body_as(NewWebhook)
    services().webhooks.egress.check_url(new.url)
    if owner is not None and await services().reads.session(owner) is None:
        raise SessionNotFound(session_id=owner)
    made = await add_webhook(owner, new, await services().reads.last_position())
    return answer(unstructure(made), 201, {"cache-control": "no-store"})


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
    if given.get("url") is not None:
        services().webhooks.egress.check_url(given["url"])
    if "filters" in given:
        given["filters"] = _stored_filters(given["filters"])
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
    stored = await _update("webhook.rotate_secret", row, changes)
    made = WebhookMadeView(webhook=webhook_view(stored), secret=stored.secret)
    return answer(unstructure(made), 200, {"cache-control": "no-store"})


@in_session(routes, "POST", "/webhooks/<webhook_id>/test")
async def send_test(webhook_id: str, session_id: str | None = None) -> Response:
    """Send a test event at once, and tell how that went."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    async with recorded("webhook.test", row.id):
        outcome = await services().webhooks.test(row)
    return answer(
        {
            "delivered": outcome.error is None,
            "error": outcome.error,
            "latencyMs": round(outcome.seconds * 1000),
            "response": _response_view(outcome.status, outcome.body),
        }
    )


@in_session(routes, "POST", "/webhooks/<webhook_id>/replay")
async def replay(webhook_id: str, session_id: str | None = None) -> Response:
    """Deliver a stretch of the log again, in the background and over restarts."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    asked = await body_as(_Stretch)
    position = await _position("after", asked.after)
    end = await services().reads.last_position()
    until = end if asked.until is None else min(end, await _position("until", asked.until))
    async with recorded("webhook.replay", row.id, after=asked.after, until=asked.until):
        updated = await services().webhooks.replay(row.id, position, until)
        if updated is None:
            raise NotFound("webhook", row.id)
    return answer(webhook_view(updated), 202)


@in_session(routes, "GET", "/webhooks/<webhook_id>/deliveries")
async def deliveries(webhook_id: str, session_id: str | None = None) -> Response:
    """What became of this endpoint's events, the last tried first; dead letters are among them."""
    row = await _stored(Scope.READ, session_id, webhook_id)
    asked = query_as(_Listing)
    if asked.status is not None and not asked.status <= set(DeliveryStatus):
        raise ValidationFailed((FieldError("status", f"expected any of {', '.join(DeliveryStatus)}"),))
    status = None if asked.status is None else frozenset(map(DeliveryStatus, asked.status))
    page = await services().reads.deliveries(row.id, status=status, cursor=asked.cursor, limit=asked.limit)
    return answer({"deliveries": [delivery_view(each) for each in page.items], "cursor": page.cursor})


@in_session(routes, "POST", "/webhooks/<webhook_id>/deliveries/<event_id>/redeliver")
async def redeliver(webhook_id: str, event_id: str, session_id: str | None = None) -> Response:
    """Send an event once more, at once, and tell how that went."""
    row = await _stored(Scope.SETTINGS, session_id, webhook_id)
    event = None
    if await services().reads.delivery(row.id, event_id) is not None:
        event = await services().reads.event(event_id)
    if event is None:
        raise NotFound("delivery", event_id)
    async with recorded("webhook.redeliver", row.id, eventId=event_id):
        delivery = await services().webhooks.redeliver(row, event)
    return answer(delivery_view(delivery))


async def _position(name: str, given: str) -> int:
    """The place in the log that a cursor or a time stands for. Raises ValidationFailed."""
    try:
        return position_of(given)
    except ValueError:
        pass
    try:
        at = moment(given)
    except MismatchError:
        raise ValidationFailed((FieldError(name, "expected a cursor or an ISO 8601 time"),)) from None
    return await services().reads.position_at(at)


def _stored_filters(filters: _Filters | None) -> Json:
    """Filters as the row keeps them: those that are set."""
    if filters is None:
        return {}
    given = {"chats": filters.chats, "fromMe": filters.from_me, "types": filters.types}
    return {name: value for name, value in given.items() if value is not None}


async def _changed(action: str, row: Webhook, changes: dict[str, Any]) -> Response:
    return answer(webhook_view(await _update(action, row, changes) if changes else row))


async def _update(action: str, row: Webhook, changes: dict[str, Any]) -> Webhook:
    async with recorded(action, row.id, fields=sorted(changes)):
        updated = await services().webhooks.update(row.id, changes)
        if updated is None:
            raise NotFound("webhook", row.id)
        return updated


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
        "filters": row.filters,
        "headers": sorted(row.headers),
        "active": row.active,
        "cursor": cursor_of(row.cursor),
        "circuit": _circuit_view(services().webhooks.circuit(row.id)),
        "sessionsHeld": services().webhooks.held(row.id),
        "replay": row.replay
        and {"cursor": cursor_of(row.replay["position"]), "until": cursor_of(row.replay["until"])},
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


def _circuit_view(circuit: Circuit | None) -> Json:
    if circuit is None:
        return {"state": "closed", "failures": 0, "openedAt": None}
    state = "open" if circuit.is_open else "closed"
    return {"state": state, "failures": circuit.failures, "openedAt": circuit.opened_at}


def delivery_view(row: Delivery) -> Json:
    """A delivery as clients see it. Its id is the event's, which the receiver has as `webhook-id`."""
    return {
        "id": row.event_id,
        "sessionId": row.session_id,
        "event": row.event,
        "status": row.status,
        "attempts": row.attempts,
        "firstAttemptAt": row.first_attempt_at,
        "lastAttemptAt": row.last_attempt_at,
        "latencyMs": row.latency_ms,
        "error": row.error,
        "response": _response_view(row.response_status, row.response_body),
    }


def _response_view(status: int | None, body: str) -> Json | None:
    return None if status is None else {"status": status, "body": body}
