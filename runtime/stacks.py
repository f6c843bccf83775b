"""Where a task stands: its await frames, and those of the tasks in its nurseries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import trio


def stack_of(task: trio.lowlevel.Task) -> list[str]:
    """One line a frame, outermost first: `file:line function`."""
    return list(_frames(task))


def _frames(task: trio.lowlevel.Task) -> Iterator[str]:
    for frame, line in task.iter_await_frames():
        code = frame.f_code
        yield f"{PurePath(code.co_filename).name}:{line} {code.co_qualname}"
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _frames(child)
