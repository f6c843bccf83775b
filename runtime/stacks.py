"""Where a task stands: its await frames, and those of the tasks in its nurseries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import trio
from attrs import frozen

_TRAPS = trio.lowlevel.wait_task_rescheduled.__code__.co_filename


@frozen
class TaskStack:
    """One task of a child, as it stands now."""

    name: str
    frames: tuple[str, ...]
    """`file:line function`, outermost first; without how Trio itself gives up its turn."""


def stacks_of(task: trio.lowlevel.Task) -> tuple[TaskStack, ...]:
    """A task and those of the nurseries it opened, itself first."""
    nested = (child for nursery in task.child_nurseries for child in nursery.child_tasks)
    own = TaskStack(task.name, tuple(_own_frames(task)))
    return (own, *(stack for child in nested for stack in stacks_of(child)))


def stack_of(task: trio.lowlevel.Task) -> list[str]:
    """All of them as one: a line a frame, outermost first."""
    return [frame for stack in stacks_of(task) for frame in stack.frames]


def _own_frames(task: trio.lowlevel.Task) -> Iterator[str]:
    for frame, line in task.iter_await_frames():
        code = frame.f_code
        if code.co_filename == _TRAPS:
            return
        yield f"{PurePath(code.co_filename).name}:{line} {code.co_qualname}"
