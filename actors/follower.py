"""Follows the log where several nodes write it: each event of any of them once, in the order of the log."""

import logging
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field

from storage.errors import DatabaseUnavailable, EventsExpired
from storage.reads import Reads
from storage.rows import Event

__all__ = ["Follower"]

log = logging.getLogger("follower")

PAGE = 500
LOOK = 1.0
"""Seconds after which it looks for events although nobody woke it."""


@define(eq=False)
class Follower:
    """Hands on what is committed from its start on. `run` goes into the tree."""

    reads: Reads
    tell: Callable[[tuple[Event, ...]], Awaitable[None]]
    """Given some events at a time, never none."""
    _woken: trio.Event = field(init=False, factory=trio.Event)
    _position: int | None = field(init=False, default=None)

    def wake(self) -> None:
        """The log has grown. Never waits."""
        self._woken.set()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Follow until cancelled; started again it goes on where it was."""
        task_status.started()
        away = False
        while True:
            self._woken = trio.Event()
            try:
                more = await self._look()
            except DatabaseUnavailable as error:
                if not away:
                    log.warning("log_not_followed error=%s", error)
                away, more = True, False
            else:
                away = False
            if not more:
                with trio.move_on_after(LOOK):
                    await self._woken.wait()

    async def _look(self) -> bool:
        """Hand on the next events; whether there may be more."""
        if self._position is None:
            self._position = await self.reads.last_position()
        try:
            found = await self.reads.events_after(self._position, limit=PAGE)
        except EventsExpired as error:  # it slept for longer than they are kept
            self._position = error.dropped
            return True
        if found.events:
            await self.tell(tuple(found.events))
        self._position = found.end
        return len(found.events) == PAGE
