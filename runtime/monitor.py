"""Watching for an actor's final end: exactly one Down, at once if it is already gone."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import frozen

from runtime.exits import Exit


@frozen
class Down:
    """The actor `id` has ended, and nothing will start it by itself again."""

    id: str
    exit: Exit


class Monitor:
    """One watch over one actor. Restarts do not end it; `cancel` does, without a Down."""

    def __init__(self, deliver: Callable[[Down], None] | None = None) -> None:
        self._deliver = deliver
        self._kept_in: list[set[Monitor]] = []
        self._down: Down | None = None
        self._fired = trio.Event()

    async def wait(self) -> Down:
        """The Down, once it has come. Waits for ever on a cancelled monitor."""
        await self._fired.wait()
        assert self._down is not None
        return self._down

    def cancel(self) -> None:
        """From here on no Down is delivered. Does nothing if one already was."""
        self._deliver = None
        for place in self._kept_in:
            place.discard(self)
        self._kept_in.clear()

    # For the runtime itself

    def keep_in(self, place: set[Monitor]) -> None:
        """Lies in that set until it fires or is cancelled."""
        self._kept_in.append(place)
        place.add(self)

    def fire(self, down: Down) -> None:
        self._down = down
        self._fired.set()
        if self._deliver is not None:
            self._deliver(down)
        self.cancel()
