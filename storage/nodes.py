"""The nodes that share the database, and what each of them holds: leases on the server's own clock.

A node's row says until when it holds all that it has; one heartbeat renews it, however much that is. What is
locked by somebody who may be long about it is left for later.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
import trio
from attrs import field, frozen
from psycopg.rows import kwargs_row

from storage.connection import TrioConnection
from storage.errors import DatabaseUnavailable
from storage.ids import new_id
from storage.pool import Pool
from storage.rows import Leftover

CONNECTIONS = 4
"""That are open at most for what is done here."""
WAKE = "terzetto_nodes"
"""The channel on which a node hears, by its id, that there is something for it to look at."""


@frozen(kw_only=True)
class Load:
    """What a node uses of its machine, in bytes."""

    memory: int
    memory_total: int


@frozen(kw_only=True)
class Node:
    """A node that holds its lease."""

    id: str
    name: str
    url: str
    """Where its API is, for other nodes."""
    process: str
    secret: bytes = field(repr=False)
    version: str
    state: str
    """`running` or `draining`."""
    load: dict[str, int]
    started_at: datetime
    expires_at: datetime
    sessions: int
    duties: list[str]

    @property
    def draining(self) -> bool:
        return self.state == "draining"


@frozen(kw_only=True)
class Owner:
    """Who has a session or a duty, and where it is to be asked."""

    node_id: str
    url: str
    secret: bytes = field(repr=False)
    epoch: int
    expires_at: datetime


@frozen(kw_only=True)
class Holding:
    """How things stand, as one heartbeat found them."""

    nodes: list[Node]
    sessions: dict[str, int]
    """Those of the asking node, with their epochs."""
    duties: dict[str, int]
    leftovers: frozenset[str]
    """Those of its sessions of which another node has handed something in."""
    free: int
    """Sessions that no node has."""
    total: int


@frozen
class Ended:
    """A session's time under an epoch, which is over."""

    session_id: str
    epoch: int
    after: int | None
    """Up to here its journal was stored; None: nothing of it is wanted any more."""


_REGISTER = """
    INSERT INTO nodes (id, name, url, process, secret, version, state, load, started_at, expires_at)
    VALUES (%(id)s, %(name)s, %(url)s, %(process)s, %(secret)s, %(version)s, 'running', '{}', now(),
        clock_timestamp() + make_interval(secs => %(lease)s))
"""
_RENEW = """
    UPDATE nodes SET expires_at = clock_timestamp() + make_interval(secs => %s), load = %s
    WHERE id = %s AND expires_at > clock_timestamp()
"""
_EXPIRED = "SELECT id, process FROM nodes WHERE expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED"
# Should it be in the middle of something, that is undone: it keeps no row locked and no key changed.
_CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
        AND right(application_name, length(%(process)s)) = %(process)s
"""
_NODES = """
    SELECT nodes.*, coalesce(held.sessions, 0) AS sessions,
        array(SELECT name FROM duties WHERE node = nodes.id ORDER BY name) AS duties
    FROM nodes LEFT JOIN (SELECT node AS id, count(*) AS sessions FROM sessions GROUP BY node) held USING (id)
    ORDER BY name, id
"""
_CLAIM = """
    WITH claimed AS (
        UPDATE sessions SET node = %s, epoch = epoch + 1 WHERE id IN (
            SELECT id FROM sessions WHERE node IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
        ) RETURNING id, epoch, journal_seq
    ), began AS (
        INSERT INTO tenures (session_id, epoch, after) SELECT id, epoch, journal_seq FROM claimed
    )
    SELECT id, epoch FROM claimed
"""
_CLAIM_DUTY = """
    UPDATE duties SET node = %(node)s, epoch = epoch + 1 WHERE name IN (
        SELECT name FROM duties WHERE node IS NULL AND name = ANY(%(names)s) FOR UPDATE SKIP LOCKED
    ) RETURNING name, epoch
"""
_HAND_OVER = """
    WITH given AS (
        UPDATE sessions SET node = %(to)s, epoch = epoch + 1
        WHERE id = %(id)s AND node = %(node)s AND epoch = %(epoch)s
            AND EXISTS (SELECT FROM nodes WHERE id = %(to)s AND expires_at > clock_timestamp())
        RETURNING id, epoch, journal_seq
    )
    INSERT INTO tenures (session_id, epoch, after) SELECT id, epoch, journal_seq FROM given
"""
_ENDED = """
    SELECT held.session_id, held.epoch, tenures.after
    FROM json_to_recordset(%s::json) AS held (session_id text, epoch bigint)
    LEFT JOIN sessions ON sessions.id = held.session_id
    LEFT JOIN tenures ON tenures.session_id = held.session_id AND tenures.epoch = held.epoch + 1
    WHERE sessions.id IS NULL OR sessions.epoch > held.epoch
"""
_HAND_IN = """
    INSERT INTO leftovers (session_id, epoch, seq, kind, at, payload)
    SELECT id, %s, %s, %s, %s, %s FROM sessions WHERE id = %s
    ON CONFLICT DO NOTHING
"""
_OWNER = """
    SELECT nodes.id AS node_id, url, secret, expires_at, held.epoch
    FROM {table} held JOIN nodes ON nodes.id = held.node
    WHERE held.{key} = %s AND expires_at > clock_timestamp()
"""


class Nodes:
    """The nodes' rows, and who holds what; each method is one transaction.

    All may raise DatabaseUnavailable: nothing has changed then, or the answer was lost.
    """

    def __init__(self, dsn: str, patience: float = 10.0) -> None:
        """With `patience`, in seconds, for each: a database that is silent for so long counts as away."""
        self._patience = patience
        self._pool = Pool(dsn, CONNECTIONS, writable=True, name="nodes")

    def close(self) -> None:
        self._pool.close()

    async def register(
        self,
        *,
        name: str,
        url: str,
        process: str,
        version: str,
        lease: float,
        predecessor: str | None = None,
    ) -> str:
        """A new node's id; it holds its lease from now on.

        `process` is how its connections' names end, and what its writer is called. `predecessor` is a node
        that has nothing running any more, for certain: what it held is free from now on.
        """
        node_id = new_id("nod")
        async with self._transaction() as connection:
            if predecessor is not None:
                gone = await connection.execute(
                    "SELECT id, process FROM nodes WHERE id = %s FOR UPDATE", (predecessor,)
                )
                await _forget(connection, [row for row in await gone.fetchall() if row[1] != process])
                await connection.execute("DELETE FROM nodes WHERE id = %s", (predecessor,))
            await connection.execute(
                _REGISTER,
                {
                    "id": node_id,
                    "name": name,
                    "url": url,
                    "process": process,
                    "secret": secrets.token_bytes(32),
                    "version": version,
                    "lease": lease,
                },
            )
        return node_id

    async def renew(self, node_id: str, lease: float, load: Load) -> bool:
        """Hold on for `lease` seconds from now; False when it was too late: the node has nothing any more."""
        used = json.dumps({"memory": load.memory, "memoryTotal": load.memory_total})
        async with self._transaction() as connection:
            return (await connection.execute(_RENEW, (lease, used, node_id))).rowcount == 1

    async def leave(self, node_id: str) -> None:
        """A node ends: what it still held is free."""
        async with self._transaction() as connection:
            left = await connection.execute("DELETE FROM nodes WHERE id = %s RETURNING process", (node_id,))
            await connection.execute(
                "DELETE FROM writers WHERE name = ANY(%s)", ([row[0] for row in await left.fetchall()],)
            )
            await connection.execute("SELECT pg_notify(%s, '')", (WAKE,))

    async def reap(self) -> list[str]:
        """Forget nodes whose lease is over, so that what they held is free; their ids."""
        async with self._transaction() as connection:
            dead = await (await connection.execute(_EXPIRED)).fetchall()
            await _forget(connection, dead)
        return [row[0] for row in dead]

    async def holding(self, node_id: str) -> Holding:
        """How things stand, and what the node has."""
        async with self._transaction() as connection:
            nodes = await _nodes(connection)
            mine = await connection.execute("SELECT id, epoch FROM sessions WHERE node = %s", (node_id,))
            sessions: dict[str, int] = dict(await mine.fetchall())
            held = await connection.execute("SELECT name, epoch FROM duties WHERE node = %s", (node_id,))
            duties: dict[str, int] = dict(await held.fetchall())
            found = await connection.execute(
                "SELECT DISTINCT session_id FROM leftovers JOIN sessions ON id = session_id WHERE node = %s",
                (node_id,),
            )
            leftovers = frozenset(row[0] for row in await found.fetchall())
            counted = await connection.execute(
                "SELECT count(*) FILTER (WHERE node IS NULL), count(*) FROM sessions"
            )
            row = await counted.fetchone()
            assert row is not None
        return Holding(
            nodes=nodes,
            sessions=sessions,
            duties=duties,
            leftovers=leftovers,
            free=row[0],
            total=row[1],
        )

    async def claim(self, node_id: str, most: int) -> dict[str, int]:
        """Take up to so many sessions that no node has, each under its next epoch."""
        async with self._transaction() as connection:
            return dict(await (await connection.execute(_CLAIM, (node_id, most))).fetchall())

    async def claim_duties(self, node_id: str, names: Collection[str]) -> dict[str, int]:
        """Take those of these duties that no node has, each under its next epoch."""
        async with self._transaction() as connection:
            cursor = await connection.execute(_CLAIM_DUTY, {"node": node_id, "names": list(names)})
            return dict(await cursor.fetchall())

    async def hand_over(self, session_id: str, *, node_id: str, epoch: int, to: str) -> bool:
        """Give a session that nothing is done with any more to another node, and wake that.

        False when it was no longer the giver's, or the other node is gone: then it stays as it is.
        """
        what = {"id": session_id, "node": node_id, "epoch": epoch, "to": to}
        async with self._transaction() as connection:
            given = (await connection.execute(_HAND_OVER, what)).rowcount == 1
            if given:
                await connection.execute("SELECT pg_notify(%s, %s)", (WAKE, to))
        return given

    async def ended(self, held: Collection[tuple[str, int]]) -> list[Ended]:
        """Which of these sessions, by id and epoch, are of a later epoch by now, or gone."""
        rows = json.dumps([{"session_id": session_id, "epoch": epoch} for session_id, epoch in held])
        async with self._transaction() as connection:
            cursor = await connection.execute(_ENDED, (rows,))
            return [Ended(*row) for row in await cursor.fetchall()]

    async def hand_in(self, ended: Ended, records: Sequence[Leftover]) -> None:
        """Give what was received under an epoch and not stored to whoever has the session now."""
        async with self._transaction() as connection:
            for each in records:
                await connection.execute(
                    _HAND_IN,
                    (each.epoch, each.seq, each.kind, each.at, each.payload, each.session_id),
                )
            await connection.execute(
                "DELETE FROM tenures WHERE session_id = %s AND epoch = %s",
                (ended.session_id, ended.epoch + 1),
            )
            if records:
                await connection.execute("SELECT pg_notify(%s, '')", (WAKE,))

    async def release_duty(self, name: str, *, node_id: str, epoch: int) -> None:
        """Let go of a duty, and wake all others."""
        async with self._transaction() as connection:
            await connection.execute(
                "UPDATE duties SET node = NULL WHERE name = %s AND node = %s AND epoch = %s",
                (name, node_id, epoch),
            )
            await connection.execute("SELECT pg_notify(%s, '')", (WAKE,))

    async def drain(self, node_id: str) -> bool:
        """Ask a node to hand all over and end; False when there is none of this id."""
        async with self._transaction() as connection:
            asked = await connection.execute("UPDATE nodes SET state = 'draining' WHERE id = %s", (node_id,))
            await connection.execute("SELECT pg_notify(%s, %s)", (WAKE, node_id))
        return asked.rowcount == 1

    async def nodes(self) -> list[Node]:
        """All nodes by name, those whose lease has just run out among them."""
        async with self._transaction() as connection:
            return await _nodes(connection)

    async def owner(self, session_id: str) -> Owner | None:
        """Who has a session; None: nobody at the moment, or there is no such session."""
        return await self._owner("sessions", "id", session_id)

    async def holder(self, duty: str) -> Owner | None:
        """Who does a duty; None: nobody at the moment."""
        return await self._owner("duties", "name", duty)

    async def lone_gateway(self) -> bool:
        """Whether a gateway is at work here that does not share: it writes under the name it always has."""
        async with self._transaction() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'terzetto writer gateway'"
            )
            row = await cursor.fetchone()
        return row is not None and row[0] > 0

    async def _owner(self, table: str, key: str, which: str) -> Owner | None:
        async with self._transaction() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(Owner))
            await cursor.execute(_OWNER.format(table=table, key=key).encode(), (which,))
            return await cursor.fetchone()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[TrioConnection]:
        try:
            with trio.fail_after(self._patience):
                async with self._pool.connection() as connection, connection.transaction():
                    yield connection
        except (psycopg.Error, trio.TooSlowError) as error:
            raise DatabaseUnavailable(type(error).__name__) from error


async def _nodes(connection: TrioConnection) -> list[Node]:
    cursor = connection.cursor(row_factory=kwargs_row(Node))
    await cursor.execute(_NODES)
    return await cursor.fetchall()


async def _forget(connection: TrioConnection, dead: Sequence[tuple[Any, ...]]) -> None:
    """Delete nodes, by id and process, that have ended, and cut off what connections they have left."""
    for _, process in dead:
        await connection.execute(_CUT_OFF, {"process": process})
    if dead:
        await connection.execute("DELETE FROM nodes WHERE id = ANY(%s)", ([row[0] for row in dead],))
        await connection.execute("SELECT pg_notify(%s, '')", (WAKE,))
