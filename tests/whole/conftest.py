"""Whole processes: a network and a gateway for each test that asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.whole.processes import Gateway, Network, gateway, network

# No limit to what a session sends, and no three seconds until a new device has settled.
QUICK = """
[session]
per_minute = 1000000
burst = 1000000
settling = 0.3
"""


@pytest.fixture
async def wa(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path / "network") as running:
        yield running


@pytest.fixture
async def gw(tmp_path: Path, wa: Network) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path / "gateway", wa, QUICK) as running:
        yield running
