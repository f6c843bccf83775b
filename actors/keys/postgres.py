"""One PostgreSQL for the devices of all sessions and nodes: the store of many gateways.

The tables are the client library's own (`whatsmeow_…`). It opens a pool of connections for each client, so
the server's are kept few by a pooler in between (docs/scaling-keys.md).
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import trio
from attrs import define, field

from actors.whatsapp.errors import DeviceMissing, StartRefused
from storage.connection import TrioConnection
from storage.errors import DatabaseUnavailable

from .store import Place
from .tables import TablesError, open_stores
from .url import library_url

__all__ = ["PostgresDevices"]

log = logging.getLogger("keys")

AT_ONCE = 4
"""Connections of this store's own, beside the library's; each lives for one question."""

UPGRADE = 7_253_117_930_242_114_087
"""The advisory lock under which the library's tables are made and upgraded."""

IDLE = 5
"""Seconds after which the server ends an idle connection of the library's, where no pooler is in between: by
itself the library keeps two for each client for ever, and those of ended clients too."""

UPGRADE_WAIT = 0.1
"""Seconds between two looks whether another node still makes the tables."""

FORGET_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries to delete a device's keys."""


@define(eq=False)
class PostgresDevices:
    """The devices in the database that `dsn` names. `name` tells this node's connections from others'.

    Raises BadConnectionString.
    """

    dsn: str = field(repr=False)
    name: str
    _url: str = field(init=False, repr=False)
    _ready: bool = field(default=False, init=False)
    _preparing: trio.Lock = field(factory=trio.Lock, init=False)
    _limiter: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(AT_ONCE), init=False)

    def __attrs_post_init__(self) -> None:
        self._url = library_url(self.dsn, name=self.name)  # again in `prepare`: a bad one is told at once

    async def place(self, session_id: str, jid: str | None) -> Place:  # noqa: ARG002 - rows go by the device
        """As `DeviceStore`. The first call has the library make its tables."""
        try:
            await self.prepare()
            if jid is None:
                return Place(self._url, new=True)
            async with self._connection() as connection:
                found = await connection.execute("SELECT FROM whatsmeow_device WHERE jid = %s", (jid,))
        except (DatabaseUnavailable, TablesError) as error:
            raise StartRefused(f"the database of the device keys: {error}") from error
        # The library takes the device for granted and crashes its process without.
        if not found.rowcount:
            raise DeviceMissing(f"the keys of {jid} are not in the device store any more")
        return Place(self._url, device=jid)

    async def forget(self, session_id: str, jid: str | None) -> None:
        """As `DeviceStore`: exactly this device's rows go."""
        if jid is None:
            return
        for pause in (*FORGET_PAUSES, None):
            try:
                await self._delete(jid)
            except DatabaseUnavailable:
                if pause is None:
                    raise
                await trio.sleep(pause)
            else:
                log.info("keys_deleted session=%s", session_id)
                return

    async def prepare(self) -> None:
        """Have the library make or upgrade its tables, unless that was done; one node at a time.

        Raises DatabaseUnavailable, TablesError.
        """
        async with self._preparing:
            while not self._ready:
                async with self._connection() as connection, connection.transaction():
                    held = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (UPGRADE,))
                    if await held.fetchone() == (True,):
                        self._url = library_url(self.dsn, name=self.name, idle=await _idle(connection))
                        (refusal,) = await open_stores([self._url])
                        if refusal:
                            raise TablesError(refusal)
                        self._ready = True
                        return
                await trio.sleep(UPGRADE_WAIT)

    async def _delete(self, jid: str) -> None:
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    # The first table alone does not refer to the second.
                    for query in (
                        "DELETE FROM whatsmeow_privacy_tokens WHERE our_jid = %s",
                        "DELETE FROM whatsmeow_device WHERE jid = %s",
                    ):
                        await connection.execute(query, (jid,))
            except psycopg.errors.UndefinedTable:
                log.debug("no_tables_yet")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[TrioConnection]:
        """A connection for one question: behind a pooler nothing may be kept between two."""
        async with self._limiter:
            try:
                connection = await TrioConnection.connect(
                    self.dsn, autocommit=True, prepare_threshold=None, application_name=self.name
                )
                try:
                    yield connection
                finally:
                    connection.close_now()
            except psycopg.Error as error:
                # Without its text, which may name what the connection string holds.
                raise DatabaseUnavailable(type(error).__name__) from None


async def _idle(connection: TrioConnection) -> int | None:
    """How long connections may be idle: None behind a pooler, whose process ids are not the server's."""
    answer = await connection.execute("SELECT pg_backend_pid()")
    return IDLE if await answer.fetchone() == (connection.info.backend_pid,) else None
