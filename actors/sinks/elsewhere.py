"""An asyncio loop in a thread of its own, for libraries that know no other; Trio awaits what runs there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import trio
from attrs import define, field

T = TypeVar("T")

_GRACE = 5.0  # seconds for the loop to end; a thread that takes longer is left behind


@define(eq=False)
class Elsewhere:
    """The loop while its block lasts."""

    _token: trio.lowlevel.TrioToken
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _stop: asyncio.Event = field(init=False)
    _ended: trio.Event = field(init=False, factory=trio.Event)

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """What a coroutine gives or raises that runs there; cancelled here, it is cancelled there."""
        done = trio.Event()
        future = asyncio.run_coroutine_threadsafe(function(*args), self._loop)
        future.add_done_callback(lambda _: self._tell(done.set))
        try:
            await done.wait()
        except trio.Cancelled:
            future.cancel()
            raise
        return future.result()

    async def live(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run the loop until `end`."""
        try:
            await trio.to_thread.run_sync(
                lambda: asyncio.run(self._until_the_end(task_status.started)),
                abandon_on_cancel=True,
                limiter=trio.CapacityLimiter(1),
            )
        finally:
            self._ended.set()

    async def end(self) -> None:
        """Have what runs there cancelled, and wait for that a while."""
        self._loop.call_soon_threadsafe(self._stop.set)
        with trio.move_on_after(_GRACE, shield=True):
            await self._ended.wait()

    async def _until_the_end(self, started: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._tell(started)
        await self._stop.wait()

    def _tell(self, function: Callable[[], Any]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(function)


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """A loop while the block lasts."""
    there = Elsewhere(trio.lowlevel.current_trio_token())
    async with trio.open_nursery() as nursery:
        await nursery.start(there.live)
        try:
            yield there
        finally:
            await there.end()
            nursery.cancel_scope.cancel()
