"""A writer as it runs in the gateway: under a supervisor, with reads beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from attrs import define, field

from runtime import ChildSpec, Mailbox, Ref, Supervisor
from storage import Committed, Event, Insert, Pool, Reads, Session, Write, Writer, WriterStats, Written


@define(eq=False)
class Gateway:
    """A writer under a supervisor, what it published, and the reads."""

    dsn: str
    supervisor: Supervisor
    stats: WriterStats
    reads: Reads
    published: list[Committed] = field(factory=list)

    @property
    def writer(self) -> Ref:
        return self.supervisor.ref("storage")

    @property
    def events(self) -> list[Event]:
        return [event for committed in self.published for event in committed.events]

    async def session(self, session_id: str = "s1") -> None:
        await self.writer.call(Insert(Session(id=session_id, name=session_id)))

    async def together(self, *writes: Write) -> Written:
        """Send writes so that they share a batch (given a long batch_ms); the answer to the last."""
        for write in writes[:-1]:
            await self.writer.cast(write)
        written: Written = await self.writer.call(writes[-1], timeout=30)
        return written


@asynccontextmanager
async def running_writer(
    dsn: str, *, mailbox: Callable[[], Mailbox] = Mailbox, **options: Any
) -> AsyncIterator[Gateway]:
    """Run a Writer on a migrated database; stopped cleanly at the end."""
    published: list[Committed] = []

    async def publish(committed: Committed) -> None:
        published.append(committed)

    pool = Pool(dsn, size=2)
    stats = WriterStats()
    defaults: dict[str, Any] = {"dsn": dsn, "publish": publish, "stats": stats}
    start = partial(Writer, **defaults | options)
    supervisor = Supervisor([ChildSpec("storage", start, mailbox=mailbox)])
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            yield Gateway(dsn, supervisor, stats, Reads(pool), published)
            await supervisor.stop()
    finally:
        pool.close()
