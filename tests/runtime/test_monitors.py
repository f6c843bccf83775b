"""Monitors: exactly one Down, at the final end and not at a restart."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    Backoff,
    ChildSpec,
    Down,
    DynamicSupervisor,
    Exit,
    Monitor,
    OnExhausted,
    Ref,
    Restart,
    Supervisor,
)
from tests.runtime.stage import BOOM, running


class Target(Actor):
    async def handle(self, message: Any) -> None:
        match message:
            case Exit():
                self.stop(message)
            case Exception():
                raise message


class Watcher(Actor):
    """Keeps the Downs it gets; monitors the refs it is sent."""

    def __init__(self) -> None:
        self.monitors: list[Monitor] = []

    async def handle(self, message: Any) -> Any:
        match message:
            case Ref():
                self.monitors.append(self.monitor(message))
                return self.monitors[-1]
            case Down():
                downs.append(message)
            case Exception():
                raise message
        return None


downs: list[Down] = []


@pytest.fixture(autouse=True)
def no_downs() -> None:
    downs.clear()


def target(restart: Restart = Restart.TRANSIENT, **flags: Any) -> ChildSpec:
    return ChildSpec("t", Target, restart=restart, **flags)


class Probe:
    """Whether a monitor has fired, seen without waiting."""

    def __init__(self, monitor: Monitor, nursery: trio.Nursery) -> None:
        self.downs: list[Down] = []
        self.monitor = monitor
        nursery.start_soon(self.wait)

    async def wait(self) -> None:
        self.downs.append(await self.monitor.wait())


@pytest.mark.parametrize("exit_", [Exit.normal, Exit.shutdown])
async def test_down_comes_with_the_exit(exit_: Exit) -> None:
    supervisor = Supervisor([target()])
    async with running(supervisor):
        monitor = supervisor.ref("t").monitor()
        await supervisor.ref("t").cast(exit_)
        assert await monitor.wait() == Down("t", exit_)
        assert await monitor.wait() == Down("t", exit_)
        assert await supervisor.ref("t").monitor().wait() == Down("t", exit_)  # gone already: at once


async def test_a_restart_is_no_down_but_the_final_end_is(autojump_clock: MockClock) -> None:
    backoff = Backoff(1.0, 9.0, max_failures=1, on_exhausted=OnExhausted.GIVE_UP)
    supervisor = Supervisor([target(backoff=backoff)])
    async with running(supervisor), trio.open_nursery() as nursery:
        probe = Probe(supervisor.ref("t").monitor(), nursery)
        await supervisor.ref("t").cast(BOOM)
        await trio.sleep(5)
        assert probe.downs == []
        await supervisor.ref("t").cast(BOOM)
        await trio.sleep(5)
        assert probe.downs == [Down("t", Exit.error(BOOM))]


@pytest.mark.parametrize("end", ["terminate", "delete", "stop", "give up the supervisor"])
async def test_every_final_end_is_a_down(end: str) -> None:
    supervisor = Supervisor([target(Restart.PERMANENT)], intensity=0)
    async with running(supervisor) as performance:
        monitor = supervisor.ref("t").monitor()
        match end:
            case "terminate" | "delete":
                await supervisor.terminate_child("t")
                if end == "delete":
                    await supervisor.delete_child("t")
            case "stop":
                await supervisor.stop()
            case _:
                await supervisor.ref("t").cast(BOOM)
                await performance.over.wait()
        exit_ = Exit.error(BOOM) if end == "give up the supervisor" else Exit.shutdown
        assert await monitor.wait() == Down("t", exit_)


async def test_a_forgotten_child_of_a_dynamic_supervisor_is_down_for_good() -> None:
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        old = await supervisor.start_child(target(Restart.TEMPORARY))
        assert isinstance(old, Ref)
        monitor = old.monitor()
        await old.cast(Exit.normal)
        assert await monitor.wait() == Down("t", Exit.normal)
        new = await supervisor.start_child(target(Restart.TEMPORARY))
        assert new is not old
        assert (await old.monitor().wait()).id == "t"


async def test_a_cancelled_monitor_stays_silent() -> None:
    supervisor = Supervisor([target(), ChildSpec("w", Watcher)])
    async with running(supervisor), trio.open_nursery() as nursery:
        monitor = supervisor.ref("t").monitor()
        probe = Probe(monitor, nursery)
        inside = await supervisor.ref("w").call(supervisor.ref("t"))
        monitor.cancel()
        inside.cancel()
        inside.cancel()
        await supervisor.terminate_child("t")
        await wait_all_tasks_blocked()
        assert probe.downs == []
        assert downs == []
        nursery.cancel_scope.cancel()


async def test_an_actors_monitor_delivers_to_handle_once_each() -> None:
    supervisor = Supervisor([target(), ChildSpec("w", Watcher)])
    async with running(supervisor):
        watcher, watched = supervisor.ref("w"), supervisor.ref("t")
        await watcher.call(watched)
        await watcher.call(watched)
        await supervisor.terminate_child("t")
        await wait_all_tasks_blocked()
        assert downs == [Down("t", Exit.shutdown)] * 2
        await watcher.call(watched)
        await wait_all_tasks_blocked()
        assert len(downs) == 3  # gone already: at once


async def test_an_actors_monitors_end_with_its_life() -> None:
    supervisor = Supervisor([target(), ChildSpec("w", Watcher)])
    async with running(supervisor):
        await supervisor.ref("w").call(supervisor.ref("t"))
        await supervisor.ref("w").cast(BOOM)
        await wait_all_tasks_blocked()
        await supervisor.terminate_child("t")
        await wait_all_tasks_blocked()
        assert downs == []


async def test_a_monitor_on_an_actor_before_its_first_life_waits_for_its_end() -> None:
    supervisor = Supervisor([target()])
    monitor = supervisor.ref("t").monitor()
    async with running(supervisor):
        await supervisor.terminate_child("t")
        assert await monitor.wait() == Down("t", Exit.shutdown)
