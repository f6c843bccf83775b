"""Ending lives in time: ask, wait, cut off, report, and never leave one behind."""

from __future__ import annotations

from collections.abc import Collection

import trio

from runtime.life import Life

BURST = 20
"""Lives asked to stop before the loop gets a turn, in which they may end.

Asking ten thousand in one step would hold up the loop, and what their cancellations leave about would grow
old enough for the costly collections of garbage.
"""


async def halt(lives: Collection[Life]) -> None:
    """Stops lives together, each by its own spec and all from the same instant, and waits until all ended.

    A cancelled halt may be called again: what was asked before keeps its deadline.
    """
    now = trio.current_time()
    for number, life in enumerate(lives, 1):
        life.ask_to_stop(now)
        if number % BURST == 0:
            await trio.lowlevel.checkpoint()
    await until_ended(lives)


async def kill(life: Life) -> None:
    """Cancels a life at once, and waits until it ended."""
    life.kill(trio.current_time())
    await until_ended([life])


async def until_ended(lives: Collection[Life]) -> None:
    """Waits for lives that are stopping, and presses each one whose time is over."""
    while pending := [life for life in lives if not life.is_over]:
        with trio.move_on_at(min(life.next_press for life in pending)) as patience:
            for life in pending:
                while not life.is_over:
                    await life.change()
        if patience.cancelled_caught:
            now = trio.current_time()
            for life in pending:
                if not life.is_over and life.next_press <= now:
                    life.press(now)
