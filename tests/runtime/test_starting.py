"""Children start in order, each awaited until ready; a start that fails leaves nothing running."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    ActorDied,
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildSpec,
    ChildType,
    NotRunning,
    Restart,
    StartFailed,
    State,
    Strategy,
    Supervisor,
)
from tests.runtime.stage import BOOM, Stage, running, states


async def test_children_start_in_order_and_stop_in_reverse() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b"), stage.spec("c")])
    async with running(supervisor) as performance:
        assert stage.told() == "+a +b +c"
        assert [child.id for child in supervisor.which_children()] == ["a", "b", "c"]
        await supervisor.stop()
        assert stage.told() == "-c -b -a"
    assert performance.exit is not None
    assert performance.exit.kind == "shutdown"


async def test_each_child_waits_until_the_one_before_is_ready() -> None:
    stage = Stage()
    ready = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await ready.wait()
        task_status.started()
        await trio.sleep_forever()

    supervisor = Supervisor([ChildSpec("slow", slow), stage.spec("b")])
    async with running(supervisor):
        assert states(supervisor) == {"slow": State.STARTING, "b": State.STARTING}
        assert stage.told() == ""
        ready.set()
        await wait_all_tasks_blocked()
        assert states(supervisor) == {"slow": State.RUNNING, "b": State.RUNNING}


async def test_a_failing_start_stops_the_others_in_reverse_and_comes_out_bare() -> None:
    stage = Stage()
    stage.next_starts["c"] = [BOOM]
    supervisor = Supervisor([stage.spec("a"), stage.spec("b"), stage.spec("c"), stage.spec("d")])
    with pytest.raises(StartFailed, match="c failed to start") as caught:
        await supervisor.run()
    assert caught.value.id == "c"
    assert caught.value.__cause__ is BOOM
    assert stage.told() == "+a +b !c -b -a"
    assert set(states(supervisor).values()) == {State.STOPPED}


async def test_an_actor_whose_constructor_fails_has_failed_to_start() -> None:
    class Broken(Actor):
        def __init__(self) -> None:
            raise BOOM

    with pytest.raises(StartFailed) as caught:
        await Supervisor([ChildSpec("a", Broken)]).run()
    assert caught.value.__cause__ is BOOM


async def test_an_actor_whose_nursery_fails_before_it_is_ready_has_failed_to_start() -> None:
    class Broken(Actor):
        async def on_start(self) -> None:
            self.nursery.start_soon(self.fail)
            await trio.sleep_forever()

        async def fail(self) -> None:
            raise BOOM

    with pytest.raises(StartFailed) as caught:
        await Supervisor([ChildSpec("a", Broken)]).run()
    assert caught.value.__cause__ is BOOM


async def test_a_start_has_its_timeout(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.next_starts["b"] = ["hang"]
    supervisor = Supervisor([stage.spec("a"), stage.spec("b", start_timeout=7.0)])
    with pytest.raises(StartFailed) as caught:
        await supervisor.run()
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert trio.current_time() == 7.0
    assert stage.told() == "+a -a"


async def test_a_child_that_returns_before_it_is_ready_is_ignored() -> None:
    stage = Stage()
    stage.next_starts["a"] = ["ignore"]
    stage.next_starts["t"] = ["ignore"]
    supervisor = Supervisor([stage.spec("a"), stage.spec("t", restart=Restart.TEMPORARY), stage.spec("b")])
    async with running(supervisor):
        assert states(supervisor) == {"a": State.IGNORED, "b": State.RUNNING}
        counts = supervisor.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (2, 1, 0, 2)
        assert await supervisor.restart_child("a") == "a 1"


async def test_start_child_returns_the_value_or_none_when_ignored() -> None:
    stage = Stage()
    supervisor = Supervisor()
    async with running(supervisor):
        assert await supervisor.start_child(stage.spec("a")) == "a 1"
        stage.next_starts["b"] = ["ignore"]
        assert await supervisor.start_child(stage.spec("b")) is None
        stage.next_starts["t"] = ["ignore"]
        assert await supervisor.start_child(stage.spec("t", restart=Restart.TEMPORARY)) is None
        assert states(supervisor) == {"a": State.RUNNING, "b": State.IGNORED}
        with pytest.raises(AlreadyStarted):
            await supervisor.start_child(stage.spec("a"))
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.spec("b"))


async def test_a_failed_start_child_leaves_no_entry_and_the_supervisor_up() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        stage.next_starts["b"] = [BOOM]
        with pytest.raises(StartFailed) as caught:
            await supervisor.start_child(stage.spec("b"))
        assert caught.value.__cause__ is BOOM
        assert states(supervisor) == {"a": State.RUNNING}
        assert await supervisor.start_child(stage.spec("b")) == "b 1"


async def test_a_cancelled_start_child_is_undone_when_the_caller_goes_on(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor()
    cleaned = trio.Event()

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            cleaned.set()

    async with running(supervisor):
        with trio.move_on_after(1.0):
            await supervisor.start_child(ChildSpec("slow", slow))
        assert cleaned.is_set()
        assert trio.current_time() == 1.5
        with pytest.raises(ChildNotFound):
            supervisor.which_child("slow")
        assert await supervisor.start_child(stage.spec("slow")) == "slow 1"


async def test_a_caller_cancelled_in_the_step_the_child_is_ready_leaves_no_child() -> None:
    supervisor = Supervisor()
    over = trio.Event()

    async with running(supervisor), trio.open_nursery() as nursery:

        async def child(*, task_status: trio.TaskStatus[None]) -> None:
            await trio.lowlevel.checkpoint()
            task_status.started()
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                over.set()

        scope = trio.CancelScope()

        async def caller() -> None:
            with scope:
                await supervisor.start_child(ChildSpec("a", child))

        nursery.start_soon(caller)
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert over.is_set()
        assert states(supervisor) == {}


async def test_a_child_ready_and_dead_in_the_same_step_is_restarted() -> None:
    lives = []

    async def child(*, task_status: trio.TaskStatus[int]) -> None:
        lives.append(1)
        task_status.started(len(lives))
        if len(lives) < 3:
            raise BOOM
        await trio.sleep_forever()

    for strategy in Strategy:
        lives.clear()
        supervisor = Supervisor([ChildSpec("a", child)], intensity=5, strategy=strategy)
        async with running(supervisor):
            assert len(lives) == 3
            assert supervisor.which_child("a").restarts == 2
            assert supervisor.which_child("a").state is State.RUNNING


async def test_a_temporary_child_ready_and_dead_in_the_same_step_still_has_its_value() -> None:
    async def child(*, task_status: trio.TaskStatus[str]) -> None:
        task_status.started("value")

    supervisor = Supervisor()
    async with running(supervisor):
        assert await supervisor.start_child(ChildSpec("a", child, restart=Restart.TEMPORARY)) == "value"
        assert states(supervisor) == {}


async def test_cancelling_during_the_start_stops_what_started_in_reverse() -> None:
    stage = Stage()
    stage.next_starts["c"] = ["hang"]
    supervisor = Supervisor([stage.spec("a"), stage.spec("b"), stage.spec("c")])
    async with running(supervisor) as performance:
        performance.scope.cancel()
        await performance.over.wait()
    assert stage.told() == "+a +b -b -a"
    assert performance.scope.cancelled_caught
    assert set(states(supervisor).values()) == {State.STOPPED}


async def test_stopping_during_the_start_ends_the_start() -> None:
    stage = Stage()
    stage.next_starts["b"] = ["hang"]
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")])
    async with running(supervisor) as performance:
        await supervisor.stop()
        assert stage.told() == "+a -a"
        await performance.over.wait()
    assert performance.error is None


async def test_a_child_may_start_its_siblings_while_the_supervisor_starts() -> None:
    stage = Stage()

    class Elder(Actor):
        async def on_start(self) -> None:
            await self.supervisor.start_child(stage.spec("younger"))

    supervisor = Supervisor([ChildSpec("elder", Elder)])
    async with running(supervisor):
        assert states(supervisor) == {"elder": State.RUNNING, "younger": State.RUNNING}


async def test_a_child_stopped_by_hand_before_its_turn_is_not_started() -> None:
    stage = Stage()

    class Elder(Actor):
        async def on_start(self) -> None:
            await self.supervisor.terminate_child("b")

    supervisor = Supervisor([ChildSpec("elder", Elder), stage.spec("b"), stage.spec("c")])
    async with running(supervisor):
        assert states(supervisor) == {"elder": State.RUNNING, "b": State.STOPPED, "c": State.RUNNING}


async def test_a_child_killed_while_it_starts_has_failed_to_start() -> None:
    stage = Stage()
    stage.next_starts["a"] = ["hang"]
    supervisor = Supervisor()
    failures: list[StartFailed] = []

    async def start() -> None:
        try:
            await supervisor.start_child(stage.spec("a"))
        except StartFailed as error:
            failures.append(error)

    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        await supervisor.kill_child("a")
    assert isinstance(failures[0].__cause__, ActorDied)


async def test_run_again_brings_static_children_back_but_not_later_ones() -> None:
    stage = Stage()

    class Echo(Actor):
        async def handle(self, message: object) -> object:
            return message

    supervisor = Supervisor([stage.spec("a"), ChildSpec("echo", Echo)])
    ref = supervisor.ref("echo")
    async with running(supervisor):
        with pytest.raises(AlreadyStarted):
            await supervisor.run()
        await supervisor.start_child(stage.spec("later"))
        await supervisor.terminate_child("a")
        await supervisor.delete_child("a")
        assert await ref.call(1) == 1
    with pytest.raises(NotRunning):
        await supervisor.start_child(stage.spec("x"))
    async with running(supervisor):
        assert states(supervisor) == {"a": State.RUNNING, "echo": State.RUNNING}
        assert await ref.call(2) == 2


async def test_run_is_ready_with_itself_when_its_children_are() -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("a")], id="inner")
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with trio.open_nursery() as nursery:
        assert await nursery.start(outer.run) is outer
        assert outer.which_child("inner").value is inner
        await outer.stop()


async def test_a_nested_supervisor_that_cannot_start_fails_the_outer_start() -> None:
    stage = Stage()
    stage.next_starts["a"] = [BOOM]
    inner = Supervisor([stage.spec("a")])
    with pytest.raises(StartFailed) as caught:
        await Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)]).run()
    assert caught.value.id == "inner"
    assert isinstance(caught.value.__cause__, StartFailed)
    assert caught.value.__cause__.__cause__ is BOOM
