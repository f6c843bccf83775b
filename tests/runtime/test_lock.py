"""The lock of a child: fair, and next to free while nobody waits for it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from runtime.lock import Lock


async def is_free(lock: Lock) -> bool:
    """Whether it is taken in one step."""
    turn = trio.Event()

    async def take_turn() -> None:
        turn.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turn)
        async with lock:
            return not turn.is_set()


async def test_it_is_held_by_one_at_a_time_in_the_order_of_asking() -> None:
    lock = Lock()
    journal = ""

    async def hold(name: str) -> None:
        nonlocal journal
        async with lock:
            journal += f"+{name}"
            await trio.lowlevel.checkpoint()
            journal += f"-{name}"

    async with trio.open_nursery() as nursery:
        async with lock:
            for name in "abc":
                nursery.start_soon(hold, name)
                await wait_all_tasks_blocked()
        nursery.start_soon(hold, "d")
    assert journal == "+a-a+b-b+c-c+d-d"


async def test_who_is_cancelled_while_waiting_does_not_hold_it_up() -> None:
    lock = Lock()
    scope = trio.CancelScope()

    async def wait() -> None:
        with scope:
            async with lock:
                pytest.fail("it was taken")

    async with trio.open_nursery() as nursery, lock:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
    assert await is_free(lock)


async def test_a_cancelled_task_does_not_take_it() -> None:
    lock = Lock()
    with trio.CancelScope() as scope:
        scope.cancel()
        async with lock:
            pytest.fail("it was taken")
    assert await is_free(lock)
