"""Figures over all sessions or some, as one who looks after a gateway wants them: each method one query.

All may raise DatabaseUnavailable.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs
from attrs import frozen
from psycopg.rows import kwargs_row

from storage.pool import Pool

T = TypeVar("T", bound=attrs.AttrsInstance)


@frozen(kw_only=True)
class SessionsOf:
    """How many sessions there are of a state."""

    status: str
    count: int


@frozen(kw_only=True)
class Moved:
    """Messages that came and went in a stretch of time; a phone's history is none of them."""

    at: datetime
    """When it begins."""
    received: int
    sent: int
    """Given to WhatsApp, by us or on the phone."""
    failed: int


@frozen(kw_only=True)
class Waiting:
    """Messages that wait to be sent."""

    waiting: int
    """Due, and not held back."""
    scheduled: int
    """To be sent later."""
    held: int
    """Of paused batches."""
    oldest_due: datetime | None
    """Since when the first of those that are due has been."""


@frozen(kw_only=True)
class Told:
    """How a webhook is getting on."""

    id: str
    session_id: str | None
    active: bool
    dead: int
    """Events that were given up."""
    failing_since: datetime | None
    """When the first was tried of those that failed and will be tried again."""


_BY_STATE = "SELECT status, count(*) AS count FROM sessions {where} GROUP BY status ORDER BY status"

# Added up session by session: each time that is one stretch of its index by time, however long the table is.
_MOVED = """
    SELECT at, sum(received)::bigint AS received, sum(sent)::bigint AS sent, sum(failed)::bigint AS failed
    FROM sessions s CROSS JOIN LATERAL (
        SELECT
            date_bin(%(step)s, occurred_at, %(since)s) AS at,
            count(*) FILTER (WHERE NOT from_me) AS received,
            count(*) FILTER (WHERE from_me AND status >= 'sent') AS sent,
            count(*) FILTER (WHERE from_me AND status = 'failed') AS failed
        FROM messages WHERE session_id = s.id AND occurred_at >= %(since)s AND NOT history GROUP BY 1
    ) m
    {where} GROUP BY at ORDER BY at
"""

_WAITING = """
    SELECT
        count(*) FILTER (WHERE NOT held AND NOT later) AS waiting,
        count(*) FILTER (WHERE NOT held AND later) AS scheduled,
        count(*) FILTER (WHERE held) AS held,
        min(coalesce(send_at, created_at)) FILTER (WHERE NOT held AND NOT later) AS oldest_due
    FROM (
        SELECT
            m.session_id, m.send_at, m.created_at,
            b.state IS NOT DISTINCT FROM 'paused' AS held,
            coalesce(m.send_at > %(now)s, false) AS later
        FROM messages m LEFT JOIN batches b ON b.id = m.batch_id WHERE m.status = 'queued'
    ) queued
    {where}
"""

_TOLD = """
    SELECT
        id, session_id, active,
        (SELECT count(*) FROM deliveries d WHERE d.webhook_id = w.id AND d.status = 'dead') AS dead,
        (SELECT min(first_attempt_at) FROM deliveries d
         WHERE d.webhook_id = w.id AND d.status = 'failing') AS failing_since
    FROM webhooks w {where} ORDER BY created_at, id
"""


class OverviewReads:
    """The queries, over a pool of connections. `sessions`: among which; None: all."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_state(self, sessions: Collection[str] | None) -> list[SessionsOf]:
        """Sessions by the state that they were in last; states without any are left out."""
        return await self._all(SessionsOf, _BY_STATE, "id", sessions)

    async def moved(
        self, sessions: Collection[str] | None, *, since: datetime, step: timedelta
    ) -> list[Moved]:
        """Messages from a moment on, in stretches of that length; those in which none moved are left out."""
        return await self._all(Moved, _MOVED, "s.id", sessions, since=since, step=step)

    async def waiting(self, sessions: Collection[str] | None, now: datetime) -> Waiting:
        """The queues of sessions, together."""
        (waiting,) = await self._all(Waiting, _WAITING, "session_id", sessions, now=now)
        return waiting

    async def told(self, sessions: Collection[str] | None) -> list[Told]:
        """All webhooks, or those of some sessions (global ones left out), oldest first."""
        return await self._all(Told, _TOLD, "session_id", sessions)

    async def size(self) -> int:
        """What the database takes on disk, in bytes."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT pg_database_size(current_database())")
            return int((await cursor.fetchall())[0][0])

    async def _all(
        self, row: type[T], query: str, column: str, sessions: Collection[str] | None, **params: Any
    ) -> list[T]:
        where = "" if sessions is None else f"WHERE {column} = ANY(%(sessions)s)"
        listed = None if sessions is None else list(sessions)
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(row))
            await cursor.execute(query.format(where=where).encode(), {"sessions": listed, **params})
            return await cursor.fetchall()
