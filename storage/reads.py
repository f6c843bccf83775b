"""What is asked of the database: each method is one query on one of the pool's connections.

All may raise DatabaseUnavailable, and BadQuery for a value that cannot be looked for.
Listings page by keyset, so that a page costs the same however deep it lies.
"""
# ruff: noqa: S608 - only names and conditions written here are put together; values are parameters

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
from psycopg.rows import kwargs_row

from storage.chats import ChatReads
from storage.errors import EventsExpired
from storage.overview import OverviewReads
from storage.paging import decode, literal, page
from storage.pool import Pool
from storage.queue import QueueReads
from storage.rows import (
    COLUMNS,
    TABLES,
    AuditEntry,
    Claim,
    Delivery,
    DeliveryStatus,
    Desired,
    Event,
    History,
    Json,
    Key,
    Leftover,
    Message,
    MessageStatus,
    Page,
    Session,
    SignIn,
    Sink,
    Stretch,
    User,
    Webhook,
)

T = TypeVar("T", bound=attrs.AttrsInstance)

_SELECT = {kind: f"SELECT {', '.join(COLUMNS[kind])} FROM {table}" for kind, table in TABLES.items()}


class Reads:
    """The queries, over a pool of connections. Any number of tasks may share one."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.chats = ChatReads(pool)
        """Of chats and people."""
        self.overview = OverviewReads(pool)
        """Of how all is going."""
        self.queue = QueueReads(pool)
        """Of messages that wait to be sent."""

    # Sessions

    async def session(self, session_id: str) -> Session | None:
        """One session by id."""
        return await self._one(Session, "WHERE id = %s", (session_id,))

    async def sessions(
        self,
        *,
        among: Collection[str] | None = None,
        status: Collection[str] | None = None,
        desired: Desired | None = None,
        q: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Session]:
        """Sessions by id, all or among some. `q` is looked for in id, name, phone and push name."""
        where = _Where()
        where.any_of("id", among)
        where.any_of("status", status)
        where.equal("desired", desired)
        if q:
            where.add("concat_ws(' ', id, name, phone, push_name) ILIKE %s", f"%{literal(q)}%")
        if cursor is not None:
            where.add("id > %s", *decode(cursor, 1))
        rows = await self._all(Session, f"{where} ORDER BY id LIMIT %s", (*where.params, limit + 1))
        return page(rows, limit, lambda session: [session.id])

    # Keys

    async def key(self, key_id: str) -> Key | None:
        """One key by id."""
        return await self._one(Key, "WHERE id = %s", (key_id,))

    async def key_by_hash(self, digest: bytes) -> Key | None:
        """The key whose SHA-256 this is, also an expired or revoked one."""
        return await self._one(Key, "WHERE hash = %s", (digest,))

    async def keys(self, *, session_id: str | None = None) -> list[Key]:
        """All keys, or a session's, oldest first."""
        where = _Where()
        where.equal("session_id", session_id)
        return await self._all(Key, f"{where} ORDER BY created_at, id", where.params)

    async def has_admin_key(self) -> bool:
        """Whether any admin key was ever made that is neither revoked nor expired."""
        query = (
            "SELECT EXISTS (SELECT FROM keys WHERE session_id IS NULL"
            " AND coalesce(revoked_at > now(), true) AND coalesce(expires_at > now(), true))"
        )
        return bool(await self._value(query))

    # Users

    async def user(self, user_id: str) -> User | None:
        """One user by id."""
        return await self._one(User, "WHERE id = %s", (user_id,))

    async def user_by_name(self, name: str) -> User | None:
        """The user who is called so, in capitals or not."""
        return await self._one(User, 'WHERE lower(name COLLATE "C") = lower(%s COLLATE "C")', (name,))

    async def users(self) -> list[User]:
        """All users, by name."""
        return await self._all(User, 'ORDER BY lower(name COLLATE "C")')

    async def sign_in(self, digest: bytes) -> tuple[SignIn, User] | None:
        """The sign-in whose cookie has this SHA-256, also an expired one, and whose it is."""
        own, whose = COLUMNS[SignIn], COLUMNS[User]
        columns = ", ".join([*(f"s.{name}" for name in own), *(f"u.{name}" for name in whose)])
        query = f"SELECT {columns} FROM sign_ins s JOIN users u ON u.id = s.user_id WHERE s.hash = %s"
        for row in await self._rows(query, (digest,)):
            values = iter(row)
            sign_in = SignIn(**{name: next(values) for name in own})
            return sign_in, User(**{name: next(values) for name in whose})
        return None

    async def sign_ins(self, user_id: str) -> list[SignIn]:
        """Those of a user, newest first."""
        return await self._all(SignIn, "WHERE user_id = %s ORDER BY created_at DESC, id DESC", (user_id,))

    # Messages

    async def message(self, session_id: str, message_id: str) -> Message | None:
        """One message by our id or by WhatsApp's."""
        # WhatsApp's id is unique within a chat and direction only: the newest of them is the one meant.
        which = (
            "WHERE session_id = %s AND (id = %s OR wa_id = %s)"
            " ORDER BY (id = %s) DESC, occurred_at DESC LIMIT 1"
        )
        return await self._one(Message, which, (session_id, message_id, message_id, message_id))

    async def messages(
        self,
        sessions: str | Collection[str] | None,
        *,
        chat: str | Collection[str] | None = None,
        sender: str | Collection[str] | None = None,
        recipient: str | Collection[str] | None = None,
        from_me: bool | None = None,
        type: str | Collection[str] | None = None,  # noqa: A002 - the column's name
        status: MessageStatus | Collection[MessageStatus] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        q: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Message]:
        """The messages of a session, of some or of all (None), newest first.

        `recipient` is the chat of a message from us, or the phone it was sent to. `q` is full text in the
        manner of a web search: all words, "a phrase", or, -not. `since` is included, `until` is not.
        """
        where, among = _Where(), _Where()
        of_one = sessions is not None and len(_listed(sessions)) == 1
        if of_one:
            where.any_of("session_id", sessions)
        else:
            where.add("session_id = s.id")
            among.any_of("s.id", sessions)
        where.any_of("chat", chat)
        where.any_of("sender", sender)
        if recipient is not None:
            recipients = _listed(recipient)
            where.add("from_me AND (chat = ANY(%s) OR recipient_phone = ANY(%s))", recipients, recipients)
        where.equal("from_me", from_me)
        where.any_of("type", type)
        if status is not None:
            where.add("status = ANY(%s::message_status[])", _listed(status))
        if since is not None:
            where.add("occurred_at >= %s", since)
        if until is not None:
            where.add("occurred_at < %s", until)
        if q:
            where.add("to_tsvector('simple', text) @@ websearch_to_tsquery('simple', %s)", q)
        if cursor is not None:
            where.add("(occurred_at, id) < (%s::timestamptz, %s)", *decode(cursor, 2))
        newest = "ORDER BY occurred_at DESC, id DESC LIMIT %s"
        if of_one:
            rows = await self._all(Message, f"{where} {newest}", (*where.params, limit + 1))
        else:
            rows = await self._all(
                Message,
                # Each session's newest, which its index has in order, and of these the newest.
                "WHERE (session_id, id) IN (SELECT m.session_id, m.id FROM sessions s CROSS JOIN LATERAL"
                f" (SELECT session_id, id, occurred_at FROM messages {where} {newest}) m"
                f" {among} {newest}) {newest}",
                (*where.params, limit + 1, *among.params, limit + 1, limit + 1),
            )
        return page(rows, limit, lambda message: [message.occurred_at.isoformat(), message.id])

    async def messages_by_id(self, session_id: str, ids: Collection[str]) -> list[Message]:
        """Messages by our ids, in no order."""
        return await self._all(Message, "WHERE session_id = %s AND id = ANY(%s)", (session_id, list(ids)))

    async def untold(self, session_id: str, until: datetime) -> list[tuple[str, Json]]:
        """WhatsApp's ids of messages that came again until then and are untold, with what to tell of each."""
        query = (
            "SELECT wa_id, untold FROM heard"
            " WHERE session_id = %s AND untold IS NOT NULL AND at <= %s ORDER BY at, wa_id"
        )
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query, (session_id, until))
            return list(await cursor.fetchall())

    async def history(self, session_id: str) -> History | None:
        """The first part of a session's history that is not stored yet."""
        return await self._one(History, "WHERE session_id = %s ORDER BY id LIMIT 1", (session_id,))

    async def leftovers(self, session_id: str, limit: int) -> list[Leftover]:
        """What other nodes have handed in of a session, in the order in which it came."""
        return await self._all(
            Leftover, "WHERE session_id = %s ORDER BY epoch, seq LIMIT %s", (session_id, limit)
        )

    async def under_way(
        self,
        status: MessageStatus,
        *,
        session_id: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int = 500,
    ) -> list[Message]:
        """Messages of all sessions, or of one, that are queued or sending, in order of session and id."""
        where = _Where()
        where.add(
            "status = %s AND status IN ('queued', 'sending') AND (session_id, id) > (%s, %s)", status, *after
        )
        where.equal("session_id", session_id)
        return await self._all(Message, f"{where} ORDER BY session_id, id LIMIT %s", (*where.params, limit))

    # Idempotency keys

    async def claim(self, owner: str, key: str) -> Claim | None:
        """The claim of an owner's Idempotency-Key."""
        return await self._one(Claim, "WHERE owner = %s AND key = %s", (owner, key))

    async def message_of_claim(self, claim_id: str) -> Message | None:
        """The first message that was stored under a claim."""
        return await self._one(Message, "WHERE claim_id = %s ORDER BY id LIMIT 1", (claim_id,))

    # Events

    async def events_after(
        self,
        position: int,
        *,
        sessions: Collection[str] | None = None,
        events: Collection[str] | None = None,
        without: Collection[str] = (),
        limit: int = 500,
    ) -> Stretch:
        """The log past a position, in order: of all sessions or some, of all events or those named.

        Those named in `without` are left out. Raises EventsExpired when there was something past it that is
        no longer kept.
        """
        where = _Where()
        where.add("position > %s", position)
        where.any_of("session_id", sessions)
        where.any_of("event", events)
        if without:
            where.add("event <> ALL(%s)", list(without))
        columns = ", ".join(COLUMNS[Event])
        # One statement: what the log's row says is so for these events.
        query = (
            f"SELECT log.dropped, log.position, found.* FROM event_log log LEFT JOIN LATERAL"
            f" (SELECT {columns} FROM events {where} ORDER BY position LIMIT %s) found ON true"
            " ORDER BY found.position"
        )
        rows = await self._rows(query, (*where.params, limit))
        dropped, end = rows[0][:2]
        if position < dropped:
            raise EventsExpired(dropped)
        found = [
            Event(**dict(zip(COLUMNS[Event], row, strict=True))) for _, _, *row in rows if row[0] is not None
        ]
        return Stretch(found, found[-1].position if len(found) == limit else max(position, end))

    async def log_start(self) -> int:
        """The position after which the kept part of the log begins."""
        return int(await self._value("SELECT dropped FROM event_log"))

    async def session_events_after(
        self, session_id: str, seq: int, *, events: Collection[str] | None = None, limit: int = 500
    ) -> list[Event]:
        """One session's log past a seq, in order."""
        where = _Where()
        where.add("session_id = %s AND seq > %s", session_id, seq)
        where.any_of("event", events)
        which = f"{where} ORDER BY seq LIMIT %s"
        return await self._all(Event, which, (*where.params, limit))

    async def status_changes(
        self, session_id: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Event]:
        """A session's `session.status` events, newest first."""
        where = _Where()
        where.add("session_id = %s AND event = 'session.status'", session_id)  # as the index has it
        if cursor is not None:
            where.add("seq < %s::bigint", *decode(cursor, 1))
        rows = await self._all(Event, f"{where} ORDER BY seq DESC LIMIT %s", (*where.params, limit + 1))
        return page(rows, limit, lambda event: [str(event.seq)])

    async def last_presence(self, session_id: str, jid: str) -> Event | None:
        """The newest `presence.update` event of a session about somebody, by either address."""
        which = (
            "WHERE session_id = %s AND event = 'presence.update'"
            " AND (data ->> 'jid' = %s OR data ->> 'jidAlt' = %s) ORDER BY seq DESC LIMIT 1"
        )
        return await self._one(Event, which, (session_id, jid, jid))

    async def event(self, event_id: str) -> Event | None:
        """One event by its id."""
        return await self._one(Event, "WHERE event_id = %s", (event_id,))

    async def last_position(self) -> int:
        """The position up to which the log is committed; 0 when nothing ever was."""
        return int(await self._value("SELECT position FROM event_log"))

    async def position_at(self, moment: datetime) -> int:
        """The position of the last event before the first that happened after a moment."""
        query = (
            "SELECT coalesce((SELECT min(position) - 1 FROM events WHERE occurred_at > %s),"
            " (SELECT position FROM event_log))"
        )
        return int(await self._value(query, (moment,)))

    # Webhooks

    async def webhook(self, webhook_id: str) -> Webhook | None:
        """One webhook by id."""
        return await self._one(Webhook, "WHERE id = %s", (webhook_id,))

    async def webhooks(
        self, *, sessions: Collection[str] | None = None, active: bool | None = None
    ) -> list[Webhook]:
        """All webhooks, or those of some sessions (global ones left out), oldest first."""
        where = _Where()
        where.any_of("session_id", sessions)
        where.equal("active", active)
        return await self._all(Webhook, f"{where} ORDER BY created_at, id", where.params)

    async def sink(self, name: str) -> Sink | None:
        """How far a message broker has been told."""
        return await self._one(Sink, "WHERE id = %s", (name,))

    async def untold_events(
        self, sink: Sink, until: int, *, sessions: Collection[str] | None, events: Collection[str] | None
    ) -> int:
        """How many events up to a position a broker has not been told of, of all or some."""
        where = _Where()
        where.add("position > %s AND position <= %s", min(sink.cursor, *sink.held.values(), until), until)
        where.add(
            "position > coalesce((%s::jsonb ->> session_id)::bigint, %s)", json.dumps(sink.held), sink.cursor
        )
        where.any_of("session_id", sessions)
        where.any_of("event", events)
        return int(await self._value(f"SELECT count(*) FROM events {where}", where.params))

    async def delivery(self, webhook_id: str, event_id: str) -> Delivery | None:
        """What became of one event for a webhook."""
        return await self._one(Delivery, "WHERE webhook_id = %s AND event_id = %s", (webhook_id, event_id))

    async def deliveries(
        self,
        webhook_id: str,
        *,
        status: Collection[DeliveryStatus] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Delivery]:
        """What became of a webhook's events, the last tried first."""
        where = _Where()
        where.equal("webhook_id", webhook_id)
        where.any_of("status", status)
        if cursor is not None:
            where.add("(last_attempt_at, event_id) < (%s::timestamptz, %s)", *decode(cursor, 2))
        rows = await self._all(
            Delivery,
            f"{where} ORDER BY last_attempt_at DESC, event_id DESC LIMIT %s",
            (*where.params, limit + 1),
        )
        return page(rows, limit, lambda each: [each.last_attempt_at.isoformat(), each.event_id])

    async def failing(self, webhook_id: str) -> list[Delivery]:
        """All of a webhook's events that are to be tried again."""
        return await self._all(Delivery, "WHERE webhook_id = %s AND status = 'failing'", (webhook_id,))

    # The audit record

    async def audit(
        self,
        *,
        action: Collection[str] | None = None,
        target: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[AuditEntry]:
        """What was done to the gateway, newest first: all of it, certain actions, or to one target."""
        where = _Where()
        where.any_of("action", action)
        where.equal("target", target)
        if cursor is not None:
            where.add("(at, id) < (%s::timestamptz, %s)", *decode(cursor, 2))
        rows = await self._all(
            AuditEntry, f"{where} ORDER BY at DESC, id DESC LIMIT %s", (*where.params, limit + 1)
        )
        return page(rows, limit, lambda entry: [entry.at.isoformat(), entry.id])

    # How

    async def _all(self, row: type[T], which: str, params: Sequence[Any] = ()) -> list[T]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(row))
            await cursor.execute(f"{_SELECT[row]} {which}".encode(), params)
            return await cursor.fetchall()

    async def _one(self, row: type[T], which: str, params: Sequence[Any]) -> T | None:
        rows = await self._all(row, which, params)
        return rows[0] if rows else None

    async def _rows(self, query: str, params: Sequence[Any] = ()) -> list[Any]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.encode(), params)
            return await cursor.fetchall()

    async def _value(self, query: str, params: Sequence[Any] = ()) -> Any:
        return (await self._rows(query, params))[0][0]


class _Where:
    """The conditions of a query, put together from those filters that are given."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.params: list[Any] = []

    def add(self, condition: str, *params: Any) -> None:
        self._conditions.append(condition)
        self.params.extend(params)

    def equal(self, column: str, value: object) -> None:
        if value is not None:
            self.add(f"{column} = %s", value)

    def any_of(self, column: str, values: str | Collection[str] | None) -> None:
        listed = None if values is None else _listed(values)
        if listed is not None and len(listed) == 1:
            self.equal(column, listed[0])  # lets an index give the order too
        elif listed is not None:
            self.add(f"{column} = ANY(%s)", listed)

    def __str__(self) -> str:
        return "WHERE " + " AND ".join(self._conditions) if self._conditions else ""


def _listed(values: str | Collection[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)
