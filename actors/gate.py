"""The gate before a destination: many tries at once while it lives, one now and then while it seems dead."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field

from actors.circuit import Circuit
from storage import now


@define(eq=False)
class Gate:
    """Whoever tries enters by `admitted`, and says what came of it."""

    circuit: Circuit
    parallel: int
    """Tries at once."""
    rng: random.Random
    _slots: trio.CapacityLimiter = field(init=False)
    _probing: trio.Lock = field(init=False, factory=trio.Lock)
    _revived: trio.Event = field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._slots = trio.CapacityLimiter(self.parallel)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the length of the block."""
        async with self._slots:
            if not self.circuit.is_open:
                yield
                return
            async with self._probing:
                while self.circuit.is_open and (wait := self.circuit.probe_at - trio.current_time()) > 0:
                    await self.rest(wait)
                yield

    async def rest(self, wait: float) -> None:
        """Wait so many seconds, or until the destination is known to be back."""
        with trio.move_on_after(wait):
            await self._revived.wait()

    def succeeded(self) -> bool:
        """A try succeeded; True when that shows that the destination is back."""
        closed = self.circuit.succeeded()
        if closed:
            self.rouse()
        return closed

    def failed(self) -> bool:
        """A try failed; True when the destination seems dead from now on."""
        return self.circuit.failed(trio.current_time(), now(), self.rng)

    def rouse(self) -> None:
        """Whoever rests tries again at once."""
        self._revived.set()
        self._revived = trio.Event()
