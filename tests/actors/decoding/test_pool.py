"""The pool: what files and ends of processes do to it, and to the files of others."""

import io
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from actors.decoding import (
    Busy,
    DecoderFailed,
    Decoders,
    DecodersConfig,
    Document,
    Image,
    TooLarge,
    Undecodable,
    Voice,
)
from tests.actors.decoding.media import encoded, picture, tone
from tests.actors.decoding.test_worker import png_bomb

SMALL = encoded(picture(), "PNG")


def slow(seconds: int) -> bytes:
    """Silence of some length: as a voice note it takes a worker about a hundredth of that."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(1)
        target.setframerate(8000)
        target.writeframes(bytes(8000 * seconds))
    return file.getvalue()


LONG, ENDLESS = slow(100), slow(3000)


@asynccontextmanager
async def running(config: DecodersConfig) -> AsyncIterator[Decoders]:
    decoders = Decoders(config)
    async with trio.open_nursery() as nursery:
        await nursery.start(decoders.run)
        yield decoders
        nursery.cancel_scope.cancel()
    assert workers() == set()
    assert decoders.stats.workers == decoders.stats.busy == decoders.stats.waiting == 0


def workers(parent: int | None = None) -> set[int]:
    """The worker processes of a process, ours by default."""
    parent = parent or os.getpid()
    found = set()
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                if b"actors.decoding.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(int(child))
            except FileNotFoundError:
                pass
    return found


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.005)


async def test_files_are_converted_and_counted() -> None:
    async with running(DecodersConfig(workers=1)) as decoders:
        assert decoders.stats.workers == decoders.stats.started == 1
        result = await decoders.convert(Voice(), tone("mp3"))
        assert (result.mime_type, result.seconds) == ("audio/ogg; codecs=opus", 2)
        with pytest.raises(Undecodable):
            await decoders.convert(Voice(), SMALL)
        with pytest.raises(Undecodable, match="empty"):
            await decoders.convert(Voice(), b"")
        stats = decoders.stats
        assert (stats.jobs, stats.refused, stats.failures, stats.restarts) == (2, 1, 0, 0)
        assert stats.seconds > 0
        assert len(workers()) == 1


async def test_a_document_occupies_no_worker() -> None:
    decoders = Decoders()  # it does not even run
    assert (await decoders.convert(Document(), b"%PDF-1.7")).mime_type == "application/pdf"
    assert (await decoders.convert(Document(), b"\0\1\2")).mime_type == "application/octet-stream"


async def test_a_bomb_is_refused_and_the_worker_lives_on() -> None:
    async with running(DecodersConfig(workers=1, max_pixels=1_000_000)) as decoders:
        before = workers()
        with pytest.raises(TooLarge):
            await decoders.convert(Image(), png_bomb(2000))
        assert (await decoders.convert(Image(), SMALL)).width == 320
        assert workers() == before


async def test_a_file_that_takes_too_much_memory_takes_only_its_worker() -> None:
    async with running(DecodersConfig(workers=2, memory_mb=160)) as decoders:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(neighbour, decoders)
            await until(lambda: decoders.stats.busy == 1)
            with pytest.raises(DecoderFailed, match="more than 160 MB of memory"):
                await decoders.convert(Image(), png_bomb(6000))
            assert (await decoders.convert(Image(), SMALL)).width == 320
        await until(lambda: decoders.stats.restarts == 1)
        assert decoders.stats.failures == 1


async def test_a_file_that_takes_too_long_takes_only_its_worker() -> None:
    async with running(DecodersConfig(workers=2, timeout=1.0)) as decoders:
        with pytest.raises(DecoderFailed, match="longer than 1 s"):
            await decoders.convert(Voice(), ENDLESS)
        assert (await decoders.convert(Image(), SMALL)).width == 320
        await until(lambda: decoders.stats.restarts == 1)


async def neighbour(decoders: Decoders) -> None:
    assert (await decoders.convert(Voice(), LONG)).seconds == 100


async def test_a_killed_worker_takes_only_its_own_file() -> None:
    async with running(DecodersConfig(workers=2)) as decoders:
        (victim,) = workers()
        failed = trio.Event()

        async def doomed() -> None:
            with pytest.raises(DecoderFailed, match="SIGKILL"):
                await decoders.convert(Voice(), ENDLESS)
            failed.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(doomed)
            await until(lambda: decoders.stats.busy == 1)
            nursery.start_soon(neighbour, decoders)
            await until(lambda: decoders.stats.busy == 2)
            os.kill(victim, signal.SIGKILL)
            await failed.wait()
            assert (await decoders.convert(Image(), SMALL)).width == 320
        assert victim not in workers()
        assert (decoders.stats.failures, decoders.stats.restarts) == (1, 1)


async def test_a_worker_that_dies_with_nothing_in_hand_costs_no_file() -> None:
    async with running(DecodersConfig(workers=1)) as decoders:
        (victim,) = workers()
        os.kill(victim, signal.SIGKILL)
        await until(lambda: decoders.stats.workers == 0)
        assert (await decoders.convert(Image(), SMALL)).width == 320
        (victim,) = workers()
        os.kill(victim, signal.SIGKILL)
        await until(lambda: decoders.stats.restarts == 2)
        await until(lambda: len(workers()) == 1)  # one is kept warm, with nothing to do
        assert decoders.stats.failures == 0


async def test_more_files_than_may_wait_are_turned_away() -> None:
    async with running(DecodersConfig(workers=1, queue=1)) as decoders:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(neighbour, decoders)
            await until(lambda: decoders.stats.busy == 1)
            nursery.start_soon(decoders.convert, Image(), SMALL)
            await until(lambda: decoders.stats.waiting == 1)
            with pytest.raises(Busy) as caught:
                await decoders.convert(Image(), SMALL)
            assert caught.value.retry_after >= 1
        assert (decoders.stats.turned_away, decoders.stats.jobs) == (1, 2)


async def test_workers_are_started_on_demand_and_no_more_than_allowed() -> None:
    async with running(DecodersConfig(workers=2)) as decoders:
        assert len(workers()) == 1
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(decoders.convert, Image(), SMALL)
            await until(lambda: decoders.stats.jobs == 12)
            assert len(workers()) <= 2
        assert len(workers()) <= 2
        assert decoders.stats.restarts == 0


async def test_a_worker_is_replaced_after_its_share_of_files() -> None:
    async with running(DecodersConfig(workers=1, max_jobs=2)) as decoders:
        seen = set()
        for _ in range(6):
            await decoders.convert(Image(), SMALL)
            seen |= workers()
        assert len(seen) >= 3
        assert decoders.stats.restarts == 0


async def test_who_gives_up_ends_the_work_on_his_file() -> None:
    async with running(DecodersConfig(workers=1)) as decoders:
        (before,) = workers()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(decoders.convert, Voice(), ENDLESS)
            await until(lambda: decoders.stats.busy == 1)
            nursery.cancel_scope.cancel()
        assert (await decoders.convert(Image(), SMALL)).width == 320
        assert before not in workers()
        assert (decoders.stats.failures, decoders.stats.restarts) == (0, 0)


async def test_files_in_hand_fail_when_the_decoders_stop_and_new_ones_are_busy() -> None:
    decoders = Decoders(DecodersConfig(workers=1))
    async with trio.open_nursery() as nursery:

        async def doomed() -> None:
            with pytest.raises(DecoderFailed):
                await decoders.convert(Voice(), ENDLESS)

        async with trio.open_nursery() as life:
            await life.start(decoders.run)
            nursery.start_soon(doomed)
            await until(lambda: decoders.stats.busy == 1)
            life.cancel_scope.cancel()
        with pytest.raises(Busy):
            await decoders.convert(Image(), SMALL)
    async with trio.open_nursery() as life:  # as a supervisor does
        await life.start(decoders.run)
        assert (await decoders.convert(Image(), SMALL)).width == 320
        life.cancel_scope.cancel()


GATEWAY = """
import trio
from actors.decoding import Decoders, DecodersConfig, Voice
from tests.actors.decoding.test_pool import ENDLESS
async def main():
    async with trio.open_nursery() as nursery:
        decoders = Decoders(DecodersConfig(workers=2))
        await nursery.start(decoders.run)
        nursery.start_soon(decoders.convert, Voice(), ENDLESS)
        nursery.start_soon(decoders.convert, Voice(), ENDLESS)
        while decoders.stats.busy < 2 or decoders.stats.workers < 2:
            await trio.sleep(0.01)
        print("working", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


def test_workers_end_with_the_gateway_whatever_ends_it() -> None:
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY], stdout=subprocess.PIPE)
    assert gateway.stdout is not None
    with gateway.stdout:
        assert gateway.stdout.readline() == b"working\n"
        theirs = workers(gateway.pid)
        assert len(theirs) == 2
        gateway.kill()
        gateway.wait()
    deadline = time.monotonic() + 1
    while any(Path(f"/proc/{pid}/cmdline").exists() and alive(pid) for pid in theirs):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
