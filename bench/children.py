"""Starting, stopping and restarting children, beside a bare nursery's; and what an idle actor weighs."""

import gc
import tracemalloc
from collections.abc import Sequence
from functools import partial

import trio
from attrs import frozen

from bench.rounds import Row, alternate, processor_time
from runtime import Actor, ChildSpec, DynamicSupervisor

__all__ = ["Weights", "measure_lives", "measure_restarts", "measure_weights"]

CAPACITY = 1024  # of the channel beside a mailbox
BATCH = 25  # restarts in one round


@frozen
class Weights:
    """Bytes of Python's memory that one more of each takes."""

    actor: float
    baseline: float


async def measure_lives(children: int, rounds: int) -> list[Row]:
    """Two rows: starting so many children, each awaited until ready, and stopping them all together."""
    return await alternate(partial(_supervised, children), partial(_in_nursery, children), rounds, children)


async def measure_restarts(others: int, rounds: int) -> Row:
    """From a child's death until it is ready again: one among so many others, beside one alone."""
    async with trio.open_nursery() as nursery:
        among, alone = [await _with_phoenix(nursery, count) for count in (others, 0)]
        (row,) = await alternate(among.rise, alone.rise, rounds, BATCH)
        nursery.cancel_scope.cancel()
    return row


async def measure_weights(number: int) -> Weights:
    """So many idle actors, beside so many tasks that each wait at a channel of their own."""
    supervisor = DynamicSupervisor(template=ChildSpec("idle", Idle))
    tracemalloc.start()
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        before = _allocated()
        for each in range(number):
            await supervisor.start_child(f"idle-{each}")
        actors = _allocated() - before
        await supervisor.stop()
    async with trio.open_nursery() as nursery:
        before = _allocated()
        senders = [await nursery.start(_idle_receiver) for _ in range(number)]
        tasks = _allocated() - before
        nursery.cancel_scope.cancel()
        del senders
    tracemalloc.stop()
    return Weights(actors / number, tasks / number)


def _allocated() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Idle(Actor):
    """Waits for messages that do not come."""


async def _idle_receiver(*, task_status: trio.TaskStatus[object]) -> None:
    send, receive = trio.open_memory_channel[object](CAPACITY)
    task_status.started(send)
    async for _ in receive:
        pass


async def _idle(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    await trio.sleep_forever()


async def _supervised(children: int) -> Sequence[float]:
    supervisor = DynamicSupervisor(template=ChildSpec("idle", _idle))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        began = processor_time()
        for number in range(children):
            await supervisor.start_child(f"idle-{number}")
        started = processor_time()
        await supervisor.stop()
    return started - began, processor_time() - started


async def _in_nursery(children: int) -> Sequence[float]:
    async with trio.open_nursery() as nursery:
        began = processor_time()
        for _ in range(children):
            await nursery.start(_idle)
        started = processor_time()
        nursery.cancel_scope.cancel()
    return started - began, processor_time() - started


class Phoenix:
    """A child that dies when told to, and says when it is back."""

    def __init__(self) -> None:
        self.told = trio.Event()
        self.back = trio.Event()

    async def live(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.told = trio.Event()
        task_status.started()
        self.back.set()
        await self.told.wait()

    async def rise(self) -> tuple[float]:
        """Dies and comes back, so many times in a row."""
        began = processor_time()
        for _ in range(BATCH):
            self.back = trio.Event()
            self.told.set()
            await self.back.wait()
        return (processor_time() - began,)


async def _with_phoenix(nursery: trio.Nursery, others: int) -> Phoenix:
    supervisor = DynamicSupervisor(intensity=10**9)
    await nursery.start(supervisor.run)
    for number in range(others):
        await supervisor.start_child(ChildSpec(f"idle-{number}", _idle))
    phoenix = Phoenix()
    await supervisor.start_child(ChildSpec("phoenix", phoenix.live))
    return phoenix
