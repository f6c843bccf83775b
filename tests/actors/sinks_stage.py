"""Sinks as they run in the gateway: beside the writer, which wakes them after each commit.

Run as a program it publishes to NATS until it is killed: `sinks_stage.py DSN URL`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
from attrs import frozen

from actors.sinks import Sinks, SinkSpec
from runtime import Backoff, ChildSpec, ChildType, Ref, Supervisor
from storage import (
    Append,
    Committed,
    Event,
    Insert,
    NewEvent,
    Pool,
    Reads,
    Session,
    Writer,
    Written,
)


@frozen
class Stage:
    """A running writer and sinks, and what the tests do with them."""

    root: Supervisor
    sinks: Sinks
    reads: Reads

    @property
    def writer(self) -> Ref:
        return self.root.ref("storage")

    async def sessions(self, *ids: str) -> None:
        for session_id in ids:
            await self.writer.call(Insert(Session(id=session_id, name=session_id)))

    async def happen(self, *names: str, session_id: str = "s1") -> list[Event]:
        """Append events to a session's log, one commit each."""
        written: list[Written] = [
            await self.writer.call(Append(session_id, (NewEvent(name, {"n": number}),)))
            for number, name in enumerate(names)
        ]
        return [each.events[0] for each in written]

    async def caught_up(self, name: str = "bus") -> None:
        """Wait until a sink has been told of everything, and its cursor is stored."""
        with trio.fail_after(30):
            while self.sinks.lag(name) != 0:
                await trio.sleep(0.01)
            end = await self.reads.last_position()
            while (row := await self.reads.sink(name)) is None or row.cursor < end or row.held:
                await trio.sleep(0.01)


@asynccontextmanager
async def running(dsn: str, *specs: SinkSpec) -> AsyncIterator[Stage]:
    """Run on a migrated database."""

    async def publish(committed: Committed) -> None:
        sinks.wake(committed.events)

    pool = Pool(dsn, size=2)
    root = Supervisor([ChildSpec("storage", partial(Writer, dsn=dsn, publish=publish))])
    sinks = Sinks(specs=specs, writer=root.ref("storage"), reads=Reads(pool), backoff=Backoff(0.05, 0.5))
    async with trio.open_nursery() as nursery:
        await nursery.start(root.run)
        await root.start_child(ChildSpec("sinks", sinks.supervisor.run, type=ChildType.SUPERVISOR))
        yield Stage(root, sinks, sinks.reads)
        await root.stop()
    pool.close()


async def _publish(dsn: str, url: str) -> None:
    from actors.sinks.jetstream import JetStream  # noqa: PLC0415 - of the program alone

    spec = SinkSpec(
        name="bus",
        kind="nats",
        target="",
        sessions=(),
        events=(),
        broker=lambda: JetStream(url, "terzetto.{sessionId}.{event}", 2.0),
        timeout=2.0,
        backoff=Backoff(0.05, 0.5),
    )
    async with running(dsn, spec):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_publish, sys.argv[1], sys.argv[2])
