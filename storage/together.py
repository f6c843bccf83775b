"""Many writes at once, so that they share commits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio

from runtime import Ref
from storage.writes import Write, Written

_AT_ONCE = 500


async def write_together(writer: Ref, writes: Sequence[Write]) -> list[Written]:
    """Commit writes that do not depend on each other, in no certain order; the answers are in theirs.

    Raises WriteRefused in a group.
    """
    answers: dict[int, Written] = {}

    async def write(number: int) -> None:
        answers[number] = await writer.call(writes[number], timeout=math.inf)

    for start in range(0, len(writes), _AT_ONCE):
        async with trio.open_nursery() as nursery:
            for number in range(start, min(start + _AT_ONCE, len(writes))):
                nursery.start_soon(write, number)
    return [answers[number] for number in range(len(writes))]
