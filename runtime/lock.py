"""A fair lock that next to nothing is spent on while nobody waits for it."""

from __future__ import annotations

from types import TracebackType

from trio.lowlevel import ParkingLot, checkpoint_if_cancelled


class Lock:
    """Held by one task at a time, in the order of asking; `async with` only.

    Each child has one, and hardly ever does anybody wait for it. So, unlike trio.Lock, a free one is taken
    without giving up the turn, and whatever waiting needs is made by the first who waits.
    """

    __slots__ = ("_held", "_waiting")

    def __init__(self) -> None:
        self._held = False
        self._waiting: ParkingLot | None = None

    async def __aenter__(self) -> None:
        await checkpoint_if_cancelled()
        if not self._held:
            self._held = True
            return
        if self._waiting is None:
            self._waiting = ParkingLot()
        await self._waiting.park()  # until it is handed over

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting:
            self._waiting.unpark()
        else:
            self._held = False
