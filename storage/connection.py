"""A psycopg connection that waits on Trio: the whole AsyncConnection API, without threads or asyncio.

psycopg speaks the protocol in generators that say when they would block; the waiting is left to whoever
drives them. AsyncConnection drives them on asyncio at these edges only, each replaced here: `wait`,
connecting, `cancel_safe`, and the lock. They are private names of psycopg 3.3, hence the pin in
pyproject.toml, and tests/storage/test_connection.py, which holds this class to psycopg's contract.
"""

from __future__ import annotations

import logging
import select
import time
from types import TracebackType
from typing import Any, Self, TypeVar

import trio
from psycopg import AsyncConnection, errors, pq, waiting
from psycopg._conninfo_attempts import conninfo_attempts
from psycopg.abc import PQGen, PQGenConn
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

_logger = logging.getLogger("storage")

T = TypeVar("T")

MAX_BUSY = 0.005
"""Seconds a connection may keep the loop: an executemany or COPY finds its socket always ready."""

CANCEL_TIMEOUT = 5.0
"""Seconds for the server to end a statement whose caller was cancelled; then the connection is closed."""

CONNECT_TIMEOUT = 10.0
"""Seconds for each address, unless the connection string says `connect_timeout`."""


class TrioConnection(AsyncConnection[TupleRow]):
    """An AsyncConnection for Trio.

    A cancelled statement is cancelled in the server too, and the connection is usable afterwards; when that
    fails it is closed. Not for two tasks at once, except to `close` it.
    """

    lock: _Lock  # type: ignore[assignment] # psycopg enters and leaves it, no more
    _last_yield = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lock = _Lock()

    @classmethod
    async def connect(cls, conninfo: str = "", *, autocommit: bool = False, **kwargs: Any) -> Self:
        """Connect to the first address that answers. Raises psycopg.OperationalError."""
        params = conninfo_to_dict(conninfo, **kwargs)
        # 0 and less mean "for ever" to libpq; nothing here waits for ever.
        timeout = float(params.get("connect_timeout") or 0)
        # In a thread, because it may ask the resolver.
        attempts = await trio.to_thread.run_sync(conninfo_attempts, params, abandon_on_cancel=True)
        failures: list[errors.OperationalError] = []
        for attempt in attempts:
            try:
                with trio.fail_after(timeout if timeout > 0 else CONNECT_TIMEOUT):
                    connection = await _drive_connecting(cls._connect_gen(make_conninfo("", **attempt)))
            except trio.TooSlowError:
                failures.append(errors.ConnectionTimeout("connection timeout expired"))
            except errors.OperationalError as error:
                failures.append(error)
            else:
                connection._autocommit = autocommit  # noqa: SLF001 - as AsyncConnection.connect does
                return connection
        raise failures[-1].with_traceback(None)

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = 0.0,  # noqa: ARG002 - psycopg wakes up to see signals; Trio sees them by itself
        timeout: float | None = None,
    ) -> T:
        try:
            return await self._drive(gen, timeout)
        except (trio.Cancelled, KeyboardInterrupt):
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                await self._abandon(gen)
            raise

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Ask the server to end the statement under way. Raises CancellationTimeout."""
        if not self._should_cancel():
            return
        try:
            with trio.fail_after(timeout):
                await _drive_connecting(self._cancel_gen())
        except trio.TooSlowError:
            raise errors.CancellationTimeout("cancellation timeout expired") from None

    async def close(self) -> None:
        """Close the connection. A task that waits on it gets an OperationalError."""
        self.close_now()

    def close_now(self) -> None:
        """Close the connection; nothing is sent but the goodbye, so nothing is awaited."""
        if self.closed:
            return
        # A closed descriptor vanishes from epoll without a word: wake who waits for it.
        if (fileno := _fileno(self.pgconn)) >= 0:
            trio.lowlevel.notify_closing(fileno)
        self._closed = True
        self.pgconn.finish()

    def has_input(self) -> bool:
        """Whether the server has sent something that nobody has read yet, or hung up."""
        return bool(_poll(self.pgconn.socket, waiting.WAIT_R))

    async def _drive(self, gen: PQGen[T], timeout: float | None) -> T:
        # The hot path of every statement. Asking poll() before waiting to write saves a trip round the loop
        # for each statement of a pipeline: 500 rows by executemany in 6 to 11 ms instead of 90.
        try:
            wanted = next(gen)
            fileno = self.pgconn.socket
            while True:
                if wanted & waiting.WAIT_W:
                    await self._give_way()
                    if ready := _poll(fileno, wanted):
                        wanted = gen.send(ready)
                        continue
                if timeout is None:
                    ready = await _until_ready(fileno, wanted)
                else:
                    with trio.move_on_after(timeout) as scope:
                        ready = await _until_ready(fileno, wanted)
                    # Whatever came in with the last moment counts, so that a time-out of 0 polls once.
                    if scope.cancelled_caught and not (ready := _poll(fileno, wanted)):
                        raise errors._WaitTimeout("wait timeout expired")  # noqa: SLF001 - what callers expect
                self._last_yield = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as done:
            await self._give_way()
            result: T = done.value
            return result
        except (OSError, trio.ClosedResourceError) as error:
            raise errors.OperationalError("connection socket closed") from error

    async def _give_way(self) -> None:
        if time.monotonic() - self._last_yield >= MAX_BUSY:
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._last_yield = time.monotonic()

    async def _abandon(self, gen: PQGen[Any]) -> None:
        """End the statement under way in the server and read its results to the end."""
        with trio.move_on_after(CANCEL_TIMEOUT, shield=True):
            try:
                await self.cancel_safe(timeout=CANCEL_TIMEOUT)
                await self._drive(gen, None)
            except errors.QueryCanceled:
                return
            except errors.Error as error:
                _logger.warning("statement_cancel_failed error=%s", type(error).__name__)
            else:
                return
        self.close_now()


class _Lock:
    """trio.Lock without its checkpoint where nobody else holds it: psycopg takes it for every statement."""

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def __aenter__(self) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


async def _drive_connecting(gen: PQGenConn[T]) -> T:
    """Drive a generator that names the descriptor with every wait, because it may change."""
    try:
        fileno, wanted = next(gen)
        while True:
            fileno, wanted = gen.send(await _until_ready(fileno, wanted))
    except StopIteration as done:
        result: T = done.value
        return result
    except OSError as error:
        raise errors.OperationalError("connection socket closed") from error
    finally:
        gen.close()


async def _until_ready(fileno: int, wanted: waiting.Wait) -> int:
    if wanted == waiting.WAIT_R:
        await trio.lowlevel.wait_readable(fileno)
        return waiting.READY_R
    if wanted == waiting.WAIT_W:
        await trio.lowlevel.wait_writable(fileno)
        return waiting.READY_W
    ready: int = waiting.READY_NONE

    async def until(wait: Any, state: waiting.Ready) -> None:
        nonlocal ready
        await wait(fileno)
        ready |= state
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(until, trio.lowlevel.wait_readable, waiting.READY_R)
        nursery.start_soon(until, trio.lowlevel.wait_writable, waiting.READY_W)
    return ready


def _poll(fileno: int, wanted: waiting.Wait) -> int:
    poll = select.poll()
    poll.register(
        fileno,
        (select.POLLIN if wanted & waiting.WAIT_R else 0)
        | (select.POLLOUT if wanted & waiting.WAIT_W else 0),
    )
    ready: int = waiting.READY_NONE
    for _, happened in poll.poll(0):
        if happened & select.POLLIN:
            ready |= waiting.READY_R
        if happened & select.POLLOUT:
            ready |= waiting.READY_W
        if happened & (select.POLLHUP | select.POLLERR):
            ready |= wanted  # going on is how libpq finds out
    return ready


def _fileno(pgconn: pq.abc.PGconn) -> int:
    try:
        return pgconn.socket
    except errors.OperationalError:
        return -1
