"""Webhooks: endpoints that are told of events, of one session or of all."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from attrs import frozen
from quart import Blueprint

from actors.circuit import Circuit
from actors.egress import UrlForbidden
from actors.envelope import cursor_of, position_of
from actors.errors import SessionNotFound
from actors.signature import new_secret
from api.audit import recorded
from api.caller import Scope, one_of
from api.checks import MismatchError, moment
from api.constraints import some_of
from api.fields import (
    A_DAY,
    AT_ONCE,
    DEFAULT_LIMIT,
    BatchSize,
    EventName,
    HttpHeaders,
    Jids,
    Limit,
    MessageTypes,
    Milliseconds,
    Names,
    Seconds,
    Secret,
    WebUrl,
)
from api.operation import Answer, Where, operation
from api.refusals import FieldError, NotFound, ValidationFailed
from api.services import services
from storage.errors import EventsExpired
from storage.ids import new_id
from storage.rows import Delivery, DeliveryStatus, Json, Webhook, WebhookFormat, now

routes = Blueprint("webhooks", __name__)


_declared = partial(operation, routes, across=True, where=Where.WEBHOOKS)
"""Where no session is named, webhooks are those of all of the caller's."""


@frozen(kw_only=True)
class WebhookFilters:
    """Which events about messages and chats are told; all others are told in any case."""

    chats: Jids | None = None
    from_me: bool | None = None
    types: MessageTypes | None = None


@frozen(kw_only=True)
class WebhookBatch:
    """Events of a session that go together, as an array, and are acknowledged together."""

    max_events: BatchSize
    max_wait_ms: Milliseconds = AT_ONCE
    """What the first of them waits for others to happen."""


@frozen(kw_only=True)
class NewWebhook:
    url: WebUrl
    events: tuple[EventName, ...] = ()
    """None: all."""
    filters: WebhookFilters | None = None
    headers: HttpHeaders | None = None
    """Go with each delivery."""
    secret: Secret | None = None
    """Absent: one is made."""
    batch: WebhookBatch | None = None
    """Absent: each event goes by itself."""
    format: Literal["terzetto", "waha"] = "terzetto"
    """`waha`: only those events are told that WAHA has too, in its form."""
    active: bool = True


@frozen(kw_only=True)
class WebhookChanges:
    url: WebUrl | None = None
    events: tuple[EventName, ...] | None = None
    filters: WebhookFilters | None = None
    headers: HttpHeaders | None = None
    batch: WebhookBatch | None = None
    format: Literal["terzetto", "waha"] | None = None
    active: bool | None = None


@frozen
class SecretRotation:
    grace_seconds: Seconds = A_DAY
    """For how long the old secret signs too."""


@frozen(kw_only=True)
class Replay:
    after: str
    """A cursor or a time."""
    until: str | None = None
    """A cursor or a time; absent: now."""


@frozen(kw_only=True)
class _Listing:
    status: Names | None = None
    """Any of `failing`, `delivered` and `dead`, between commas."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield some_of("status", DeliveryStatus)


@frozen(kw_only=True)
class CircuitView:
    """Open, an endpoint that failed so often is tried now and then only."""

    state: Literal["open", "closed"]
    failures: int
    opened_at: datetime | None


@frozen(kw_only=True)
class ReplayView:
    """What is yet to be delivered again."""

    cursor: str
    until: str


@frozen(kw_only=True)
class BatchView:
    """How events of a session go together."""

    max_events: int
    max_wait_ms: int


@frozen(kw_only=True)
class WebhookView:
    """What may be told of a webhook: not its secrets, and of its headers only the names."""

    id: str
    session_id: str | None
    """Null: it is told of every session."""
    url: str
    events: tuple[str, ...]
    filters: Json
    headers: list[str]
    batch: BatchView | None
    format: WebhookFormat
    active: bool
    cursor: str
    """All up to it is acknowledged or given up."""
    circuit: CircuitView
    sessions_held: int
    """So many sessions wait for an event of theirs to be acknowledged."""
    replay: ReplayView | None
    created_at: datetime
    updated_at: datetime


@frozen(kw_only=True)
class WebhooksView:
    webhooks: list[WebhookView]


@frozen(kw_only=True)
class WebhookMadeView:
    webhook: WebhookView
    secret: str
    """Shown only now."""


@frozen(kw_only=True)
class ResponseView:
    """What the endpoint answered."""

    status: int
    body: str
    """Its first part."""


@frozen(kw_only=True)
class TestedView:
    delivered: bool
    error: str | None
    latency_ms: int
    response: ResponseView | None


@frozen(kw_only=True)
class DeliveryView:
    """What became of an event. Its id is the event's, which the receiver has as `webhook-id`."""

    id: str
    session_id: str
    event: str
    status: DeliveryStatus
    attempts: int
    first_attempt_at: datetime
    last_attempt_at: datetime
    latency_ms: int
    error: str | None
    response: ResponseView | None


@frozen(kw_only=True)
class DeliveriesView:
    deliveries: list[DeliveryView]
    cursor: str | None
    """Leads to the next page; null: this was the last."""


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
        batch=_stored_batch(new.batch),
        format=WebhookFormat(new.format),
        cursor=position,
    )
    async with recorded("webhook.create", row.id, sessionId=owner):
        stored = await services().webhooks.create(row)
    return WebhookMadeView(webhook=_view(stored), secret=stored.secret)


@_declared(
    "POST",
    "/webhooks",
    scope=Scope.SETTINGS,
    body=NewWebhook,
    answers={201: WebhookMadeView},
    errors=(UrlForbidden,),
)
async def create(sessions: frozenset[str] | None, body: NewWebhook) -> Answer:
    """A new endpoint, told of what happens from now on; its secret is shown this once."""
    services().webhooks.egress.check_url(body.url)
    owner = None if sessions is None else one_of(sessions)
    if owner is not None and await services().reads.session(owner) is None:
        raise SessionNotFound(session_id=owner)
    made = await add_webhook(owner, body, await services().reads.last_position())
    return Answer(made, 201, {"cache-control": "no-store"})


@_declared("GET", "/webhooks", scope=Scope.READ, answers={200: WebhooksView})
async def listing(sessions: frozenset[str] | None) -> WebhooksView:
    """A session's endpoints, or those of all that are the caller's."""
    rows = await services().reads.webhooks(sessions=sessions)
    return WebhooksView(webhooks=[_view(row) for row in rows])


@_declared("GET", "/webhooks/<webhook_id>", scope=Scope.READ, answers={200: WebhookView}, errors=(NotFound,))
async def get(webhook_id: str, sessions: frozenset[str] | None) -> WebhookView:
    """One endpoint."""
    return _view(await _stored(sessions, webhook_id))


@_declared(
    "PATCH",
    "/webhooks/<webhook_id>",
    scope=Scope.SETTINGS,
    body=WebhookChanges,
    patch=True,
    answers={200: WebhookView},
    errors=(NotFound, UrlForbidden),
)
async def change(webhook_id: str, sessions: frozenset[str] | None, body: dict[str, Any]) -> WebhookView:
    """Change what is named; null sets back to the default."""
    row = await _stored(sessions, webhook_id)
    if body.get("url") is not None:
        services().webhooks.egress.check_url(body["url"])
    if "filters" in body:
        body["filters"] = _stored_filters(body["filters"])
    if "batch" in body:
        body["batch"] = _stored_batch(body["batch"])
    defaults: dict[str, Any] = {
        "url": row.url,
        "events": (),
        "headers": {},
        "batch": None,
        "format": WebhookFormat.TERZETTO,
        "active": True,
    }
    changes = {name: defaults[name] if new is None else new for name, new in body.items()}
    return await _changed("webhook.update", row, changes)


@_declared("DELETE", "/webhooks/<webhook_id>", scope=Scope.SETTINGS, answers={204: None}, errors=(NotFound,))
async def delete(webhook_id: str, sessions: frozenset[str] | None) -> None:
    """Tell this endpoint no more."""
    row = await _stored(sessions, webhook_id)
    async with recorded("webhook.delete", row.id):
        await services().webhooks.delete(row.id)


@_declared(
    "POST",
    "/webhooks/<webhook_id>/pause",
    scope=Scope.SETTINGS,
    answers={200: WebhookView},
    errors=(NotFound,),
)
async def pause(webhook_id: str, sessions: frozenset[str] | None) -> WebhookView:
    """Tell this endpoint nothing for now; what happens meanwhile is kept for it."""
    return await _changed("webhook.pause", await _stored(sessions, webhook_id), {"active": False})


@_declared(
    "POST",
    "/webhooks/<webhook_id>/resume",
    scope=Scope.SETTINGS,
    answers={200: WebhookView},
    errors=(NotFound,),
)
async def resume(webhook_id: str, sessions: frozenset[str] | None) -> WebhookView:
    """Go on where the endpoint was paused."""
    return await _changed("webhook.resume", await _stored(sessions, webhook_id), {"active": True})


@_declared(
    "POST",
    "/webhooks/<webhook_id>/rotate-secret",
    scope=Scope.SETTINGS,
    body=SecretRotation,
    answers={200: WebhookMadeView},
    errors=(NotFound,),
)
async def rotate_secret(webhook_id: str, sessions: frozenset[str] | None, body: SecretRotation) -> Answer:
    """A new secret; for `graceSeconds` the old one signs too, while the receiver changes over."""
    row = await _stored(sessions, webhook_id)
    until = now() + timedelta(seconds=body.grace_seconds)
    changes = {"secret": new_secret(), "previous_secret": row.secret, "previous_secret_until": until}
    stored = await _update("webhook.rotate_secret", row, changes)
    made = WebhookMadeView(webhook=_view(stored), secret=stored.secret)
    return Answer(made, 200, {"cache-control": "no-store"})


@_declared(
    "POST",
    "/webhooks/<webhook_id>/test",
    scope=Scope.SETTINGS,
    answers={200: TestedView},
    errors=(NotFound,),
)
async def send_test(webhook_id: str, sessions: frozenset[str] | None) -> TestedView:
    """Send a test event at once, and tell how that went."""
    row = await _stored(sessions, webhook_id)
    async with recorded("webhook.test", row.id):
        outcome = await services().webhooks.test(row)
    return TestedView(
        delivered=outcome.error is None,
        error=outcome.error,
        latency_ms=round(outcome.seconds * 1000),
        response=_response_view(outcome.status, outcome.body),
    )


@_declared(
    "POST",
    "/webhooks/<webhook_id>/replay",
    scope=Scope.SETTINGS,
    body=Replay,
    answers={202: WebhookView},
    errors=(NotFound, EventsExpired),
)
async def replay(webhook_id: str, sessions: frozenset[str] | None, body: Replay) -> WebhookView:
    """Deliver a stretch of the log again, in the background and over restarts."""
    row = await _stored(sessions, webhook_id)
    position = await _position("after", body.after)
    if position < (start := await services().reads.log_start()):
        raise EventsExpired(start)
    end = await services().reads.last_position()
    until = end if body.until is None else min(end, await _position("until", body.until))
    async with recorded("webhook.replay", row.id, after=body.after, until=body.until):
        updated = await services().webhooks.replay(row.id, position, until)
        if updated is None:
            raise NotFound("webhook", row.id)
    return _view(updated)


@_declared(
    "GET",
    "/webhooks/<webhook_id>/deliveries",
    where=Where.ANY,
    scope=Scope.READ,
    query=_Listing,
    answers={200: DeliveriesView},
    errors=(NotFound,),
)
async def deliveries(webhook_id: str, sessions: frozenset[str] | None, query: _Listing) -> DeliveriesView:
    """What became of this endpoint's events, the last tried first; dead letters are among them."""
    row = await _stored(sessions, webhook_id)
    if query.status is not None and not query.status <= set(DeliveryStatus):
        raise ValidationFailed((FieldError("status", f"expected any of {', '.join(DeliveryStatus)}"),))
    status = None if query.status is None else frozenset(map(DeliveryStatus, query.status))
    page = await services().reads.deliveries(row.id, status=status, cursor=query.cursor, limit=query.limit)
    return DeliveriesView(deliveries=[_delivery_view(each) for each in page.items], cursor=page.cursor)


@_declared(
    "POST",
    "/webhooks/<webhook_id>/deliveries/<event_id>/redeliver",
    scope=Scope.SETTINGS,
    answers={200: DeliveryView},
    errors=(NotFound,),
)
async def redeliver(webhook_id: str, event_id: str, sessions: frozenset[str] | None) -> DeliveryView:
    """Send an event once more, at once, and tell how that went."""
    row = await _stored(sessions, webhook_id)
    event = None
    if await services().reads.delivery(row.id, event_id) is not None:
        event = await services().reads.event(event_id)
    if event is None:
        raise NotFound("delivery", event_id)
    async with recorded("webhook.redeliver", row.id, eventId=event_id):
        delivery = await services().webhooks.redeliver(row, event)
    return _delivery_view(delivery)


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


def _stored_filters(filters: WebhookFilters | None) -> Json:
    """Filters as the row keeps them: those that are set."""
    if filters is None:
        return {}
    given = {"chats": filters.chats, "fromMe": filters.from_me, "types": filters.types}
    return {name: value for name, value in given.items() if value is not None}


def _stored_batch(batch: WebhookBatch | None) -> Json | None:
    """How events go together as the row keeps it."""
    return None if batch is None else {"maxEvents": batch.max_events, "maxWaitMs": batch.max_wait_ms}


async def _changed(action: str, row: Webhook, changes: dict[str, Any]) -> WebhookView:
    return _view(await _update(action, row, changes) if changes else row)


async def _update(action: str, row: Webhook, changes: dict[str, Any]) -> Webhook:
    async with recorded(action, row.id, fields=sorted(changes)):
        updated = await services().webhooks.update(row.id, changes)
        if updated is None:
            raise NotFound("webhook", row.id)
        return updated


async def _stored(sessions: frozenset[str] | None, webhook_id: str) -> Webhook:
    row = await services().reads.webhook(webhook_id)
    if row is None or (sessions is not None and row.session_id not in sessions):
        raise NotFound("webhook", webhook_id)
    return row


def _view(row: Webhook) -> WebhookView:
    return WebhookView(
        id=row.id,
        session_id=row.session_id,
        url=row.url,
        events=row.events,
        filters=row.filters,
        headers=sorted(row.headers),
        batch=_batch_view(row.batch),
        format=row.format,
        active=row.active,
        cursor=cursor_of(row.cursor),
        circuit=_circuit_view(services().webhooks.circuit(row.id)),
        sessions_held=services().webhooks.held(row.id),
        replay=_replay_view(row.replay),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _batch_view(batch: Json | None) -> BatchView | None:
    if batch is None:
        return None
    return BatchView(max_events=batch["maxEvents"], max_wait_ms=batch["maxWaitMs"])


def _replay_view(stretch: Json | None) -> ReplayView | None:
    if stretch is None:
        return None
    return ReplayView(cursor=cursor_of(stretch["position"]), until=cursor_of(stretch["until"]))


def _circuit_view(circuit: Circuit | None) -> CircuitView:
    if circuit is None:
        return CircuitView(state="closed", failures=0, opened_at=None)
    state: Literal["open", "closed"] = "open" if circuit.is_open else "closed"
    return CircuitView(state=state, failures=circuit.failures, opened_at=circuit.opened_at)


def _delivery_view(row: Delivery) -> DeliveryView:
    return DeliveryView(
        id=row.event_id,
        session_id=row.session_id,
        event=row.event,
        status=row.status,
        attempts=row.attempts,
        first_attempt_at=row.first_attempt_at,
        last_attempt_at=row.last_attempt_at,
        latency_ms=row.latency_ms,
        error=row.error,
        response=_response_view(row.response_status, row.response_body),
    )


def _response_view(status: int | None, body: str) -> ResponseView | None:
    return None if status is None else ResponseView(status=status, body=body)
