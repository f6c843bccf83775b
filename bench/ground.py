"""What the measurements stand on: one network, and accounts of each side, paired beforehand."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import islice
from pathlib import Path

import trio
from attrs import define, field

from bench.bare_side import BareProcess, bare_process
from tests.whole.processes import Gateway, Network, Session, gateway, network

__all__ = ["SETTLED", "Ground", "ground"]

# No limit to what a session sends, and no three seconds until a new device has settled.
CONFIG = """
[session]
per_minute = 1000000
burst = 1000000
settling = 0.3
"""
PAIRING = 4  # sessions that pair at once
SETTLED = 2.0  # seconds after clients have connected until network and phones leave them alone


@define(eq=False)
class Ground:
    """The network, and the devices that the bare library is to use."""

    folder: Path
    network: Network
    network_pid: int
    devices: dict[str, Path] = field(factory=dict, init=False)
    """Their stores, by phone number, in order."""
    _gateways: int = field(default=0, init=False)

    async def recipients(self, count: int) -> list[str]:
        """Phones that read nothing and answer nothing."""
        numbers = [f"62810{number:06d}" for number in range(count)]
        for number in numbers:
            await self.network.phone(number)
        return numbers

    async def pair_devices(self, count: int) -> None:
        """Pair devices for the bare library, in a process that ends: what is measured has only logged in."""
        self.devices = {
            phone: self.folder / f"{phone}.db" for phone in (f"62811{number:06d}" for number in range(count))
        }
        for phone in self.devices:
            await self.network.phone(phone)
        async with self.bare() as process:
            await process.start(self.devices)
            await trio.sleep(SETTLED)

    def some_devices(self, first: int, end: int) -> dict[str, Path]:
        """The devices from one number up to another."""
        return dict(islice(self.devices.items(), first, end))

    def bare(self) -> AbstractAsyncContextManager[BareProcess]:
        """A process with the library and no clients yet."""
        return bare_process(self.network, self.folder / "bare.log")

    def gateway(self) -> AbstractAsyncContextManager[Gateway]:
        """A new gateway without sessions."""
        self._gateways += 1
        return gateway(self.folder / f"gateway-{self._gateways}", self.network, CONFIG)

    async def pair(self, running: Gateway, numbers: Iterable[int]) -> list[Session]:
        """New sessions of the last gateway, connected and in their shared cells."""
        limit = trio.CapacityLimiter(PAIRING)
        paired: dict[int, Session] = {}

        async def pair(number: int) -> None:
            async with limit:
                phone = f"6282{self._gateways}{number:06d}"
                paired[number] = await running.pair(f"bench-{number}", phone)

        async with trio.open_nursery() as nursery:
            for number in numbers:
                nursery.start_soon(pair, number)
        return [paired[number] for number in sorted(paired)]


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """A network on files in this folder; it ends with the block."""
    async with network(folder / "network") as running:
        described = json.loads((folder / "network" / "data" / "network.json").read_text())
        yield Ground(folder, running, described["pid"])
