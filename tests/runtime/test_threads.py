"""put_from_thread: the one bridge for foreign threads, in every state of the actor and of the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime import Actor, ChildSpec, DeadLetter, DynamicSupervisor, Mailbox, Overflow, Supervisor
from tests.runtime.stage import running

DEADLINE = 5.0
"""Real seconds that a thread may take before a test gives it up."""


class Keeper(Actor):
    def __init__(self, handled: list[Any]) -> None:
        self.handled = handled

    async def handle(self, message: Any) -> Any:
        self.handled.append(message)
        return message


def keeper(handled: list[Any], **mailbox: Any) -> Supervisor:
    return Supervisor([ChildSpec("a", partial(Keeper, handled), mailbox=partial(Mailbox, **mailbox))])


class Foreign(threading.Thread):
    """A thread of its own that calls something and keeps what came of it."""

    def __init__(self, call: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.call = call
        self.result: bool | None = None
        self.start()

    def run(self) -> None:
        self.result = self.call()

    async def joined(self) -> bool | None:
        await trio.to_thread.run_sync(self.join, DEADLINE)
        assert not self.is_alive()
        return self.result


async def test_messages_from_a_thread_arrive_in_its_order() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled)
    async with running(supervisor):
        ref = supervisor.ref("a")
        thread = Foreign(lambda: all(ref.put_from_thread(number) for number in range(500)))
        assert await thread.joined()
        await wait_all_tasks_blocked()
        assert handled == list(range(500))


@pytest.mark.parametrize("overflow", [Overflow.BLOCK, Overflow.REJECT])
async def test_without_room_a_message_is_a_dead_letter(overflow: Overflow) -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, capacity=1, overflow=overflow)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        assert await Foreign(lambda: ref.put_from_thread(2)).joined()  # not yet known
        await wait_all_tasks_blocked()
        assert list(supervisor.dead_letters) == [DeadLetter("a", "int", "full")]
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == [1]


async def test_drop_oldest_takes_a_threads_message_in() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, capacity=1, overflow=Overflow.DROP_OLDEST)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        assert await Foreign(lambda: ref.put_from_thread(2)).joined()
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == [2]


@pytest.mark.parametrize("overflow", [Overflow.BLOCK, Overflow.REJECT])
async def test_a_blocking_put_waits_for_room(overflow: Overflow) -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, capacity=1, overflow=overflow)
    async with running(supervisor):
        ref = supervisor.ref("a")
        assert await Foreign(lambda: ref.put_from_thread(0, block=True)).joined()
        await wait_all_tasks_blocked()
        await supervisor.suspend_child("a")
        await ref.cast(1)
        thread = Foreign(lambda: ref.put_from_thread(2, block=True))
        while depth(supervisor) < 2:
            await trio.lowlevel.checkpoint()
        assert thread.result is None
        await supervisor.resume_child("a")
        assert await thread.joined()
        await wait_all_tasks_blocked()
        assert handled == [0, 1, 2]


def depth(supervisor: Supervisor) -> int:
    stats = supervisor.tree().children[0].mailbox
    assert stats is not None
    return stats.depth


async def test_a_blocking_put_returns_when_the_actor_ends() -> None:
    supervisor = keeper([], capacity=1)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        thread = Foreign(lambda: ref.put_from_thread(2, block=True))
        while depth(supervisor) < 2:
            await trio.lowlevel.checkpoint()
        await supervisor.terminate_child("a")
        assert await thread.joined() is False
        assert [letter.reason for letter in supervisor.dead_letters] == ["gone", "gone"]


@pytest.mark.parametrize("block", [False, True])
async def test_a_gone_actor_is_known_to_lose_the_message(block: bool) -> None:
    supervisor = keeper([])
    ref = supervisor.ref("a")
    assert await Foreign(lambda: ref.put_from_thread(1, block=block)).joined() is False  # never ran
    async with running(supervisor):
        await supervisor.terminate_child("a")
        assert await Foreign(lambda: ref.put_from_thread(2, block=block)).joined() is False
        await wait_all_tasks_blocked()
        assert list(supervisor.dead_letters) == [DeadLetter("a", "int", "gone")]


@pytest.mark.parametrize("block", [False, True])
def test_after_the_loops_end_every_message_is_known_to_be_lost(block: bool) -> None:
    supervisor = keeper([])

    async def main() -> None:
        async with running(supervisor):
            pass

    trio.run(main)
    results: list[bool] = []
    thread = threading.Thread(
        target=lambda: results.append(supervisor.ref("a").put_from_thread(1, block=block)), daemon=True
    )
    thread.start()
    thread.join(DEADLINE)
    assert results == [False]


def test_a_put_that_blocks_while_the_loop_ends_returns_false() -> None:
    supervisor = keeper([], capacity=1)
    results: list[bool] = []
    threads: list[threading.Thread] = []

    async def main() -> None:
        nursery: trio.Nursery
        async with trio.open_nursery() as nursery:
            # A system task outlives the main task: the loop ends with the put still waiting.
            trio.lowlevel.spawn_system_task(supervisor.run)
            await wait_all_tasks_blocked()
            ref = supervisor.ref("a")
            await supervisor.suspend_child("a")
            await ref.cast(1)
            thread = threading.Thread(
                target=lambda: results.append(ref.put_from_thread(2, block=True)), daemon=True
            )
            threads.append(thread)
            thread.start()
            while depth(supervisor) < 2:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(main)
    threads[0].join(DEADLINE)
    assert results == [False]


async def test_what_goes_wrong_inside_the_loop_does_not_end_the_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = keeper([])
    async with running(supervisor):
        ref = supervisor.ref("a")

        def broken(_envelope: object, _reason: str) -> None:
            raise RuntimeError

        # Nothing of ours raises there; a full disk under a log handler might.
        await supervisor.terminate_child("a")
        supervisor.dead_letters.add = broken  # type: ignore[method-assign, assignment]
        assert await Foreign(lambda: ref.put_from_thread(1)).joined() is False
        await wait_all_tasks_blocked()
        assert "message_from_thread_lost recipient=a" in caplog.text


async def test_a_storm_from_many_threads_loses_nothing_while_actors_restart() -> None:
    handled: list[Any] = []

    class Fragile(Keeper):
        async def handle(self, message: Any) -> Any:
            await super().handle(message)
            if message[1] % 50 == 0:
                raise RuntimeError

    spec = ChildSpec("a", partial(Fragile, handled), mailbox=partial(Mailbox, 8))
    supervisor = DynamicSupervisor(intensity=10**6)
    async with running(supervisor):
        await supervisor.start_child(spec)
        ref = supervisor.ref("a")

        def flood(name: int) -> bool:
            return all(ref.put_from_thread((name, number), block=True) for number in range(100))

        threads = [Foreign(partial(flood, name)) for name in range(4)]
        assert [await thread.joined() for thread in threads] == [True] * 4
        await wait_all_tasks_blocked()
    for name in range(4):
        assert [number for who, number in handled if who == name] == list(range(100))
