"""Ending lives in time: ask, wait, cut off, report, and never leave one behind."""

from __future__ import annotations

from collections.abc import Collection

import trio

from runtime.life import Life


async def halt(lives: Collection[Life]) -> None:
    """Stops lives together, each by its own spec and all from the same instant, and waits until all ended.

    A cancelled halt may be called again: what was asked before keeps its deadline.
    """
    now = trio.current_time()
    for life in lives:
        life.ask_to_stop(now)
    await until_ended(lives)


async def kill(life: Life) -> None:
    """Cancels a life at once, and waits until it ended."""
    life.kill(trio.current_time())
    await until_ended([life])


async def until_ended(lives: Collection[Life]) -> None:
    """Waits for lives that are stopping, and presses each one whose time is over."""
    while pending := [life for life in lives if not life.ended.is_set()]:
        with trio.move_on_at(min(life.next_press for life in pending)) as patience:
            for life in pending:
                if not life.ended.is_set():
                    await life.ended.wait()
        if patience.cancelled_caught:
            now = trio.current_time()
            for life in pending:
                if not life.ended.is_set() and life.next_press <= now:
                    life.press(now)
