"""Webhooks as they run in the gateway: beside the writer, which wakes them after each commit.

Run as a program it delivers until it is killed: `webhooks_stage.py DSN`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from attrs import frozen

from actors.delivery import Schedule
from actors.egress import Egress
from actors.webhooks import Webhooks
from runtime import Backoff, ChildSpec, ChildType, DynamicSupervisor, Ref, Supervisor
from storage import (
    Append,
    Committed,
    Event,
    Insert,
    Json,
    NewEvent,
    Pool,
    Reads,
    Session,
    Webhook,
    Writer,
    Written,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = Egress(allow_networks=["127.0.0.0/8"])
SOON = Schedule(backoff=Backoff(0.01, 0.05))


@frozen
class Stage:
    """A running writer and webhooks, and what the tests do with them."""

    root: Supervisor
    webhooks: Webhooks
    reads: Reads

    @property
    def writer(self) -> Ref:
        return self.root.ref("storage")

    async def session(self, session_id: str) -> None:
        await self.writer.call(Insert(Session(id=session_id, name=session_id)))

    async def happen(self, *names: str, session_id: str = "s1") -> list[Event]:
        """Append events to a session's log, one commit each."""
        return [await self.append(session_id, name, {"n": n}) for n, name in enumerate(names)]

    async def append(self, session_id: str, name: str, data: Json) -> Event:
        """Append an event with this data."""
        written: Written = await self.writer.call(Append(session_id, (NewEvent(name, data),)))
        return written.events[0]

    async def webhook(self, url: str, **more: Any) -> Webhook:
        """A new webhook, told of what happens from now on."""
        return await self.webhooks.create(await self.row(url, **more))

    async def row(self, url: str, **more: Any) -> Webhook:
        at = await self.reads.last_position()
        given: dict[str, Any] = {"id": "whk_1", "url": url, "secret": SECRET, "cursor": at}
        return Webhook(**given | more)

    async def cursor(self, webhook_id: str = "whk_1") -> int:
        """The cursor as stored, once what was written before it is."""
        await self.writer.call(Append("s1", ()))
        row = await self.reads.webhook(webhook_id)
        assert row is not None
        return row.cursor


@asynccontextmanager
async def running(
    dsn: str, schedule: Schedule = SOON, reads: type[Reads] = Reads, **options: Any
) -> AsyncIterator[Stage]:
    """Run on a migrated database."""

    async def publish(committed: Committed) -> None:
        webhooks.wake(committed.events)

    pool = Pool(dsn, size=2)
    webhooks = Webhooks(
        supervisor=DynamicSupervisor(id="webhooks"),
        writer=(root := Supervisor([ChildSpec("storage", partial(Writer, dsn=dsn, publish=publish))])).ref(
            "storage"
        ),
        reads=reads(pool),
        schedule=schedule,
        **{"egress": LOOPBACK} | options,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        await root.start_child(ChildSpec("webhooks", webhooks.run, type=ChildType.SUPERVISOR))
        yield Stage(root, webhooks, webhooks.reads)
        await root.stop()
    pool.close()


async def _deliver(dsn: str) -> None:
    async with running(dsn):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_deliver, sys.argv[1])
