"""Chats and the people in them, as the stored messages and the known addresses tell: each method one query.

There is no table of chats: a chat is what has messages. Every chat's newest message is one step in the index
of messages by chat, so a listing costs by the number of chats, however many messages they hold.
All may raise DatabaseUnavailable, and BadQuery for a cursor that is none.
"""
# ruff: noqa: S608 - only names written here are put together; values are parameters

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
from attrs import field, frozen
from psycopg.rows import kwargs_row

from storage.paging import decode, literal, page
from storage.pool import Pool
from storage.rows import Page

T = TypeVar("T", bound=attrs.AttrsInstance)

USERS = ("s.whatsapp.net", "lid")
"""The servers of people's addresses."""


@frozen(kw_only=True)
class Chat:
    """A chat with messages."""

    jid: str
    alt: str | None
    """The other address of the same person."""
    name: str | None
    """What the account calls it; else what they call themselves."""
    last_message_id: str
    last_message_at: datetime
    unread: int


@frozen(kw_only=True)
class Address:
    """Somebody, or a group, with the names that are known."""

    jid: str
    """By phone number where it is known."""
    alt: str | None = None
    name: str | None = field(default=None, repr=False)
    """What the account calls a person, or a group's subject."""
    push_name: str | None = field(default=None, repr=False)
    """What they call themselves."""
    business_name: str | None = field(default=None, repr=False)


# Every chat once, by hops through the index of messages by chat.
_ALL = """
    hops AS (
        (SELECT chat FROM messages WHERE session_id = %(session)s ORDER BY chat LIMIT 1)
        UNION ALL
        SELECT (
            SELECT m.chat FROM messages m WHERE m.session_id = %(session)s AND m.chat > h.chat
            ORDER BY m.chat LIMIT 1
        ) FROM hops h WHERE h.chat IS NOT NULL
    ), chats AS (SELECT chat FROM hops WHERE chat IS NOT NULL)
"""
_THESE = "chats AS (SELECT unnest(%(jids)s::text[]) AS chat)"

# Names and what is unread are looked up for the page alone, under either address.
_LISTING = """
    WITH RECURSIVE {chats}, listed AS (
        SELECT c.chat, newest.id, newest.occurred_at
        FROM chats c CROSS JOIN LATERAL (
            SELECT m.id, m.occurred_at FROM messages m WHERE m.session_id = %(session)s AND m.chat = c.chat
            ORDER BY m.occurred_at DESC, m.id DESC LIMIT 1
        ) newest
        WHERE (
            %(at)s::timestamptz IS NULL OR (newest.occurred_at, newest.id) < (%(at)s::timestamptz, %(after)s)
        )
            AND (%(q)s::text IS NULL OR c.chat ILIKE %(q)s OR EXISTS (
                SELECT FROM addresses a
                WHERE a.session_id = %(session)s AND (a.jid = c.chat OR a.alt = c.chat)
                    AND concat_ws(' ', a.jid, a.alt, a.name, a.push_name, a.business_name) ILIKE %(q)s
            ))
        ORDER BY newest.occurred_at DESC, newest.id DESC LIMIT %(limit)s
    )
    SELECT l.chat AS jid, CASE WHEN a.jid = l.chat THEN a.alt ELSE a.jid END AS alt,
        coalesce(a.name, a.business_name, a.push_name) AS name,
        l.id AS last_message_id, l.occurred_at AS last_message_at, (
            SELECT count(*) FROM messages m
            WHERE m.session_id = %(session)s AND m.chat = l.chat AND m.status = 'received' AND NOT m.from_me
        ) AS unread
    FROM listed l LEFT JOIN LATERAL (
        SELECT * FROM addresses a
        WHERE a.session_id = %(session)s AND (a.jid = l.chat OR a.alt = l.chat) LIMIT 1
    ) a ON true
    ORDER BY l.occurred_at DESC, l.id DESC
"""

_ADDRESS = "jid, alt, name, push_name, business_name"

# People with a name, and those with whom there is a chat.
_PEOPLE = f"""
    WITH RECURSIVE {_ALL}, people AS (
        SELECT {_ADDRESS} FROM addresses WHERE session_id = %(session)s
        UNION ALL
        SELECT c.chat, NULL, NULL, NULL, NULL FROM chats c WHERE NOT EXISTS (
            SELECT FROM addresses a WHERE a.session_id = %(session)s AND (a.jid = c.chat OR a.alt = c.chat)
        )
    )
    SELECT {_ADDRESS} FROM people
    WHERE split_part(jid, '@', 2) = ANY(%(servers)s) AND jid > %(after)s
        AND (%(q)s::text IS NULL OR concat_ws(' ', jid, alt, name, push_name, business_name) ILIKE %(q)s)
    ORDER BY jid LIMIT %(limit)s
"""

_FIND = f"""
    SELECT {_ADDRESS} FROM addresses
    WHERE session_id = %(session)s AND (jid = ANY(%(jids)s) OR alt = ANY(%(jids)s))
"""


class ChatReads:
    """The queries about chats, over a pool of connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def chats(
        self,
        session_id: str,
        *,
        jids: Collection[str] | None = None,
        q: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[Chat]:
        """A session's chats, the last active first; those named in `jids`, or those in whose names `q` is."""
        at, after = decode(cursor, 2) if cursor is not None else (None, None)
        rows = await self._all(
            Chat,
            _LISTING.format(chats=_ALL if jids is None else _THESE),
            session=session_id,
            jids=None if jids is None else list(jids),
            q=f"%{literal(q)}%" if q else None,
            at=at,
            after=after,
            limit=limit + 1,
        )
        return page(rows, limit, lambda chat: [chat.last_message_at.isoformat(), chat.last_message_id])

    async def people(
        self, session_id: str, *, q: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> Page[Address]:
        """Everybody known to a session, by address; those in whose names or addresses `q` is."""
        (after,) = decode(cursor, 1) if cursor is not None else ("",)
        rows = await self._all(
            Address,
            _PEOPLE,
            session=session_id,
            servers=list(USERS),
            q=f"%{literal(q)}%" if q else None,
            after=after,
            limit=limit + 1,
        )
        return page(rows, limit, lambda person: [person.jid])

    async def addresses(self, session_id: str, jids: Collection[str]) -> list[Address]:
        """What is known of these addresses, whichever of the two they are."""
        return await self._all(Address, _FIND, session=session_id, jids=list(jids))

    async def paired(self, session_id: str) -> list[Address]:
        """Everybody of whom both addresses are known."""
        query = f"SELECT {_ADDRESS} FROM addresses WHERE session_id = %(session)s AND alt IS NOT NULL"
        return await self._all(Address, query, session=session_id)

    async def _all(self, row: type[T], query: str, **params: Any) -> list[T]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(row))
            await cursor.execute(query.encode(), params)
            found: Sequence[T] = await cursor.fetchall()
            return list(found)
