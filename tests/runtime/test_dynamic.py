"""Dynamic supervisors: empty at first, forgetful, parallel, and near linear in the number of children."""

from __future__ import annotations

import time
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    ActorGone,
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildNotFound,
    ChildSpec,
    ChildType,
    DynamicSupervisor,
    Exit,
    InvalidSpec,
    NotRunning,
    OnExhausted,
    Ref,
    Restart,
    RestartIntensityExceeded,
    StartFailed,
    State,
    Supervisor,
    TooManyChildren,
)
from tests.runtime.stage import BOOM, Stage, running, states

FEW = Backoff(1.0, 60.0, jitter=0.0, max_failures=0, on_exhausted=OnExhausted.GIVE_UP)


class Greeter(Actor):
    def __init__(self, greeting: str, *, mark: str = "") -> None:
        self.greeting = greeting
        self.mark = mark

    async def handle(self, message: str) -> str:
        if message == "die":
            raise BOOM
        return f"{self.greeting} {message}{self.mark}"


@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("word", [None, BOOM], ids=str)
async def test_a_child_that_ended_is_forgotten(restart: Restart, word: BaseException | None) -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        await supervisor.start_child(stage.spec("a", restart=restart))
        await stage.end("a", word)
        again = restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and word is not None)
        assert states(supervisor) == ({"a": State.RUNNING} if again else {})


async def test_an_ignored_or_terminated_child_is_forgotten() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        stage.next_starts["a"] = ["ignore"]
        assert await supervisor.start_child(stage.spec("a")) is None
        assert await supervisor.start_child(stage.spec("b")) == "b 1"
        with pytest.raises(AlreadyStarted):
            await supervisor.start_child(stage.spec("b"))
        await supervisor.terminate_child("b")
        with pytest.raises(ChildNotFound):
            await supervisor.terminate_child("b")
        assert states(supervisor) == {}


async def test_a_child_that_is_to_be_kept_stays_stopped_and_its_ref_comes_back_with_it() -> None:
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        ref = await supervisor.start_child(ChildSpec("a", partial(Greeter, "hello")))
        assert isinstance(ref, Ref)
        await supervisor.terminate_child("a", keep=True)
        assert states(supervisor) == {"a": State.STOPPED}
        with pytest.raises(ActorGone):
            await ref.call("anybody?")
        assert await supervisor.restart_child("a") is ref
        assert await ref.call("again") == "hello again"
        await supervisor.terminate_child("a", keep=True)
        await supervisor.terminate_child("a")
        assert states(supervisor) == {}


async def test_a_temporary_child_is_never_kept() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        await supervisor.start_child(stage.spec("a", restart=Restart.TEMPORARY))
        await supervisor.terminate_child("a", keep=True)
        assert states(supervisor) == {}


async def test_a_failed_child_stays_until_it_is_restarted_or_forgotten() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor(intensity=0)
    async with running(supervisor):
        for id_ in "abc":
            await supervisor.start_child(stage.spec(id_, backoff=FEW))
            await stage.end(id_, BOOM)
        assert set(states(supervisor).values()) == {State.FAILED}
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.spec("a"))
        stage.next_starts["a"] = [BOOM]
        with pytest.raises(StartFailed):
            await supervisor.restart_child("a")
        assert states(supervisor)["a"] is State.FAILED
        assert await supervisor.restart_child("a") == "a 2"
        await supervisor.terminate_child("b")
        await supervisor.delete_child("c")
        assert states(supervisor) == {"a": State.RUNNING}


async def test_a_template_is_started_with_arguments() -> None:
    supervisor = DynamicSupervisor(template=ChildSpec("greeter", Greeter, restart=Restart.TRANSIENT))
    async with running(supervisor):
        await supervisor.start_child("hi", "hi")
        await supervisor.start_child("ho", "ho", mark="!")
        assert await supervisor.ref("hi").call("you") == "hi you"
        assert await supervisor.ref("ho").call("you") == "ho you!"
        await supervisor.ref("ho").cast("die")
        assert await supervisor.ref("ho").call("again") == "ho again!"
        assert supervisor.get_childspec("ho").restart is Restart.TRANSIENT
        with pytest.raises(StartFailed) as caught:
            await supervisor.start_child("he")
        assert isinstance(caught.value.__cause__, TypeError)


async def test_without_a_template_an_id_is_no_spec() -> None:
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        with pytest.raises(InvalidSpec, match="spec"):
            await supervisor.start_child("a")
        stage = Stage()
        with pytest.raises(InvalidSpec, match="significant"):
            await supervisor.start_child(stage.spec("a", restart=Restart.TEMPORARY, significant=True))


async def test_max_children_counts_running_starting_restarting_and_failed_ones(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    supervisor = DynamicSupervisor(max_children=3)
    async with running(supervisor), trio.open_nursery() as nursery:
        await supervisor.start_child(stage.spec("failed", backoff=FEW))
        await stage.end("failed", BOOM)
        await supervisor.start_child(stage.spec("waiting", backoff=Backoff(9.0, 9.0)))
        await stage.end("waiting", BOOM)
        stage.next_starts["starting"] = ["hang"]
        nursery.start_soon(supervisor.start_child, stage.spec("starting"))
        await wait_all_tasks_blocked()
        with pytest.raises(TooManyChildren) as caught:
            await supervisor.start_child(stage.spec("d"))
        assert caught.value.max_children == 3
        nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
    none = DynamicSupervisor(max_children=0)
    async with running(none):
        with pytest.raises(TooManyChildren):
            await none.start_child(stage.spec("a"))


async def test_operations_on_different_ids_never_wait_for_each_other() -> None:
    stage = Stage()
    stage.next_starts["slow"] = ["hang"]
    supervisor = DynamicSupervisor()
    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.start_child, stage.spec("slow"))
        await wait_all_tasks_blocked()
        assert await supervisor.start_child(stage.spec("quick")) == "quick 1"
        await supervisor.terminate_child("quick")
        nursery.cancel_scope.cancel()


async def test_all_children_are_stopped_at_once(autojump_clock: MockClock) -> None:
    class Slow(Actor):
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await trio.sleep(self.seconds)
            ended.append(self.seconds)

    ended: list[float] = []
    supervisor = DynamicSupervisor(template=ChildSpec("slow", Slow, shutdown=5.0))
    async with running(supervisor):
        for seconds in (1.0, 4.0, 2.0, 99.0, 98.0):
            await supervisor.start_child(f"{seconds}", seconds)
        await supervisor.stop()
    assert trio.current_time() == 5.0
    assert ended == [1.0, 2.0, 4.0]


async def test_intensity_is_one_for_all_children() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor(intensity=2)
    async with running(supervisor) as performance:
        for id_ in "abc":
            await supervisor.start_child(stage.spec(id_))
        for id_ in "abc":
            assert not performance.over.is_set()
            await stage.end(id_, BOOM)
    assert isinstance(performance.error, RestartIntensityExceeded)
    assert performance.error.id == "c"


async def test_a_restart_that_is_ignored_forgets_the_child() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    async with running(supervisor):
        await supervisor.start_child(stage.spec("a"))
        stage.next_starts["a"] = ["ignore"]
        await stage.end("a", BOOM)
        assert states(supervisor) == {}


async def test_dynamic_children_do_not_come_back_with_their_supervisor() -> None:
    stage = Stage()
    inner = DynamicSupervisor(intensity=0)
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with running(outer):
        await inner.start_child(stage.spec("a"))
        await inner.start_child(stage.spec("b"))
        await stage.end("a", BOOM)
        assert states(outer) == {"inner": State.RUNNING}
        assert states(inner) == {}
        await inner.start_child(stage.spec("a"))
    with pytest.raises(NotRunning):
        await inner.terminate_child("a")


async def test_two_starts_of_one_id_in_the_same_step_start_one_child() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    refused = []

    async def start() -> None:
        try:
            await supervisor.start_child(stage.spec("a"))
        except AlreadyStarted:
            refused.append(1)

    async with running(supervisor):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(start)
        assert len(refused) == 2
        assert stage.lives["a"] == 1


async def test_the_loop_has_its_turns_while_many_children_stop() -> None:
    stage = Stage()
    supervisor = DynamicSupervisor()
    ended_by_turn: list[int] = []

    async def look() -> None:
        while True:
            ended_by_turn.append(stage.told().count("-"))
            await trio.lowlevel.checkpoint()

    async with running(supervisor), trio.open_nursery() as nursery:
        for number in range(300):
            await supervisor.start_child(stage.spec(f"{number}"))
        nursery.start_soon(look)
        await supervisor.stop()
        nursery.cancel_scope.cancel()
    assert sum(ended_by_turn) == 300
    assert max(ended_by_turn) < 50


async def test_many_children_start_and_stop_in_near_linear_time() -> None:
    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def seconds_for(number: int) -> float:
        supervisor = DynamicSupervisor()
        async with running(supervisor):
            begun = time.process_time()
            for index in range(number):
                await supervisor.start_child(ChildSpec(f"{index}", child, restart=Restart.TEMPORARY))
            assert supervisor.count_children().active == number
            await supervisor.stop()
            return time.process_time() - begun

    await seconds_for(100)
    small, large = await seconds_for(500), await seconds_for(4000)
    assert large < 8 * small * 3  # quadratic would be 64 times
