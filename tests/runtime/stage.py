"""A stage for children: plain ones that a test directs, and what they did, in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from runtime import ChildSpec, Exit, State, Supervisor

Scene = Callable[[], Any]


class Stage:
    """Specs of children that wait for the test's word, and a journal of `+id` (ready) and `-id` (over)."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.next_starts: defaultdict[str, list[BaseException | str]] = defaultdict(list)
        """What the next starts of a child do instead of becoming ready: raise, `ignore`, or `hang`."""
        self._words: dict[str, trio.MemorySendChannel[BaseException | Exit | None]] = {}
        self.lives: defaultdict[str, int] = defaultdict(int)

    def spec(self, id_: str, **flags: Any) -> ChildSpec:
        return ChildSpec(id_, partial(self.play, id_), **flags)

    async def play(self, id_: str, *, task_status: trio.TaskStatus[str]) -> Exit | None:
        if self.next_starts[id_]:
            match self.next_starts[id_].pop(0):
                case "ignore":
                    self.journal.append(f"~{id_}")
                    return None
                case "hang":
                    await trio.sleep_forever()
                case BaseException() as error:
                    self.journal.append(f"!{id_}")
                    raise error
        self._words[id_], heard = trio.open_memory_channel[BaseException | Exit | None](1)
        self.lives[id_] += 1
        self.journal.append(f"+{id_}")
        task_status.started(f"{id_} {self.lives[id_]}")
        try:
            word = await heard.receive()
        finally:
            self.journal.append(f"-{id_}")
        if isinstance(word, BaseException):
            raise word
        return word

    async def end(self, id_: str, word: BaseException | Exit | None = None) -> None:
        """The child returns or raises that, and all that follows has happened when this returns."""
        self.say(id_, word)
        await wait_all_tasks_blocked()

    def say(self, id_: str, word: BaseException | Exit | None = None) -> None:
        self._words[id_].send_nowait(word)

    def told(self) -> str:
        """The journal since the last time it was told."""
        story, self.journal[:] = " ".join(self.journal), []
        return story


class Performance:
    """A supervisor that runs, and how its run came out."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.scope = trio.CancelScope()
        self.over = trio.Event()
        self.exit: Exit | None = None
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            with self.scope:
                self.exit = await self.supervisor.run()
        except BaseException as error:  # noqa: BLE001 - the tests look at it
            self.error = error
        self.over.set()


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[Performance]:
    """Runs a supervisor in the background until the block ends; started as far as it gets without time."""
    performance = Performance(supervisor)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(performance.run)
        await wait_all_tasks_blocked()
        yield performance
        performance.scope.cancel()


def states(supervisor: Supervisor) -> dict[str, State]:
    return {child.id: child.state for child in supervisor.which_children()}


BOOM = RuntimeError("boom")
