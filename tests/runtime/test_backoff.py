"""Back-off: waits are due times in the state, during which the supervisor answers and the child obeys."""

from __future__ import annotations

import math
import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildNotFound,
    Exit,
    OnExhausted,
    RestartIntensityExceeded,
    State,
    Strategy,
    Supervisor,
)
from tests.runtime.stage import BOOM, Stage, running, states

EVEN = Backoff(1.0, 60.0, jitter=0.0)
"""1, 2, 4, … 60 seconds."""

FEW = Backoff(1.0, 60.0, jitter=0.0, max_failures=2, on_exhausted=OnExhausted.GIVE_UP)


async def test_a_child_waits_for_its_due_time(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=EVEN), stage.spec("b")], intensity=9)
    async with running(supervisor):
        stage.told()
        await stage.end("a", BOOM)
        info = supervisor.which_child("a")
        assert (info.state, info.due, info.last_exit) == (State.BACKING_OFF, 1.0, Exit.error(BOOM))
        counts = supervisor.count_children()
        assert (counts.specs, counts.active, counts.restarting) == (2, 1, 1)
        await trio.sleep(0.999)
        assert stage.told() == "-a"
        await trio.sleep(0.001)
        await wait_all_tasks_blocked()
        assert stage.told() == "+a"
        assert supervisor.which_child("a").due is None


async def test_waits_grow_and_begin_anew_after_a_long_enough_life(autojump_clock: MockClock) -> None:
    stage = Stage()
    backoff = Backoff(1.0, 60.0, jitter=0.0, reset_after=10.0)
    supervisor = Supervisor([stage.spec("a", backoff=backoff)], intensity=99)

    async def wait_after(alive: float) -> float:
        await trio.sleep(alive)
        await stage.end("a", BOOM)
        due = supervisor.which_child("a").due
        assert due is not None
        now = trio.current_time()
        await trio.sleep_until(due)
        await wait_all_tasks_blocked()
        return due - now

    async with running(supervisor):
        assert [await wait_after(alive) for alive in (0, 0, 9, 10, 0)] == [1.0, 2.0, 4.0, 1.0, 2.0]


async def test_without_reset_after_a_life_of_max_seconds_is_long_enough(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=Backoff(1.0, 5.0, jitter=0.0))], intensity=99)
    async with running(supervisor):
        for alive, wait in ((0.0, 1.0), (4.9, 2.0), (5.0, 1.0)):
            await trio.sleep(alive)
            await stage.end("a", BOOM)
            assert supervisor.which_child("a").due == trio.current_time() + wait
            await trio.sleep(wait)
            await wait_all_tasks_blocked()


async def test_jitter_comes_from_the_supervisors_random_numbers(autojump_clock: MockClock) -> None:
    backoff = Backoff(1.0, 60.0, jitter=0.5)
    dues = []
    for _ in range(2):
        stage = Stage()
        supervisor = Supervisor([stage.spec("a", backoff=backoff)], rng=random.Random(3))
        async with running(supervisor):
            now = trio.current_time()
            await stage.end("a", BOOM)
            due = supervisor.which_child("a").due
            assert due is not None
            dues.append(due - now)
    assert dues == [backoff.delay(0, random.Random(3))] * 2


async def test_a_failing_start_backs_off_too(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=EVEN)], intensity=9)
    async with running(supervisor):
        stage.next_starts["a"] = [BOOM, BOOM]
        await stage.end("a", BOOM)
        await trio.sleep(1.5)
        assert (supervisor.which_child("a").due, supervisor.which_child("a").restarts) == (3.0, 1)
        await trio.sleep(2)
        assert supervisor.which_child("a").due == 7.0
        await trio.sleep(4)
        assert states(supervisor) == {"a": State.RUNNING}
        assert stage.told() == "+a -a !a !a +a"


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_a_backing_off_child_can_be_stopped_deleted_or_restarted_at_once(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    stage = Stage()
    specs = [stage.spec(id_, backoff=EVEN) for id_ in "abc"]
    supervisor = Supervisor(specs, strategy=strategy, intensity=9)
    async with running(supervisor):
        for id_ in "abc":
            stage.say(id_, BOOM)
        await wait_all_tasks_blocked()
        assert set(states(supervisor).values()) == {State.BACKING_OFF}
        with pytest.raises(AlreadyStarted):
            await supervisor.start_child(stage.spec("a"))
        await supervisor.terminate_child("a")
        await supervisor.delete_child("b")
        assert await supervisor.restart_child("c") == "c 2"
        assert trio.current_time() == 0.0
        assert states(supervisor) == {"a": State.STOPPED, "c": State.RUNNING}
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.spec("a"))
        await trio.sleep(100)
        assert states(supervisor) == {"a": State.STOPPED, "c": State.RUNNING}
        assert dict(stage.lives) == {"a": 1, "b": 1, "c": 2}


async def test_restart_child_begins_a_new_row_of_failures(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=EVEN)], intensity=9)
    async with running(supervisor):
        await stage.end("a", BOOM)
        await trio.sleep(1.5)
        await stage.end("a", BOOM)
        assert supervisor.which_child("a").due == 3.5
        await supervisor.restart_child("a")
        await stage.end("a", BOOM)
        assert supervisor.which_child("a").due == 2.5


@pytest.mark.parametrize(
    ("strategy", "story"),
    [(Strategy.ONE_FOR_ALL, "-b -c -a"), (Strategy.REST_FOR_ONE, "-b -c")],
)
async def test_siblings_stop_at_once_and_wait_for_one_due_time(
    strategy: Strategy, story: str, autojump_clock: MockClock
) -> None:
    stage = Stage()
    specs = [stage.spec("a"), stage.spec("b", backoff=EVEN), stage.spec("c")]
    supervisor = Supervisor(specs, strategy=strategy)
    async with running(supervisor):
        stage.told()
        await stage.end("b", BOOM)
        assert stage.told() == story
        waiting = [child for child in supervisor.which_children() if child.state is State.BACKING_OFF]
        assert [child.id for child in waiting] == [word[1] for word in sorted(story.split())]
        assert {child.due for child in waiting} == {1.0}
        await supervisor.start_child(stage.spec("d"))
        assert stage.told() == "+d"
        await trio.sleep(1.5)
        assert stage.told() == " ".join(f"+{child.id}" for child in waiting)


async def test_a_siblings_failure_does_not_shorten_a_back_off(autojump_clock: MockClock) -> None:
    stage = Stage()
    specs = [stage.spec("a"), stage.spec("b"), stage.spec("c", backoff=EVEN)]
    supervisor = Supervisor(specs, strategy=Strategy.REST_FOR_ONE, intensity=9)
    async with running(supervisor):
        await stage.end("c", BOOM)
        await stage.end("b", BOOM)
        stage.told()
        assert states(supervisor) == {"a": State.RUNNING, "b": State.BACKING_OFF, "c": State.BACKING_OFF}
        assert supervisor.which_child("b").due == 1.0
        await trio.sleep(1.5)
        assert stage.told() == "+b +c"
        assert supervisor.which_child("b").restarts == 1


async def test_giving_up_leaves_the_child_failed_and_the_tree_up(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=FEW), stage.spec("b")], intensity=0)
    async with running(supervisor) as performance:
        for wait in (1.5, 2.5):
            await stage.end("a", BOOM)
            await trio.sleep(wait)
        assert states(supervisor) == {"a": State.RUNNING, "b": State.RUNNING}
        await stage.end("a", BOOM)
        assert states(supervisor) == {"a": State.FAILED, "b": State.RUNNING}
        assert performance.error is None
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.spec("a"))
        await supervisor.restart_child("a")
        await stage.end("a", BOOM)
        assert supervisor.which_child("a").due == trio.current_time() + 1.0
        await stage.end("b", BOOM)  # the only one that counts
        assert isinstance(performance.error, RestartIntensityExceeded)
        assert performance.error.id == "b"


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_one_that_is_given_up_does_not_hide_another_that_died_with_it(strategy: Strategy) -> None:
    stage = Stage()
    never = Backoff(1.0, 60.0, max_failures=0, on_exhausted=OnExhausted.GIVE_UP)
    specs = [stage.spec("a", backoff=never), stage.spec("b", backoff=never), stage.spec("c"), stage.spec("d")]
    supervisor = Supervisor(specs, strategy=strategy, intensity=2)
    async with running(supervisor):
        for id_ in "abcd":
            stage.say(id_, BOOM)
        await wait_all_tasks_blocked()
        running_ = State.RUNNING
        assert states(supervisor) == {"a": State.FAILED, "b": State.FAILED, "c": running_, "d": running_}
        assert stage.lives["d"] == 2


async def test_giving_up_during_a_recovery_lets_the_others_start(autojump_clock: MockClock) -> None:
    stage = Stage()
    specs = [stage.spec("a"), stage.spec("b", backoff=FEW), stage.spec("c")]
    supervisor = Supervisor(specs, strategy=Strategy.ONE_FOR_ALL, intensity=9)
    async with running(supervisor):
        stage.next_starts["b"] = [BOOM] * 3
        await stage.end("b", BOOM)
        await trio.sleep(100)
        assert states(supervisor) == {"a": State.RUNNING, "b": State.FAILED, "c": State.RUNNING}
        await stage.end("a", BOOM)  # a recovery leaves it failed
        await wait_all_tasks_blocked()
        assert states(supervisor) == {"a": State.RUNNING, "b": State.FAILED, "c": State.RUNNING}


async def test_escalating_raises_with_an_infinite_period(autojump_clock: MockClock) -> None:
    stage = Stage()
    backoff = Backoff(1.0, 60.0, jitter=0.0, max_failures=1)
    supervisor = Supervisor([stage.spec("a", backoff=backoff), stage.spec("b")], intensity=99)
    async with running(supervisor) as performance:
        await stage.end("a", BOOM)
        await trio.sleep(1.5)
        await stage.end("a", BOOM)
        error = performance.error
        assert isinstance(error, RestartIntensityExceeded)
        assert (error.id, error.restarts, error.period, error.__cause__) == ("a", 2, math.inf, BOOM)


@pytest.mark.parametrize("by", ["stop", "cancel"])
async def test_ending_the_supervisor_ends_all_waiting(by: str, autojump_clock: MockClock) -> None:
    stage = Stage()
    specs = [stage.spec("a"), stage.spec("b", backoff=EVEN), stage.spec("c")]
    supervisor = Supervisor(specs, strategy=Strategy.REST_FOR_ONE)
    async with running(supervisor) as performance:
        await stage.end("b", BOOM)
        stage.told()
        if by == "stop":
            await supervisor.stop()
        else:
            performance.scope.cancel()
        await performance.over.wait()
        assert stage.told() == "-a"
    assert trio.current_time() == 0.0
    assert set(states(supervisor).values()) == {State.STOPPED}


async def test_a_new_run_begins_a_new_row_of_failures(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=EVEN)])
    for _ in range(2):
        async with running(supervisor):
            await stage.end("a", BOOM)
            due = supervisor.which_child("a").due
            assert due is not None
            assert due - trio.current_time() == 1.0


async def test_a_round_that_everybody_left_leaves_no_timer_behind(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=EVEN)])
    async with running(supervisor):
        await stage.end("a", BOOM)
        await supervisor.delete_child("a")
        with pytest.raises(ChildNotFound):
            supervisor.which_child("a")
        await wait_all_tasks_blocked(0.01)
        statistics = trio.lowlevel.current_statistics()
        assert statistics.seconds_to_next_deadline == math.inf
