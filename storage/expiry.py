"""What is kept for a time only, deleted past the writer in small transactions that hold nobody up.

Old events go with their whole partition, which is dropped; partitions are made ahead here, too. All else goes
row by row, and rows that somebody else is changing at the moment wait for the next time. Any number of nodes
may do any of this at once.
"""

from __future__ import annotations

from datetime import datetime

from psycopg import sql

from storage.connection import TrioConnection
from storage.pool import Pool
from storage.statements import LOCK

_LOCK_TIMEOUT = "2s"
"""How long a partition may wait for those who read the log; writers wait behind it."""

_CLAIMS = """
    DELETE FROM claims WHERE id IN (
        SELECT id FROM claims WHERE created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_SIGN_INS = """
    DELETE FROM sign_ins WHERE id IN (
        SELECT id FROM sign_ins WHERE last_seen_at < %s OR expires_at < now() LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_AUDIT = """
    DELETE FROM audit WHERE id IN (
        SELECT id FROM audit WHERE at < %s ORDER BY at, id LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_HEARD = """
    DELETE FROM heard WHERE (session_id, wa_id) IN (
        SELECT session_id, wa_id FROM heard WHERE at < %s ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
# Each session's oldest by the index that has them in order. What is deleted was heard, should it come again.
_MESSAGES = """
    WITH gone AS (
        DELETE FROM messages WHERE (session_id, id) IN (
            SELECT old.session_id, old.id FROM sessions CROSS JOIN LATERAL (
                SELECT session_id, id FROM messages
                WHERE session_id = sessions.id AND occurred_at < %(before)s
                    AND status NOT IN ('queued', 'sending')
                ORDER BY occurred_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ) old LIMIT %(limit)s
        ) RETURNING session_id, wa_id
    ), heard AS (
        INSERT INTO heard (session_id, wa_id, at)
        SELECT DISTINCT session_id, wa_id, now() FROM gone WHERE wa_id IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    SELECT FROM gone
"""
_BATCHES = """
    DELETE FROM batches WHERE id IN (
        SELECT id FROM batches WHERE created_at < %s
            AND NOT EXISTS (SELECT FROM messages WHERE batch_id = batches.id)
        LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""

_OLD_PARTITIONS = "SELECT name FROM event_partitions WHERE ends <= event_position(%s) ORDER BY ends LIMIT %s"
_MARK_DROPPED = """
    UPDATE event_log SET dropped = greatest(dropped, (SELECT max(position) FROM {partition}))
"""


class Expiry:
    """Deletes what is older than `before`, up to `limit` of it; each method tells how many there were.

    All may raise DatabaseUnavailable: nothing of that call is deleted then.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claims(self, before: datetime, limit: int) -> int:
        """Idempotency-Keys, by when they were first used."""
        return await self._delete(_CLAIMS, (before, limit))

    async def sign_ins(self, before: datetime, limit: int) -> int:
        """Sign-ins by when they were last used, and those whose time is over."""
        return await self._delete(_SIGN_INS, (before, limit))

    async def audit(self, before: datetime, limit: int) -> int:
        """Entries of the audit record."""
        return await self._delete(_AUDIT, (before, limit))

    async def heard(self, before: datetime, limit: int) -> int:
        """Ids of messages that are known by those alone."""
        return await self._delete(_HEARD, (before, limit))

    async def messages(self, before: datetime, limit: int) -> int:
        """Messages by their own time, with their receipts; none that is yet to be sent."""
        return await self._delete(_MESSAGES, {"before": before, "limit": limit})

    async def batches(self, before: datetime, limit: int) -> int:
        """Batches none of whose messages is left."""
        return await self._delete(_BATCHES, (before, limit))

    async def events(self, before: datetime, limit: int) -> int:
        """Partitions of the event log that hold nothing younger."""
        async with self._pool.connection() as connection, connection.transaction():
            await _take_turn(connection)
            found = await connection.execute(_OLD_PARTITIONS, (before, limit))
            names = [sql.Identifier(name) for (name,) in await found.fetchall()]
            for name in names:
                await connection.execute(sql.SQL(_MARK_DROPPED).format(partition=name))
                await connection.execute(sql.SQL("DROP TABLE {}").format(name))
            return len(names)

    async def extend_events(self, days: int) -> int:
        """Make partitions of so many days each ahead of the events; how many were lacking."""
        async with self._pool.connection() as connection, connection.transaction():
            await _take_turn(connection)
            cursor = await connection.execute("SELECT extend_events(%s)", (days,))
            row = await cursor.fetchone()
            assert row is not None
            return int(row[0])

    async def _delete(self, query: str, params: tuple[object, ...] | dict[str, object]) -> int:
        async with self._pool.connection() as connection:
            return (await connection.execute(query.encode(), params)).rowcount


async def _take_turn(connection: TrioConnection) -> None:
    """Keep the writers away until the transaction ends, but not for long."""
    await connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
