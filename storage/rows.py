"""The rows of the database as frozen values: what the reads return and what the writes carry."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import attrs
from attrs import field, frozen

Json = dict[str, Any]
T = TypeVar("T")


def now() -> datetime:
    """The time of the wall clock, in UTC, as every column holds it."""
    return datetime.now(UTC)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


class Desired(StrEnum):
    """What the user asked of a session, whatever became of it."""

    RUNNING = "running"
    STOPPED = "stopped"


class MessageStatus(StrEnum):
    """Where a message stands. A message moves down this list only, never up."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    """Given to WhatsApp, but the answer was lost; a late receipt still tells."""
    FAILED = "failed"
    RECEIVED = "received"
    """Where an inbound message starts."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


@frozen(kw_only=True)
class Session:
    """One WhatsApp account's session: what is wanted of it and what it last was."""

    id: str
    name: str
    desired: Desired = field(default=Desired.RUNNING, converter=Desired)
    status: str = "stopped"
    """The state machine's last state."""
    status_since: datetime = field(factory=now)
    """Set by the database when an update changes `status`."""
    jid: str | None = None
    lid: str | None = None
    phone: str | None = None
    push_name: str | None = None
    last_error: str | None = None
    restarts: int = 0
    settings: Json = field(factory=dict, repr=False)
    """deviceName, proxy, limits, ignore, autoRead, autoRejectCalls: may hold a proxy's password."""
    metadata: Json = field(factory=dict, repr=False)
    health: Json = field(factory=dict)
    """What the account is kept from, by the state's name: {reason, since, until}; nothing: all is well."""
    seq: int = 0
    """The last event's number. Kept by the writer."""
    journal_seq: int = 0
    """The last journalled frame whose effects are stored. Kept by the writer."""
    node: str | None = None
    """Which node has it, where there are many. Kept by the nodes, as is `epoch`."""
    epoch: int = 0
    """How often it has come to another node."""
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)


@frozen(kw_only=True)
class Key:
    """An API key as stored: its hash, never the key."""

    id: str
    session_id: str | None = None
    """None: an admin key."""
    name: str = ""
    prefix: str
    """The visible beginning, to tell keys apart."""
    hash: bytes = field(repr=False)
    """SHA-256 of the whole key."""
    scopes: tuple[str, ...] = field(default=(), converter=_texts)
    allowed_ips: tuple[str, ...] = field(default=(), converter=_texts)
    """Empty: any address."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    """May lie ahead: a rotated key lives on for its grace time."""
    created_at: datetime = field(factory=now)
    last_used_at: datetime | None = None


class Role(StrEnum):
    """What a user is here for."""

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


@frozen(kw_only=True)
class User:
    """Somebody who signs in with a name and a password."""

    id: str
    name: str
    """As they write it; no two differ by capitals alone."""
    password: str = field(repr=False)
    """Its argon2id hash, with salt and parameters. A new one ends all sign-ins."""
    role: Role = field(converter=Role)
    sessions: tuple[str, ...] = field(default=(), converter=_texts)
    """What a viewer sees; a session that is deleted is taken out."""
    disabled_at: datetime | None = None
    """Set, it ends all sign-ins."""
    last_sign_in_at: datetime | None = None
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)


@frozen(kw_only=True)
class SignIn:
    """A browser in which a user has signed in."""

    id: str
    user_id: str
    hash: bytes = field(repr=False)
    """SHA-256 of its cookie."""
    address: str | None
    """Where it signed in from."""
    created_at: datetime = field(factory=now)
    expires_at: datetime
    last_seen_at: datetime = field(factory=now)


class WebhookFormat(StrEnum):
    """In whose form events are told."""

    TERZETTO = "terzetto"
    WAHA = "waha"


@frozen(kw_only=True)
class Webhook:
    """An endpoint that is told of events, and how far it has been told."""

    id: str
    session_id: str | None = None
    """None: events of every session."""
    url: str = field(repr=False)
    events: tuple[str, ...] = field(default=(), converter=_texts)
    """Event names; empty: all."""
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    """Signs beside `secret` until `previous_secret_until`, while the receiver changes over."""
    previous_secret_until: datetime | None = None
    active: bool = True
    headers: Json = field(factory=dict, repr=False)
    filters: Json = field(factory=dict)
    cursor: int = 0
    """Every event up to this position is acknowledged or given up, but for those of held sessions."""
    held: Json = field(factory=dict)
    """By session: the position up to which that is so of a session that fell behind the others."""
    replay: Json | None = None
    """`{position, until}`: the events past the one, up to the other, are yet to be delivered again."""
    batch: Json | None = None
    """`{maxEvents, maxWaitMs}`: events of a session go together in one request; None: each by itself."""
    format: WebhookFormat = field(default=WebhookFormat.TERZETTO, converter=WebhookFormat)
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)


@frozen(kw_only=True)
class Sink:
    """How far a message broker has been told; who it is the configuration says."""

    id: str
    """Its name there."""
    cursor: int = 0
    """Every event up to this position is with the broker, but for those of held sessions."""
    held: Json = field(factory=dict)
    """By session: the position up to which that is so of a session that fell behind the others."""
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)


class DeliveryStatus(StrEnum):
    """What became of an event for a webhook."""

    FAILING = "failing"
    """Not acknowledged yet; it will be tried again."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up: a dead letter."""


@frozen(kw_only=True)
class Delivery:
    """An event that a webhook was told of, or was to be: one for each webhook and event."""

    webhook_id: str
    event_id: str
    session_id: str
    event: str
    status: DeliveryStatus = field(converter=DeliveryStatus)
    attempts: int
    """Since the event was first tried or, for one that was settled before, begun anew."""
    first_attempt_at: datetime
    last_attempt_at: datetime
    latency_ms: int
    """Of the last try, like all below."""
    response_status: int | None
    response_body: str = field(repr=False)
    """Its first part, 1 kB at most."""
    error: str | None
    """Why it was not acknowledged."""


@frozen(kw_only=True)
class Message:
    """A message, outgoing or inbound."""

    session_id: str
    id: str
    """Ours, known before WhatsApp's."""
    wa_id: str | None = None
    chat: str
    sender: str
    recipient_phone: str | None = None
    from_me: bool
    type: str
    text: str | None = field(default=None, repr=False)
    payload: Json = field(factory=dict, repr=False)
    """The message in the shape of the webhook body."""
    status: MessageStatus = field(converter=MessageStatus)
    error: str | None = None
    client_ref: str | None = None
    """The caller's own reference, echoed in every event about the message."""
    raw: bytes | None = field(default=None, repr=False)
    """The message as WhatsApp carries it, a serialised waE2E.Message; None while it is not composed."""
    intent: Json | None = field(default=None, repr=False)
    """What a message of ours was asked to be."""
    media_id: str | None = None
    """Its file in the media store."""
    priority: int = 0
    """Of queued messages the higher goes first."""
    send_at: datetime | None = None
    """Not before; None: as soon as may be."""
    expires_at: datetime | None = None
    """Not after."""
    batch_id: str | None = None
    claim_id: str | None = None
    """The Idempotency-Key's claim under which it was asked for."""
    history: bool = False
    """Handed over by the phone, from before it was linked or while it was not; never announced."""
    occurred_at: datetime = field(factory=now)
    """WhatsApp's time once it is known."""
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)

    @property
    def public_id(self) -> str:
        """The `messageId` of the API: WhatsApp's once it is known, ours before."""
        return self.wa_id or self.id


@frozen(kw_only=True)
class Event:
    """One entry of the append-only log, as committed."""

    position: int
    """Grows over all sessions in the order of commit; may have gaps."""
    session_id: str
    seq: int
    """Grows without gaps within the session, from 1."""
    event_id: str
    event: str
    occurred_at: datetime
    data: Json = field(repr=False)


@frozen
class Stretch:
    """A stretch of the log, read past a position."""

    events: list[Event]
    end: int
    """Nothing else that was looked for lies up to here: go on after it."""


@frozen(kw_only=True)
class AuditEntry:
    """Something that was done to the gateway with a key or by a user: an entry of the append-only record."""

    id: str
    at: datetime = field(factory=now)
    """When it was over."""
    key_id: str | None = None
    """The key may be gone since, and so may the user and what it was done to: an entry outlives them."""
    key_prefix: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    address: str | None
    """At the other end of the connection."""
    request_id: str
    action: str
    """What was asked, such as `session.stop`."""
    target: str | None
    """What it was done to: the id of a session, key or webhook, or a path in the supervision tree."""
    outcome: str
    """`ok`, or the code of the problem that was the answer."""
    detail: Json = field(factory=dict)
    """What else describes it; never a secret."""


@frozen
class Page(Generic[T]):
    """One page of a listing."""

    items: list[T]
    cursor: str | None
    """Pass it to get the next page; None: this was the last."""


class BatchState(StrEnum):
    """What is wanted of a batch; whether it is done its messages tell."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"


@frozen(kw_only=True)
class Batch:
    """Many messages that were asked for at once."""

    id: str
    session_id: str
    state: BatchState = field(default=BatchState.RUNNING, converter=BatchState)
    total: int
    created_at: datetime = field(factory=now)
    updated_at: datetime = field(factory=now)


@frozen(kw_only=True)
class Receipt:
    """When somebody received, read and played a message of ours; None: not yet, or never told."""

    session_id: str
    message_id: str
    """Our id."""
    participant: str
    """Their JID, by phone number where it is known."""
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    played_at: datetime | None = None


@frozen(kw_only=True)
class Claim:
    """An Idempotency-Key in use: for the same key and request there is one answer."""

    id: str
    owner: str
    """The session or key whose it is: others may use the same words."""
    key: str = field(repr=False)
    request: bytes = field(repr=False)
    """SHA-256 of the request."""
    answer: Json | None = field(default=None, repr=False)
    """`{status, headers, body}`; None while it is not known."""
    created_at: datetime = field(factory=now)


@frozen(kw_only=True)
class History:
    """A part of a phone's history whose messages are being stored."""

    id: str
    session_id: str
    data: bytes = field(repr=False)
    """A compressed waHistorySync.HistorySync."""
    created_at: datetime = field(factory=now)


@frozen(kw_only=True)
class Leftover:
    """What a node had received of a session and not stored when another got it: a record of its journal."""

    session_id: str
    epoch: int
    seq: int
    kind: int
    at: int
    """Microseconds since 1970."""
    payload: bytes = field(repr=False)


TABLES: dict[type, str] = {
    Session: "sessions",
    Key: "keys",
    User: "users",
    SignIn: "sign_ins",
    Webhook: "webhooks",
    Sink: "sinks",
    Message: "messages",
    Event: "events",
    AuditEntry: "audit",
    Delivery: "deliveries",
    Batch: "batches",
    Receipt: "receipts",
    Claim: "claims",
    History: "histories",
    Leftover: "leftovers",
}

COLUMNS = {kind: tuple(column.name for column in attrs.fields(kind)) for kind in TABLES}
"""The columns this program knows, always named one by one: a newer program may have added others."""
