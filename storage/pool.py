"""A few connections, mostly for reading, shared by any number of tasks; a broken one is replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import trio
from psycopg.pq import TransactionStatus

from storage.connection import TrioConnection
from storage.errors import BadQuery, DatabaseUnavailable

STATEMENT_TIMEOUT = 20
"""Seconds a query may take in the server."""

LOAN = 25.0
"""Seconds a connection is lent for at most, the wait for it included: a server may fall silent, and clients
mostly wait half a minute."""


class Pool:
    """At most `size` connections, made when first needed, and lent to one task at a time.

    They are for reading, unless `writable`, and the server knows them as `terzetto NAME`. It has no task of
    its own. `close` it when done; connections lent out are closed on their return.
    """

    def __init__(self, dsn: str, size: int = 4, *, name: str = "reader", writable: bool = False) -> None:
        self._dsn = dsn
        self._name = name
        self._writable = writable
        self._limiter = trio.CapacityLimiter(size)
        self._idle: list[TrioConnection] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[TrioConnection]:
        """Lend a connection in autocommit, waiting for one to come free if all are lent.

        Raises DatabaseUnavailable when none can be made or it breaks meanwhile or takes longer than LOAN,
        BadQuery when the server cannot take a parameter for what it should be.
        """
        try:
            with trio.fail_after(LOAN):
                async with self._limiter:
                    connection = self._take() or await self._connect()
                    try:
                        yield connection
                    finally:
                        self._put(connection)
        except (psycopg.DataError, UnicodeEncodeError):
            # Without the cause: its text quotes the value.
            raise BadQuery from None
        except (psycopg.OperationalError, psycopg.InterfaceError, trio.TooSlowError) as error:
            raise DatabaseUnavailable(type(error).__name__) from error

    def close(self) -> None:
        """Close all connections that are not lent; further calls of `connection` are refused."""
        self._closed = True
        while self._idle:
            self._idle.pop().close_now()

    def _take(self) -> TrioConnection | None:
        if self._closed:
            raise DatabaseUnavailable("closed")
        while self._idle:
            connection = self._idle.pop()
            # Nothing is due on an idle connection: what can be read there is the server's farewell.
            if not connection.closed and not connection.has_input():
                return connection
            connection.close_now()
        return None

    async def _connect(self) -> TrioConnection:
        connection = await TrioConnection.connect(
            self._dsn,
            autocommit=True,
            application_name=f"terzetto {self._name}",
        )
        try:
            await connection.execute(
                "SELECT set_config('default_transaction_read_only', %s, false),"
                " set_config('statement_timeout', %s, false)",
                ("off" if self._writable else "on", f"{STATEMENT_TIMEOUT}s"),
            )
        except BaseException:
            connection.close_now()
            raise
        return connection

    def _put(self, connection: TrioConnection) -> None:
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close_now()
        else:
            self._idle.append(connection)
