"""One network for all tests that do not end it: each has people of its own in it."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.loopback.networks import ROOT, Network


@pytest.fixture(scope="session")
def shared_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Where the network is."""
    directory = tmp_path_factory.mktemp("network")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "loopback", "--data", str(directory), "--parent"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            where = json.loads(process.stdout.readline())
            yield where
            process.stdin.close()
            assert process.wait(10) == 0
    assert "Traceback" not in (directory / "log").read_text()


@pytest.fixture
async def network(shared_network: dict[str, Any], tmp_path: Path) -> AsyncIterator[Network]:
    """The shared network, and people nobody else knows."""
    async with trio.open_nursery() as nursery:
        network = Network(nursery, tmp_path, shared_network)
        try:
            yield network
        finally:
            with trio.CancelScope(shield=True):
                await network.lift()
                await network.aclose()
