"""Operations on children while the supervisor runs, and when it does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    ChildType,
    Exit,
    InvalidSpec,
    NotAnActor,
    NotRunning,
    Restart,
    StartFailed,
    State,
    Strategy,
    Supervisor,
)
from tests.runtime.stage import BOOM, Stage, running, states


class Echo(Actor):
    async def handle(self, message: object) -> object:
        return message


async def test_terminate_restart_delete() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")])
    async with running(supervisor):
        for operation in (supervisor.delete_child, supervisor.restart_child):
            with pytest.raises(ChildRunning):
                await operation("a")
        await supervisor.terminate_child("a")
        await supervisor.terminate_child("a")
        assert states(supervisor) == {"a": State.STOPPED, "b": State.RUNNING}
        assert await supervisor.restart_child("a") == "a 2"
        await supervisor.terminate_child("a")
        await supervisor.delete_child("a")
        assert states(supervisor) == {"b": State.RUNNING}
        for operation in (supervisor.delete_child, supervisor.restart_child, supervisor.terminate_child):
            with pytest.raises(ChildNotFound):
                await operation("a")
        with pytest.raises(ChildNotFound):
            supervisor.get_childspec("a")


async def test_a_child_stopped_by_hand_stays_so_whatever_its_restart_type() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(restart.value, restart=restart) for restart in Restart])
    async with running(supervisor):
        for restart in Restart:
            await supervisor.terminate_child(restart.value)
        assert states(supervisor) == {"permanent": State.STOPPED, "transient": State.STOPPED}


async def test_a_child_keeps_its_place_in_the_start_order() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abc"])
    async with running(supervisor):
        await supervisor.terminate_child("b")
        await supervisor.restart_child("b")
        await supervisor.start_child(stage.spec("d"))
        stage.told()
        await supervisor.stop()
        assert stage.told() == "-d -c -b -a"


async def test_a_failed_restart_leaves_the_spec_stopped() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        stage.next_starts["a"] = [BOOM]
        with pytest.raises(StartFailed) as caught:
            await supervisor.restart_child("a")
        assert caught.value.__cause__ is BOOM
        assert states(supervisor) == {"a": State.STOPPED}
        assert await supervisor.restart_child("a") == "a 2"


async def test_a_cancelled_restart_leaves_the_spec_stopped(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        stage.next_starts["a"] = ["hang"]
        with trio.move_on_after(1) as scope:
            await supervisor.restart_child("a")
        assert scope.cancelled_caught
        assert states(supervisor) == {"a": State.STOPPED}


async def test_an_ignored_restart_returns_none() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        stage.next_starts["a"] = ["ignore"]
        assert await supervisor.restart_child("a") is None
        assert states(supervisor) == {"a": State.IGNORED}


async def test_a_terminate_goes_on_when_its_caller_is_cancelled(autojump_clock: MockClock) -> None:
    class Slow(Actor):
        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await trio.sleep(3)

    supervisor = Supervisor([ChildSpec("a", Slow)])
    async with running(supervisor):
        with trio.move_on_after(1):
            await supervisor.terminate_child("a")
        assert trio.current_time() == 1
        assert states(supervisor) == {"a": State.STOPPING}
        await trio.sleep(2.5)
        assert states(supervisor) == {"a": State.STOPPED}


async def test_a_caller_cancelled_beforehand_changes_nothing() -> None:
    stage = Stage()
    supervisor = Supervisor()
    async with running(supervisor):
        with trio.CancelScope() as scope:
            scope.cancel()
            await supervisor.start_child(stage.spec("a"))
        assert scope.cancelled_caught
        await wait_all_tasks_blocked()
        assert states(supervisor) == {}
        assert stage.told() == ""


async def test_start_child_refuses_what_is_no_spec() -> None:
    supervisor = Supervisor()
    async with running(supervisor):
        with pytest.raises(InvalidSpec) as caught:
            await supervisor.start_child("a")  # type: ignore[arg-type]
        assert (caught.value.field, caught.value.value) == ("spec", "a")


async def test_every_operation_needs_a_running_supervisor() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])

    async def all_refused() -> None:
        operations: list[Callable[[], Awaitable[object]]] = [
            supervisor.stop,
            lambda: supervisor.start_child(stage.spec("b")),
            *(
                lambda operation=operation, id_=id_: operation(id_)
                for id_ in ("a", "unknown")
                for operation in (
                    supervisor.terminate_child,
                    supervisor.restart_child,
                    supervisor.delete_child,
                    supervisor.kill_child,
                    supervisor.suspend_child,
                    supervisor.resume_child,
                )
            ),
        ]
        for operation in operations:
            with pytest.raises(NotRunning):
                await operation()

    await all_refused()
    async with running(supervisor):
        pass
    await all_refused()
    assert states(supervisor) == {"a": State.STOPPED}


async def test_an_operation_whose_supervisor_stops_meanwhile_is_not_running() -> None:
    stage = Stage()
    stage.next_starts["a"] = ["hang"]
    supervisor = Supervisor()
    refused = trio.Event()

    async def start() -> None:
        with pytest.raises(NotRunning):
            await supervisor.start_child(stage.spec("a"))
        refused.set()

    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        await supervisor.stop()
        await refused.wait()
    assert states(supervisor) == {}


async def test_one_for_one_operations_on_different_children_do_not_wait_for_each_other() -> None:
    stage = Stage()
    stage.next_starts["slow"] = ["hang"]
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.start_child, stage.spec("slow"))
        await wait_all_tasks_blocked()
        await supervisor.terminate_child("a")
        assert await supervisor.restart_child("a") == "a 2"
        assert states(supervisor) == {"a": State.RUNNING, "slow": State.STARTING}
        nursery.cancel_scope.cancel()


async def test_a_child_that_dies_while_another_starts_is_recovered_afterwards() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")], strategy=Strategy.ONE_FOR_ALL)
    go = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await go.wait()
        stage.journal.append("+slow")
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            stage.journal.append("-slow")

    async with running(supervisor), trio.open_nursery() as nursery:
        stage.told()
        nursery.start_soon(supervisor.start_child, ChildSpec("slow", slow))
        await wait_all_tasks_blocked()
        await stage.end("a", BOOM)
        assert stage.told() == "-a"
        assert states(supervisor)["a"] is State.RESTARTING
        go.set()
        await wait_all_tasks_blocked()
        assert stage.told() == "+slow -slow -b +a +b +slow"


@pytest.mark.parametrize("operation", ["terminate_child", "restart_child", "delete_child"])
async def test_an_operation_that_comes_before_the_recovery_of_a_dead_child_replaces_it(
    operation: str,
) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")], strategy=Strategy.ONE_FOR_ALL, intensity=0)
    go = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await go.wait()
        task_status.started()
        await trio.sleep_forever()

    async with running(supervisor) as performance, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.start_child, ChildSpec("slow", slow))
        await wait_all_tasks_blocked()
        nursery.start_soon(getattr(supervisor, operation), "a")
        await wait_all_tasks_blocked()
        stage.told()
        await stage.end("a", BOOM)
        go.set()
        await wait_all_tasks_blocked()
        assert performance.error is None
        assert stage.told() == ("-a +a" if operation == "restart_child" else "-a")
        expected = {"a": State.RUNNING if operation == "restart_child" else State.STOPPED}
        if operation == "delete_child":
            expected = {}
        assert states(supervisor) == {**expected, "b": State.RUNNING, "slow": State.RUNNING}


async def test_kill_needs_a_child_that_runs() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        with pytest.raises(NotRunning):
            await supervisor.kill_child("a")
        with pytest.raises(ChildNotFound):
            await supervisor.kill_child("b")


async def test_suspension_takes_no_user_message_and_a_restart_lifts_it() -> None:
    handled: list[object] = []

    class Keeper(Actor):
        async def handle(self, message: object) -> object:
            handled.append(message)
            return message

    stage = Stage()
    supervisor = Supervisor([ChildSpec("a", Keeper), stage.spec("plain")])
    ref = supervisor.ref("a")
    async with running(supervisor):
        await supervisor.suspend_child("a")
        await supervisor.suspend_child("a")
        assert states(supervisor)["a"] is State.SUSPENDED
        assert supervisor.count_children().active == 2
        await ref.cast(1)
        await wait_all_tasks_blocked()
        assert handled == []
        await supervisor.resume_child("a")
        assert states(supervisor)["a"] is State.RUNNING
        await wait_all_tasks_blocked()
        assert handled == [1]
        await supervisor.suspend_child("a")
        await ref.cast(2)
        await supervisor.kill_child("a")
        await wait_all_tasks_blocked()
        assert handled == [1, 2]
        await supervisor.suspend_child("a")
        await supervisor.terminate_child("a")
        assert states(supervisor)["a"] is State.STOPPED
        with pytest.raises(NotRunning):
            await supervisor.resume_child("a")
        with pytest.raises(NotAnActor):
            await supervisor.suspend_child("plain")


async def test_steering_by_path_walks_nested_supervisors() -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("a"), ChildSpec("echo", Echo)], id="inner")
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with running(outer):
        found = outer.which_child("inner").value
        assert isinstance(found, Supervisor)
        await found.terminate_child("a")
        assert states(inner)["a"] is State.STOPPED
        assert found.which_child("echo").value is inner.ref("echo")
        with pytest.raises(NotAnActor):
            inner.ref("a")
        with pytest.raises(ChildNotFound):
            inner.ref("b")
        counts = outer.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (1, 1, 1, 0)
