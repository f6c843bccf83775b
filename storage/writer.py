"""The writer: the one actor that changes the database, many writes to a transaction.

What is stored is answered and published after its commit, never before. While the database is away, writes
wait here, then in the mailbox, whose overflow policy their senders feel; when it returns, all go on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import psycopg
import trio
from attrs import define, field

from runtime import Actor, Exit, Histogram
from storage.backlog import Backlog, Waiting
from storage.connection import TrioConnection
from storage.errors import WriteRefused
from storage.fencing import LEASE_MOVED, Fenced
from storage.migrate import enrol, migrations
from storage.refusal import refusal
from storage.transaction import Batch
from storage.writes import Committed, Write, Written, journal_of, session_of

_logger = logging.getLogger("storage")

COMMIT_TIMEOUT = 60
"""Seconds for a batch; a database that takes longer counts as away."""

_ANSWERS = {"duplicate": logging.INFO, LEASE_MOVED: logging.WARNING}
"""Refusals that are answers, and how they are logged: two wanted the same, or a node had lost its lease."""

Publish = Callable[[Committed], Awaitable[None]]


@define(eq=False)
class WriterStats:
    """What the writer counted, over all its lives."""

    commits: int = 0
    writes: int = 0
    """Writes committed."""
    batches: Histogram = field(factory=lambda: Histogram((1, 2, 5, 10, 25, 50, 100, 250, 500)))
    """Writes of each commit."""
    seconds: Histogram = field(
        factory=lambda: Histogram((0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60))
    )
    """Of each commit, from its batch to the database's word; failed tries and their waits included."""
    refused: int = 0
    """Writes that the database will never take, through a fault of ours."""
    waiting: int = 0
    """Writes taken in and not committed yet."""
    failures: int = 0
    """Tries in a row that failed for the database's sake; 0: it is well."""
    failed: int = 0
    """All such tries."""


def retry_delay(failures: int) -> float:
    """Seconds to wait before the next try, after so many failures in a row."""
    return float(min(0.05 * 2 ** (failures - 1), 2.0))


class Writer(Actor):
    """Takes every `Write`, or it `Fenced`. A call answers `Written` after the commit or raises WriteRefused.

    Batches hold at most `batch_rows` writes, and what nobody waits for stays at most `batch_ms` milliseconds
    for neighbours. `publish` is awaited after each commit, in the order of commits. `capacity` writes are
    taken in ahead of their commit. `name` tells writers of one database apart: only one of a name may run.
    With `notify` other nodes are woken by each commit that has events, and `silence` is how many seconds a
    transaction may rest before the server ends it: so long all writers wait for one that has vanished.
    """

    domain_errors: ClassVar[tuple[type[Exception], ...]] = (WriteRefused,)

    def __init__(
        self,
        *,
        dsn: str,
        publish: Publish,
        name: str = "gateway",
        batch_rows: int = 500,
        batch_ms: float = 10.0,
        capacity: int = 10_000,
        notify: bool = False,
        silence: float = COMMIT_TIMEOUT,
        stats: WriterStats | None = None,
    ) -> None:
        self._dsn = dsn
        self._publish = publish
        self._name = name
        self._capacity = capacity
        self._notify = notify
        self._silence = silence
        self._stats = stats or WriterStats()
        self._backlog = Backlog(rows=batch_rows, wait=batch_ms / 1000)
        self._due_changed = trio.Event()
        self._room = trio.Event()
        self._closing = False
        self._finished = trio.Event()
        self._connection: TrioConnection | None = None

    async def on_start(self) -> None:
        # The database need not be there: writes wait for it.
        self._stats.waiting = self._stats.failures = 0
        self.nursery.start_soon(self._commit_batches)

    async def handle(self, message: Write | Fenced) -> None:
        reply = self.defer()
        write, fence = (message.write, message.fence) if isinstance(message, Fenced) else (message, None)
        while len(self._backlog) >= self._capacity:
            self._room = trio.Event()
            await self._room.wait()
        due = self._backlog.due()
        self._backlog.add(Waiting(write, reply, trio.current_time(), reply._has_caller, fence))  # noqa: SLF001
        self._stats.waiting += 1
        if self._backlog.due() != due:
            self._due_changed.set()

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002, ARG002 - as the base has it
        """Commit what was taken in."""
        self._closing = True
        self._due_changed.set()
        await self._finished.wait()

    async def _commit_batches(self) -> None:
        try:
            while batch := await self._next_batch():
                await self._settle(batch)
                self._stats.waiting -= len(batch)
        finally:
            self._disconnect()
            self._finished.set()

    async def _next_batch(self) -> list[Waiting]:
        """The next batch once it is due; empty: the writer is to end."""
        while not self._closing and (due := self._backlog.due()) > trio.current_time():
            self._due_changed = trio.Event()
            with trio.move_on_at(due):
                await self._due_changed.wait()
        batch = self._backlog.cut()
        self._room.set()
        return batch

    async def _settle(self, waiting: Sequence[Waiting]) -> None:
        """Commit, answer and publish. A write that is to blame is found by halving and refused alone."""
        fences = frozenset(each.fence for each in waiting if each.fence is not None)
        batch = Batch([each.write for each in waiting], fences)
        began = trio.current_time()
        outcome = await self._commit(batch)
        if not isinstance(outcome, WriteRefused):
            self._stats.commits += 1
            self._stats.writes += len(waiting)
            self._stats.batches.observe(len(waiting))
            self._stats.seconds.observe(trio.current_time() - began)
            for each, written in zip(waiting, outcome, strict=True):
                each.reply.send(written)
            await self._announce(batch, outcome)
        elif len(waiting) == 1:
            self._refuse(waiting[0], outcome)
        else:
            middle = len(waiting) // 2
            await self._settle(waiting[:middle])
            await self._settle(waiting[middle:])

    def _refuse(self, waiting: Waiting, refused: WriteRefused) -> None:
        level = _ANSWERS.get(refused.reason, logging.ERROR)
        self._stats.refused += level == logging.ERROR
        _logger.log(
            level,
            "write_refused write=%s session=%s reason=%s",
            type(waiting.write).__name__,
            session_of(waiting.write),
            refused,
        )
        waiting.reply.fail(refused)

    async def _announce(self, batch: Batch, written: Sequence[Written]) -> None:
        committed = Committed(
            events=tuple(event for each in written for event in each.events), journal=journal_of(batch.writes)
        )
        if not committed.events and not committed.journal:
            return
        try:
            await self._publish(committed)
        except Exception:
            # They are stored: who follows the log finds them there. The writer must not end for it.
            _logger.exception("publish_failed events=%s", len(committed.events))

    async def _commit(self, batch: Batch) -> list[Written] | WriteRefused:
        """Commit, trying again for as long as it is the database's fault; or why a write is to blame."""
        while True:
            try:
                with trio.fail_after(COMMIT_TIMEOUT):
                    written = await batch.commit(await self._connected(), self._name, notify=self._notify)
            except (psycopg.Error, trio.TooSlowError, UnicodeEncodeError, WriteRefused) as error:
                if (refused := refusal(error, batch.writes[0])) is not None:
                    return refused
                self._disconnect()
                self._stats.failures += 1
                self._stats.failed += 1
                if self._stats.failures == 1:
                    state = getattr(error, "sqlstate", None)
                    _logger.warning("database_away error=%s sqlstate=%s", type(error).__name__, state)
                await trio.sleep(retry_delay(self._stats.failures))
            else:
                if self._stats.failures:
                    _logger.info("database_back tries=%s", self._stats.failures)
                    self._stats.failures = 0
                return written

    async def _connected(self) -> TrioConnection:
        """Raises MigrationError when the database has become too new for this program meanwhile."""
        if self._connection is None:
            self._connection = await TrioConnection.connect(
                self._dsn, autocommit=True, application_name=f"terzetto writer {self._name}"
            )
            # Should we vanish in the middle of a batch, other writers wait for its end no longer than this.
            await self._connection.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, false)",
                (f"{self._silence * 1000:.0f}ms",),
            )
            try:
                await enrol(self._connection, migrations())
            except BaseException:
                self._disconnect()  # it must never be written to
                raise
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close_now()
            self._connection = None
