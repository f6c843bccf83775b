"""The sweeper: all that is over goes, and what fails keeps nothing else from it."""

import logging
from collections import Counter
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from actors.sweeper import AT_ONCE, Sweep, sweep
from storage import DatabaseUnavailable

HOUR = 3600.0


def pile(count: int, asked: list[int]) -> Sweep:
    """Something of which there is so much to delete."""
    left = count

    async def delete(most: int) -> int:
        nonlocal left
        asked.append(most)
        deleted = min(most, left)
        left -= deleted
        return deleted

    return delete


async def test_each_is_swept_in_small_parts_until_nothing_is_left_and_again_after_the_interval(
    autojump_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sweeper")
    asked: list[int] = []
    sweeps = {"files": pile(2 * AT_ONCE + 1, asked), "claims": pile(0, [])}
    await nursery.start(partial(sweep, sweeps, interval=HOUR))
    await trio.sleep(HOUR - 1)
    assert asked == [AT_ONCE] * 3
    assert [record.message for record in caplog.records] == [f"swept what=files count={2 * AT_ONCE + 1}"]
    await trio.sleep(2)
    assert asked == [AT_ONCE] * 4


async def test_what_cannot_be_swept_now_is_tried_again_and_keeps_nothing_else_from_it(
    autojump_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    seen: Counter[str] = Counter()

    async def fail(_most: int) -> int:
        seen["fail"] += 1
        raise DatabaseUnavailable("gone")

    async def count(_most: int) -> int:
        seen["count"] += 1
        return 0

    await nursery.start(partial(sweep, {"events": fail, "claims": count}, interval=HOUR))
    await trio.sleep(1.5 * HOUR)
    assert seen == {"fail": 2, "count": 2}
    assert {record.message for record in caplog.records} == {
        "not_swept what=events error=DatabaseUnavailable"
    }
