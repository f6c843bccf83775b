"""Whole processes: a network for each test that asks, and a gateway for each file of tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import trio
from attrs import define

from tests.whole.processes import Gateway, Network, Running, fixed_port, network, start_gateway

# No limit to what a session sends, and no three seconds until a new device has settled.
QUICK = """
[session]
per_minute = 1000000
burst = 1000000
settling = 0.3
"""


@define(eq=False)
class Shared:
    """What the tests of a file have in common."""

    folder: Path
    port: int
    """Of every test's network."""
    gateway: Running | None = None


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    shared = Shared(tmp_path_factory.mktemp("shared"), fixed_port())
    yield shared
    if shared.gateway is not None and shared.gateway.process.poll() is None:
        trio.run(shared.gateway.stop)


@pytest.fixture
async def wa(shared: Shared, tmp_path: Path) -> AsyncIterator[Network]:
    """An empty network. To a gateway it is the one it knows."""
    first = shared.folder / "network"
    keys = first / "data" if first.exists() else None
    async with network(tmp_path / "network" if keys else first, shared.port, keys) as running:
        yield running


@pytest.fixture
async def gw(shared: Shared, wa: Network) -> AsyncIterator[Gateway]:
    """The file's gateway, without a session."""
    folder = shared.folder / "gateway"
    program = shared.gateway or start_gateway(folder, wa, QUICK)
    async with httpx.AsyncClient(timeout=100) as http:
        running = Gateway(folder, wa, program, http)
        try:
            await running.tidy()
            yield running
        finally:
            shared.gateway = running.program
