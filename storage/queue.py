"""Messages that wait to be sent, and what was asked for together with them: each method one query.

A session's queue is its messages of status `queued`. Of those that are due the higher priority goes first,
then the earlier `send_at`, then the earlier id; those of a paused batch stay where they are.
All may raise DatabaseUnavailable, and BadQuery for a cursor that is none.
"""
# ruff: noqa: S608 - only names and conditions written here are put together; values are parameters

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, TypeVar

import attrs
from attrs import frozen
from psycopg.rows import kwargs_row

from storage.errors import BadQuery
from storage.paging import decode, page
from storage.pool import Pool
from storage.rows import COLUMNS, Batch, Message, MessageStatus, Page, Receipt

T = TypeVar("T", bound=attrs.AttrsInstance)


def _columns(kind: type[attrs.AttrsInstance], table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in COLUMNS[kind])


@frozen(kw_only=True)
class Outlook:
    """When something will have to be done about a session's queue."""

    next_send_at: datetime | None
    """The earliest `send_at` that is to come, of messages that are not held back."""
    next_expires_at: datetime | None
    """The earliest `expires_at`; it may have passed."""


@frozen(kw_only=True)
class Placed:
    """A queued message and its place."""

    message: Message
    position: int
    """So many go before it, as it looks now."""
    held: bool
    """Its batch is paused: it goes nowhere until that is resumed."""


_QUEUED = "m.session_id = %(session)s AND m.status = 'queued'"
_OF_BATCH = "LEFT JOIN batches b ON b.id = m.batch_id"
_HELD = "b.state IS NOT DISTINCT FROM 'paused'"

_NEXT = f"""
    SELECT {_columns(Message, "m")} FROM messages m {_OF_BATCH}
    WHERE {_QUEUED} AND NOT {_HELD}
        AND coalesce(m.send_at <= %(now)s, true) AND coalesce(m.expires_at > %(now)s, true)
    ORDER BY m.priority DESC, m.send_at NULLS FIRST, m.id LIMIT 1
"""

_OUTLOOK = f"""
    SELECT
        (SELECT min(m.send_at) FROM messages m {_OF_BATCH}
         WHERE {_QUEUED} AND NOT {_HELD} AND m.send_at > %(now)s) AS next_send_at,
        (SELECT min(m.expires_at) FROM messages m WHERE {_QUEUED}) AS next_expires_at
"""

# What is due goes in the queue's order, what is not goes when it will be, and what is held goes last.
_PLACES = f"""
    SELECT m.id, {_HELD} AS held, row_number() OVER (
        ORDER BY {_HELD}, coalesce(m.send_at > %(now)s, false),
            CASE WHEN m.send_at > %(now)s THEN m.send_at END, m.priority DESC, m.send_at NULLS FIRST, m.id
    ) - 1 AS position
    FROM messages m {_OF_BATCH} WHERE {_QUEUED}
"""

_LISTING = f"""
    SELECT position, held, {_columns(Message, "m")}
    FROM ({_PLACES}) places JOIN messages m ON m.session_id = %(session)s AND m.id = places.id
    WHERE position >= %(after)s ORDER BY position LIMIT %(limit)s
"""

_GIVEN = "'sent', 'delivered', 'read', 'played'"

# Chats whose first message was one of ours, after a moment: when that was.
_BEGUN = f"""
    SELECT first.at FROM (
        SELECT m.chat, min(m.occurred_at) AS at FROM messages m
        WHERE m.session_id = %(session)s AND m.from_me AND m.occurred_at > %(since)s
            AND m.status IN ('sending', 'unknown', {_GIVEN}) AND split_part(m.chat, '@', 2) = ANY(%(servers)s)
        GROUP BY m.chat
    ) first
    WHERE NOT EXISTS (
        SELECT FROM messages e WHERE e.session_id = %(session)s AND e.chat = first.chat
            AND e.occurred_at < first.at AND (NOT e.from_me OR e.status IN ({_GIVEN}))
    )
    ORDER BY first.at
"""


class QueueReads:
    """The queries about queues and batches, over a pool of connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def next(self, session_id: str, now: datetime) -> Message | None:
        """The message to send next, of those that are due."""
        rows = await self._all(Message, _NEXT, session=session_id, now=now)
        return rows[0] if rows else None

    async def outlook(self, session_id: str, now: datetime) -> Outlook:
        """What is to come."""
        (outlook,) = await self._all(Outlook, _OUTLOOK, session=session_id, now=now)
        return outlook

    async def expired(self, session_id: str, now: datetime, *, limit: int = 500) -> list[Message]:
        """Queued messages that are too late to be sent."""
        return await self._messages(
            f"{_QUEUED} AND m.expires_at <= %(now)s LIMIT %(limit)s", session=session_id, now=now, limit=limit
        )

    async def queued(
        self, session_id: str, *, batch_id: str | None = None, after: str = "", limit: int = 500
    ) -> list[Message]:
        """A session's queued messages, or those of a batch, by id from one on."""
        of_batch = "AND m.batch_id = %(batch)s" if batch_id is not None else ""
        return await self._messages(
            f"{_QUEUED} {of_batch} AND m.id > %(after)s ORDER BY m.id LIMIT %(limit)s",
            session=session_id,
            batch=batch_id,
            after=after,
            limit=limit,
        )

    async def count(self, session_id: str) -> int:
        """How many messages are queued."""
        query = f"SELECT count(*) FROM messages m WHERE {_QUEUED}"
        return int((await self._rows(query, session=session_id))[0][0])

    async def positions(self, session_id: str, ids: Collection[str], now: datetime) -> dict[str, int]:
        """How many messages go before each of these, of those that are queued."""
        query = f"SELECT id, position FROM ({_PLACES}) places WHERE id = ANY(%(ids)s)"
        return dict(await self._rows(query, session=session_id, ids=list(ids), now=now))

    async def listing(
        self, session_id: str, now: datetime, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Placed]:
        """The queue in the order in which it will be sent, as it looks now."""
        (after,) = decode(cursor, 1) if cursor is not None else ("0",)
        if not after.isdecimal():
            raise BadQuery("cursor")
        query = {"session": session_id, "now": now, "after": int(after), "limit": limit + 1}
        rows = [
            Placed(
                message=Message(**dict(zip(COLUMNS[Message], columns, strict=True))),
                position=position,
                held=held,
            )
            for position, held, *columns in await self._rows(_LISTING, **query)
        ]
        return page(rows, limit, lambda placed: [str(placed.position + 1)])

    async def scheduled(
        self, session_id: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[Message]:
        """Queued messages that have a time to be sent at, the next first."""
        after = "AND (m.send_at, m.id) > (%(at)s::timestamptz, %(id)s)" if cursor is not None else ""
        at, message_id = decode(cursor, 2) if cursor is not None else (None, None)
        rows = await self._messages(
            f"{_QUEUED} AND m.send_at IS NOT NULL {after} ORDER BY m.send_at, m.id LIMIT %(limit)s",
            session=session_id,
            at=at,
            id=message_id,
            limit=limit + 1,
        )
        return page(rows, limit, lambda row: [row.send_at.isoformat() if row.send_at else "", row.id])

    # Batches

    async def batch(self, session_id: str, batch_id: str) -> Batch | None:
        """One batch of a session."""
        rows = await self._batches("AND b.id = %(id)s", session=session_id, id=batch_id)
        return rows[0] if rows else None

    async def batches(self, session_id: str, *, cursor: str | None = None, limit: int = 100) -> Page[Batch]:
        """A session's batches, newest first."""
        after = "AND (b.created_at, b.id) < (%(at)s::timestamptz, %(id)s)" if cursor is not None else ""
        at, batch_id = decode(cursor, 2) if cursor is not None else (None, None)
        rows = await self._batches(
            f"{after} ORDER BY b.created_at DESC, b.id DESC LIMIT %(limit)s",
            session=session_id,
            at=at,
            id=batch_id,
            limit=limit + 1,
        )
        return page(rows, limit, lambda batch: [batch.created_at.isoformat(), batch.id])

    async def batch_counts(self, batch_ids: Collection[str]) -> dict[str, dict[MessageStatus, int]]:
        """By batch, how many of its messages there are of each status."""
        query = (
            "SELECT batch_id, status, count(*) FROM messages WHERE batch_id = ANY(%(ids)s)"
            " GROUP BY batch_id, status ORDER BY status"
        )
        counts: dict[str, dict[MessageStatus, int]] = defaultdict(dict)
        for batch_id, status, count in await self._rows(query, ids=list(batch_ids)):
            counts[batch_id][MessageStatus(status)] = count
        return counts

    # Whom the account knows

    async def knows(self, session_id: str, chats: Collection[str]) -> bool:
        """Whether a chat, named by any of its addresses, has something from them, or sent by us."""
        query = (
            "SELECT EXISTS (SELECT FROM messages WHERE session_id = %(session)s AND chat = ANY(%(chats)s)"
            f" AND (NOT from_me OR status IN ({_GIVEN})))"
        )
        return bool((await self._rows(query, session=session_id, chats=list(chats)))[0][0])

    async def begun(self, session_id: str, since: datetime, servers: Collection[str]) -> list[datetime]:
        """When chats were begun by a message of ours, of those with people on these servers; oldest first."""
        rows = await self._rows(_BEGUN, session=session_id, since=since, servers=list(servers))
        return [at for (at,) in rows]

    async def receipts(self, session_id: str, message_id: str) -> list[Receipt]:
        """Who received a message, by our id of it."""
        query = (
            f"SELECT {_columns(Receipt, 'r')} FROM receipts r"
            " WHERE session_id = %(session)s AND message_id = %(id)s ORDER BY participant"
        )
        return await self._all(Receipt, query, session=session_id, id=message_id)

    # How

    async def _messages(self, which: str, **params: Any) -> list[Message]:
        return await self._all(
            Message, f"SELECT {_columns(Message, 'm')} FROM messages m WHERE {which}", **params
        )

    async def _batches(self, which: str, **params: Any) -> list[Batch]:
        query = f"SELECT {_columns(Batch, 'b')} FROM batches b WHERE b.session_id = %(session)s {which}"
        return await self._all(Batch, query, **params)

    async def _all(self, row: type[T], query: str, **params: Any) -> list[T]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(row))
            await cursor.execute(query.encode(), params)
            return await cursor.fetchall()

    async def _rows(self, query: str, **params: Any) -> list[Any]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.encode(), params)
            return await cursor.fetchall()
