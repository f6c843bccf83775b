"""The example of a program that follows the log, as users start it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from tests.api.stage import ADMIN_KEY, Stage

EXAMPLE = Path(__file__).parents[2] / "docs" / "follow.py"


@asynccontextmanager
async def following(stage: Stage, kept: Path, key: str = ADMIN_KEY) -> AsyncIterator[trio.Process]:
    host, port = stage.address
    command = [sys.executable, str(EXAMPLE), f"ws://{host}:{port}/api/ws", str(kept)]
    start = partial(
        trio.run_process,
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "TERZETTO_KEY": key},
    )
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(start)
        yield process
        process.send_signal(signal.SIGKILL)


async def numbers(process: trio.Process, count: int) -> list[int]:
    """Of the next events that it prints."""
    assert process.stdout is not None
    said = b""
    with trio.fail_after(20):
        while said.count(b"\n") < count:
            said += await process.stdout.receive_some()
    return [json.loads(line)["data"]["number"] for line in said.splitlines()]


async def test_the_example_goes_on_where_it_was_killed(stage: Stage, tmp_path: Path) -> None:
    await (await stage.session("ana")).aclose()
    kept = tmp_path / "cursor"
    kept.write_text((await stage.client.get("/api/events")).json()["cursor"])
    await stage.event("ana", 1)
    async with following(stage, kept) as process:
        assert await numbers(process, 1) == [1]
        await stage.event("ana", 2)
        assert await numbers(process, 1) == [2]
        with trio.fail_after(5):  # it prints an event before it keeps its cursor
            while kept.read_text() != (await stage.client.get("/api/events")).json()["cursor"]:
                await trio.sleep(0.01)
    await stage.event("ana", 3)
    async with following(stage, kept) as process:
        assert await numbers(process, 1) == [3]


async def test_the_example_ends_when_its_key_is_refused(stage: Stage, tmp_path: Path) -> None:
    async with following(stage, tmp_path / "cursor", key="tz_guess") as process:
        assert process.stderr is not None
        with trio.fail_after(20):
            assert await process.wait() == 1
            assert b"refused with 401" in await process.stderr.receive_some()
