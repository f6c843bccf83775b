"""The protocol of the writer: what may be written, and what comes out after the commit.

Any write may be sent with `call`, which answers `Written` after the commit, or with `cast`.
A write that turns out to change nothing (a message stored before, a status that did not move,
a row that is not there) is no error: it answers `Written(applied=False)` and appends no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import attrs
from attrs import evolve, field, frozen

from storage.chats import Address
from storage.rows import (
    AuditEntry,
    Batch,
    Claim,
    Delivery,
    Event,
    History,
    Json,
    Key,
    Message,
    MessageStatus,
    Session,
    SignIn,
    Sink,
    User,
    Webhook,
    now,
)

Row: TypeAlias = Session | Key | User | SignIn | Webhook | Sink | Batch | Claim | History
"""What may be changed and deleted; an audit entry may not."""

_KEPT_BY_OTHERS = frozenset({"id", "seq", "journal_seq", "node", "epoch", "created_at", "updated_at"})


@frozen
class NewEvent:
    """An event to append to a session's log when the write that carries it takes effect."""

    event: str
    data: Json = field(repr=False)
    occurred_at: datetime = field(factory=now)


def _in_order(events: Iterable[NewEvent]) -> tuple[NewEvent, ...]:
    return tuple(events)


@frozen
class Insert:
    """A new session, key, user, webhook or audit entry. Refused when its id, a key's hash or a name exists.

    `events` go with a session only.
    """

    row: Row | AuditEntry
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)

    def __attrs_post_init__(self) -> None:
        _check_events(type(self.row), self.events)


@frozen
class Update:
    """Change columns of a session, key, user or webhook; a JSON column is replaced whole.

    `Update(Session, id, {"status": "connected", "last_error": None}, events=(…,))`.
    Raises ValueError for a column that does not exist or that others keep.
    """

    table: type[Row]
    id: str
    changes: Mapping[str, Any] = field(repr=False)
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)
    journal_seq: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_events(self.table, self.events)
        allowed = {column.name for column in attrs.fields(self.table)} - _KEPT_BY_OTHERS
        if wrong := sorted(set(self.changes) - allowed):
            raise ValueError(f"{self.table.__name__} has no column to change named {', '.join(wrong)}")
        if not self.changes:
            raise ValueError("an Update without changes")


@frozen
class Delete:
    """Remove a session, key, user, sign-in or webhook.

    A session takes its messages, events, keys and webhooks along, a user their sign-ins.
    """

    table: type[Row]
    id: str


@frozen(kw_only=True)
class StoreMessage:
    """A message seen for the first time: an outgoing intent, or an inbound message.

    Applied once: not when a message of this id, or of this chat, direction and `wa_id`, is stored.
    """

    message: Message
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)
    journal_seq: int | None = None


@frozen(kw_only=True)
class UpdateMessage:
    """Something became known of a stored message, named by our `id` or else by WhatsApp's (`wa_id`).

    `status` moves forward only (see MessageStatus), unless `again` is set, which puts a failed or unknown
    message back to that status for another try, as if it had just been asked for: without the times at which
    it was to be sent and to expire. `only_from` and `unchanged_since` (an `updated_at`) name the message as
    it must be: otherwise nothing happens; and with `only_from`, `again` puts a message of that status back
    as it is. Applied when the status moved, or, where no status is given, when there is such a message.
    By `id`, `wa_id` is what WhatsApp called it: then it is recorded, whether the status moves or not. By
    `wa_id`, `chat` and `from_me` narrow the search where given: a receipt may name a chat by LID that is
    stored by phone number.
    The events' data gain `clientRef` where the message has one, and their `key` names the chat as the message
    does: what tells of a message may know the chat by its other address only.
    """

    session_id: str
    id: str | None = None
    wa_id: str | None = None
    chat: str | None = None
    from_me: bool | None = None
    status: MessageStatus | None = None
    again: bool = False
    only_from: MessageStatus | None = None
    unchanged_since: datetime | None = None
    error: str | None = None
    """Set with a status; a later status clears it."""
    type: str | None = None
    text: str | None = field(default=None, repr=False)
    payload: Json | None = field(default=None, repr=False)
    raw: bytes | None = field(default=None, repr=False)
    intent: Json | None = field(default=None, repr=False)
    media_id: str | None = None
    chat_is: str | None = None
    """The chat's address, once it is known better."""
    send_at: datetime | None = None
    occurred_at: datetime | None = None
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)
    journal_seq: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.id is None and self.wa_id is None:
            raise ValueError("an UpdateMessage names its message by id or by wa_id")


@frozen(kw_only=True)
class StoreBatch:
    """A batch and its messages, all or none. Refused when a batch of this id exists."""

    batch: Batch
    messages: tuple[StoreMessage, ...] = field(repr=False)

    @property
    def events(self) -> tuple[NewEvent, ...]:
        """Those of its messages, with the callers' references."""
        return tuple(
            event if ref is None else evolve(event, data={**event.data, "clientRef": ref})
            for each in self.messages
            for ref in (each.message.client_ref,)
            for event in each.events
        )


@frozen(kw_only=True)
class StoreReceipt:
    """Somebody received, read or played messages of ours, named by WhatsApp's ids.

    The earliest time told counts. Not applied to messages that are not stored.
    """

    session_id: str
    wa_ids: tuple[str, ...]
    participant: str | None
    """None: who the chat is with."""
    status: MessageStatus
    """Delivered, read or played."""
    at: datetime
    journal_seq: int | None = None


@frozen
class Append:
    """Events that change no row, or a journal position alone."""

    session_id: str
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)
    journal_seq: int | None = None


@frozen
class StoreDelivery:
    """What became of an event for a webhook, in place of what was known of it.

    Not applied when the webhook was deleted.
    """

    row: Delivery


@frozen(kw_only=True)
class TrimDeliveries:
    """Forget a webhook's deliveries that were last tried before a time.

    And of those delivered, and of those given up, all but the newest `keep`.
    """

    webhook_id: str
    keep: int
    before: datetime


@frozen
class StoreAddresses:
    """What is known of people and groups; each row in place of what was known. Applied when any is news.

    A known `alt` is kept where none is given, and a row under it gives way to the one given.
    """

    session_id: str
    rows: tuple[Address, ...]


@frozen
class DeleteChat:
    """Forget the messages of a chat, named by each of its addresses, but for those that are under way."""

    session_id: str
    jids: tuple[str, ...]


@frozen
class DeleteMessage:
    """Forget a message, by our id; not one that is being sent."""

    session_id: str
    id: str


@frozen
class StoreAnswer:
    """The answer to what was asked under a claim. Not applied where it has one, or is gone."""

    claim_id: str
    answer: Json = field(repr=False)


@frozen
class GiveBack:
    """Forget a claim under which nothing was done: no message is stored under it, but for one that failed."""

    claim_id: str


@frozen(kw_only=True)
class ForgetLeftovers:
    """All that was handed in of a session is stored, up to this."""

    session_id: str
    epoch: int
    seq: int


@frozen(kw_only=True)
class StoreHeard:
    """A message came that is no row of its own: its id, so that it is not taken for lost when it comes again.

    With `untold`, an event's data: a message came again, of which nothing may be stored. Then it is not
    applied when there is a message of this `wa_id`, or the id was heard before.
    """

    session_id: str
    wa_id: str
    untold: Json | None = field(default=None, repr=False)
    at: datetime = field(factory=now)
    journal_seq: int | None = None


@frozen(kw_only=True)
class TellLost:
    """A message that was heard of and is untold is lost. Applied once, and not to one stored meanwhile."""

    session_id: str
    wa_id: str
    events: tuple[NewEvent, ...] = field(default=(), converter=_in_order)


Write: TypeAlias = (
    Insert
    | Update
    | Delete
    | StoreMessage
    | StoreBatch
    | StoreReceipt
    | UpdateMessage
    | Append
    | StoreDelivery
    | TrimDeliveries
    | StoreAddresses
    | DeleteChat
    | DeleteMessage
    | StoreAnswer
    | GiveBack
    | ForgetLeftovers
    | StoreHeard
    | TellLost
)


@frozen
class Written:
    """The answer to a write, after its commit."""

    applied: bool
    row: Row | AuditEntry | None = None
    """The row as stored, after an Insert or Update; a session's `seq` is not up to date in it."""
    events: tuple[Event, ...] = ()


@frozen
class Committed:
    """What one commit made public, in the order of the log."""

    events: tuple[Event, ...]
    journal: dict[str, int]
    """By session: journalled frames up to this number are stored and may be forgotten."""


def session_of(write: Write) -> str | None:
    """The session whose log a write's events belong to."""
    match write:
        case Insert(row=Session() as session):
            return session.id
        case Update(table=table, id=session_id) if table is Session:
            return session_id
        case StoreMessage(message=message):
            return message.session_id
        case (
            UpdateMessage(session_id=session_id)
            | StoreReceipt(session_id=session_id)
            | StoreBatch(batch=Batch(session_id=session_id))
            | Append(session_id=session_id)
            | StoreHeard(session_id=session_id)
            | TellLost(session_id=session_id)
        ):
            return session_id
        case _:
            return None


def journal_of(writes: Iterable[Write]) -> dict[str, int]:
    """By session, how far the journal is stored once these are."""
    journal: dict[str, int] = {}
    for write in writes:
        journal_seq: int | None = getattr(write, "journal_seq", None)
        session_id = session_of(write)
        if session_id is not None and journal_seq is not None:
            journal[session_id] = max(journal_seq, journal.get(session_id, 0))
    return journal


def _check_events(table: type[Row | AuditEntry], events: tuple[NewEvent, ...]) -> None:
    if events and table is not Session:
        raise ValueError("only a session has a log to append events to")
