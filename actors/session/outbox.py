"""A session's messages that wait to be sent: stored, taken in their turn, given up when they are too late.

The table of messages is the queue; what is kept here is only when it has to be looked at again.
"""

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trio
from attrs import define, field

from actors.errors import QueueFull
from actors.session.messages import Queued
from actors.session.pace import Pace
from actors.session.queued import EXPIRED, give_up, interrupted
from runtime import Ref
from storage.errors import DatabaseUnavailable
from storage.interrupted import mark_interrupted
from storage.reads import Reads
from storage.rows import Batch, Message
from storage.together import write_together
from storage.writes import Append, StoreBatch, StoreMessage

log = logging.getLogger("session")

RETRY = 1.0
"""Seconds after which a database that was away is asked again."""


@define(eq=False)
class Outbox:
    """The queue of one session."""

    session_id: str
    reads: Reads
    writer: Ref
    most: int
    """Messages that may wait."""
    news: Callable[[], None]
    """Called when there may be something to send that was not there before."""
    _storing: int = field(init=False, default=0)
    _changes: int = field(init=False, default=0)
    _changed: trio.Event = field(init=False, factory=trio.Event)
    _idle_until: datetime | None = field(init=False, default=None)
    """Before this nothing is due, unless something changes; None: unknown."""

    async def add(self, message: StoreMessage, pace: Pace) -> Queued:
        """Store a message; when it is likely to be sent at this pace.

        Raises QueueFull, DatabaseUnavailable, WriteRefused.
        """
        (queued,) = await self._add((message,), message, pace)
        return queued

    async def add_batch(
        self, messages: tuple[StoreMessage, ...], batch_id: str, pace: Pace
    ) -> tuple[Queued, ...]:
        """The same for the messages of a batch, all or none."""
        batch = Batch(id=batch_id, session_id=self.session_id, total=len(messages))
        return await self._add(messages, StoreBatch(batch=batch, messages=messages), pace)

    async def _add(
        self, messages: tuple[StoreMessage, ...], write: StoreMessage | StoreBatch, pace: Pace
    ) -> tuple[Queued, ...]:
        self._storing += len(messages)
        try:
            if await self.reads.queue.count(self.session_id) + self._storing > self.most:
                raise QueueFull(session_id=self.session_id, retry_after=max(1.0, pace.bucket.interval))
            await self.writer.call(write, timeout=math.inf)
        finally:
            self._storing -= len(messages)
        self.changed()
        now = datetime.now(UTC)
        ids = [each.message.id for each in messages]
        try:
            positions = await self.reads.queue.positions(self.session_id, ids, now)
        except DatabaseUnavailable:
            positions = {}  # they are stored, wherever they stand: that must not look like a failure
        moving = pace.of_queue(trio.current_time())

        def queued(row: Message) -> Queued:
            position = positions.get(row.id, 0)  # sent already, most often
            turn = now + timedelta(seconds=moving.wait(position))
            return Queued(
                message_id=row.id, chat=row.chat, position=position, eta=max(turn, row.send_at or turn)
            )

        return tuple(queued(each.message) for each in messages)

    def changed(self) -> None:
        """Messages were queued, changed or cancelled: look again."""
        self._changes += 1
        self._idle_until = None
        self._changed.set()
        self._changed = trio.Event()
        self.news()

    async def next(self) -> Message | float:
        """The message to send now, or the seconds until there may be one. Raises DatabaseUnavailable."""
        now = datetime.now(UTC)
        if self._idle_until is None or self._idle_until <= now:
            changes = self._changes
            if (found := await self.reads.queue.next(self.session_id, now)) is not None:
                return found
            outlook = await self.reads.queue.outlook(self.session_id, now)
            if changes != self._changes:
                return 0.0
            self._idle_until = outlook.next_send_at or datetime.max.replace(tzinfo=UTC)
        return (self._idle_until - now).total_seconds()

    async def recover(self) -> None:
        """Call messages `unknown` that an earlier life of the session left `sending`."""
        # What it had written by then is stored once this is.
        await self.writer.call(Append(self.session_id), timeout=math.inf)
        while True:
            try:
                await mark_interrupted(self.reads, self.writer, interrupted, session_id=self.session_id)
            except DatabaseUnavailable:
                await trio.sleep(RETRY)
            else:
                return

    async def watch(self) -> None:
        """Give up messages that are too late, for as long as the session's actor lives."""
        while True:
            changed = self._changed
            try:
                wait = await self._give_up_expired()
            except DatabaseUnavailable:
                wait = RETRY
            with trio.move_on_after(wait):
                await changed.wait()

    async def _give_up_expired(self) -> float:
        """Seconds until the next one expires."""
        now = datetime.now(UTC)
        end = (await self.reads.queue.outlook(self.session_id, now)).next_expires_at
        if end is None:
            return math.inf
        if end > now:
            return (end - now).total_seconds()
        expired = await self.reads.queue.expired(self.session_id, now)
        await write_together(self.writer, [give_up(message, EXPIRED) for message in expired])
        log.info("messages_expired session=%s count=%d", self.session_id, len(expired))
        return 0.0
