"""The media store: files in PostgreSQL, in parts, so that any node has them and any range is read by itself.

It writes past the writer, in transactions of its own: files would hold up the small rows of everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum

import attrs
import psycopg
import trio
from attrs import field, frozen
from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from storage.errors import WriteRefused
from storage.ids import new_id
from storage.pool import Pool
from storage.rows import Json, Page, now

PART = 256 * 1024
"""Bytes of a part."""


class MediaSource(StrEnum):
    """How a file came here."""

    UPLOAD = "upload"
    FETCHED = "fetched"
    INBOUND = "inbound"
    """From WhatsApp, in a message."""


@frozen(kw_only=True)
class MediaFile:
    """What is known of a stored file; its bytes are read apart."""

    id: str = field(factory=lambda: new_id("med"))
    session_id: str
    sha256: bytes = field(repr=False)
    mime_type: str
    """What its bytes are."""
    size: int
    """In bytes."""
    file_name: str | None = None
    source: MediaSource = field(converter=MediaSource)
    details: Json = field(factory=dict, repr=False)
    """width, height, seconds, waveform, …: see `actors.media.intake`."""
    thumbnail: bytes | None = field(default=None, repr=False)
    """A JPEG."""
    created_at: datetime = field(factory=now)
    expires_at: datetime | None = None
    """None: it is kept until it is deleted."""


async def digest(data: bytes) -> bytes:
    """The SHA-256 of a file's bytes, without keeping the loop."""
    return await trio.to_thread.run_sync(lambda: hashlib.sha256(data).digest())


_COLUMNS = tuple(column.name for column in attrs.fields(MediaFile))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM media"  # noqa: S608 - names written here
_INSERT = f"INSERT INTO media ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608
# A file that a message still waits for stays, however old it is: its own, or the one its intent names.
_SWEEP = """
    DELETE FROM media WHERE id IN (
        SELECT id FROM media
        WHERE expires_at < %s AND NOT EXISTS (
            SELECT FROM messages
            WHERE messages.session_id = media.session_id AND status IN ('queued', 'sending')
                AND media.id IN (
                    media_id, intent #>> '{content,media_id}', intent #>> '{content,preview,thumbnail}'
                )
        )
        ORDER BY expires_at LIMIT %s
    )
"""


class MediaStore:
    """Files by id, over a pool of connections that may write. Any number of tasks may share one.

    All methods may raise DatabaseUnavailable, and BadQuery for a value that cannot be looked for.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, file: MediaFile, data: bytes) -> None:
        """Store a file: all of it or, whatever happens, nothing.

        `sha256` and `size` are those of `data`. Raises WriteRefused when its session is not there (any more).
        """
        assert len(data) == file.size
        values = [Jsonb(file.details) if name == "details" else getattr(file, name) for name in _COLUMNS]
        view = memoryview(data)
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(_INSERT, values)
                for number, start in enumerate(range(0, len(data), PART)):
                    await connection.execute(
                        "INSERT INTO media_parts (media_id, number, data) VALUES (%s, %s, %b)",
                        (file.id, number, view[start : start + PART]),
                    )
        except psycopg.errors.ForeignKeyViolation:
            raise WriteRefused("unknown_session") from None

    async def get(self, session_id: str, media_id: str) -> MediaFile | None:
        """What is known of a session's file."""
        found = await self._found("WHERE session_id = %s AND id = %s", session_id, media_id)
        return found[0] if found else None

    async def listing(
        self, session_id: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[MediaFile]:
        """A session's files, newest first."""
        found = await self._found(
            "WHERE session_id = %s AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
            *(session_id, cursor, cursor, limit + 1),
        )
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def read(self, file: MediaFile, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), a part at a time.

        Raises LookupError when the file goes meanwhile.
        """
        end = file.size if end is None else min(end, file.size)
        while start < end:
            number, offset = divmod(start, PART)
            async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                await cursor.execute(
                    "SELECT data FROM media_parts WHERE media_id = %s AND number = %s", (file.id, number)
                )
                row = await cursor.fetchone()
            if row is None:
                raise LookupError("the file was deleted")
            part: bytes = row[0][offset : offset + end - start]
            yield part
            start += len(part)

    async def content(self, file: MediaFile) -> bytes:
        """All bytes of a file. Raises LookupError when it goes meanwhile."""
        return b"".join([part async for part in self.read(file)])

    async def delete(self, session_id: str, media_id: str) -> bool:
        """Delete a session's file; whether there was one."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(
                "DELETE FROM media WHERE session_id = %s AND id = %s", (session_id, media_id)
            )
            return deleted.rowcount > 0

    async def sweep(self, before: datetime, limit: int = 100) -> int:
        """Delete up to `limit` files that were to be kept until then at most; how many there were.

        One that a queued message is made of stays until that has gone out.
        """
        async with self._pool.connection() as connection:
            return (await connection.execute(_SWEEP, (before, limit))).rowcount

    async def _found(self, which: str, *params: object) -> list[MediaFile]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=kwargs_row(MediaFile))
            await cursor.execute(f"{_SELECT} {which}".encode(), params)
            return await cursor.fetchall()
