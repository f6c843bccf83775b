"""Who is restarted after which exit, in which order, and how often before the supervisor gives up."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    AutoShutdown,
    ChildSpec,
    ChildType,
    Exit,
    Restart,
    RestartIntensityExceeded,
    State,
    Strategy,
    Supervisor,
)
from runtime.decisions import swept, wants_restart
from runtime.intensity import Intensity
from tests.runtime.stage import BOOM, Performance, Stage, running, states

EXITS = (Exit.normal, Exit.shutdown, Exit.error(BOOM), Exit.killed)


def test_permanent_restarts_after_any_exit() -> None:
    assert [wants_restart(Restart.PERMANENT, exit_) for exit_ in EXITS] == [True, True, True, True]


def test_transient_restarts_after_error_and_killed() -> None:
    assert [wants_restart(Restart.TRANSIENT, exit_) for exit_ in EXITS] == [False, False, True, True]


def test_temporary_never_restarts() -> None:
    assert [wants_restart(Restart.TEMPORARY, exit_) for exit_ in EXITS] == [False] * 4


def test_a_recovery_covers_what_its_strategy_says_in_start_order() -> None:
    order = ["a", "b", "c"]
    assert list(swept(Strategy.ONE_FOR_ONE, order, "b")) == ["b"]
    assert list(swept(Strategy.ONE_FOR_ALL, order, "b")) == ["a", "b", "c"]
    assert list(swept(Strategy.REST_FOR_ONE, order, "b")) == ["b", "c"]


def test_intensity_counts_within_a_sliding_period() -> None:
    record = Intensity(2, 10.0)
    # At 10.0 the first is exactly ten seconds old and still counts; at 10.1 it does not.
    assert [record.exceeded_by(now) for now in (0.0, 5.0, 10.1, 15.0)] == [False, False, False, True]
    record.forget()
    assert [record.exceeded_by(now) for now in (0.0, 5.0, 10.0)] == [False, False, True]
    assert Intensity(0, 10.0).exceeded_by(0.0)


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY])
@pytest.mark.parametrize("word", [None, Exit.shutdown, BOOM, Exit.error(BOOM)], ids=str)
async def test_the_restart_type_decides(restart: Restart, word: BaseException | Exit | None) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", restart=restart)])
    async with running(supervisor):
        await stage.end("a", word)
        exit_ = word if isinstance(word, Exit) else Exit.normal if word is None else Exit.error(word)
        if wants_restart(restart, exit_):
            assert stage.told() == "+a -a +a"
            assert supervisor.which_child("a").last_exit == exit_
        else:
            assert stage.told() == "+a -a"
            assert states(supervisor) == ({} if restart is Restart.TEMPORARY else {"a": State.ENDED})


@pytest.mark.parametrize(
    ("strategy", "story"),
    [
        (Strategy.ONE_FOR_ONE, "-b +b"),
        (Strategy.ONE_FOR_ALL, "-b -d -c -a +a +b +c +d"),
        (Strategy.REST_FOR_ONE, "-b -d -c +b +c +d"),
    ],
)
async def test_a_strategy_stops_in_reverse_and_starts_in_order(strategy: Strategy, story: str) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abcd"], strategy=strategy)
    async with running(supervisor):
        stage.told()
        await stage.end("b", BOOM)
        assert stage.told() == story
        assert set(states(supervisor).values()) == {State.RUNNING}
        assert supervisor.count_children().active == 4


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_more_restarts_than_intensity_stop_everything_in_reverse(strategy: Strategy) -> None:
    stage = Stage()
    supervisor = Supervisor(
        [stage.spec("a"), stage.spec("b"), stage.spec("c")], strategy=strategy, intensity=2, period=3600
    )
    async with running(supervisor) as performance:
        await stage.end("a", BOOM)
        await stage.end("b", BOOM)
        stage.told()
        await stage.end("b", BOOM)
        assert stage.told() == "-b -c -a"
    error = performance.error
    assert isinstance(error, RestartIntensityExceeded)
    assert (error.id, error.restarts, error.period) == ("b", 3, 3600)
    assert error.__cause__ is BOOM


async def test_restarts_slower_than_the_period_go_on_for_ever(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")], intensity=1, period=1.0)
    async with running(supervisor) as performance:
        for _ in range(5):
            await stage.end("a", BOOM)
            await trio.sleep(1.01)
        assert supervisor.which_child("a").restarts == 5
        await stage.end("a", BOOM)
        await stage.end("a", BOOM)
        assert isinstance(performance.error, RestartIntensityExceeded)


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_a_restart_that_fails_counts_again(strategy: Strategy) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")], strategy=strategy, intensity=4, period=3600)
    async with running(supervisor) as performance:
        stage.next_starts["a"] = [BOOM] * 9
        await stage.end("a", BOOM)
        assert performance.over.is_set()
    assert stage.lives["a"] == 1
    assert stage.journal.count("!a") == 4
    assert isinstance(performance.error, RestartIntensityExceeded)


async def test_one_for_all_starts_over_when_another_child_fails_to_start() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abc"], strategy=Strategy.ONE_FOR_ALL, intensity=3)
    async with running(supervisor):
        stage.told()
        stage.next_starts["b"] = [BOOM]
        await stage.end("a", BOOM)
        assert stage.told() == "-a -c -b +a !b -a +a +b +c"


async def test_rest_for_one_starts_over_from_the_child_that_fails_to_start() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abcd"], strategy=Strategy.REST_FOR_ONE, intensity=3)
    async with running(supervisor):
        stage.told()
        stage.next_starts["c"] = [BOOM]
        await stage.end("b", BOOM)
        assert stage.told() == "-b -d -c +b !c +c +d"


async def test_a_child_ignored_in_a_recovery_does_not_hold_up_the_others() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abc"], strategy=Strategy.ONE_FOR_ALL)
    async with running(supervisor):
        stage.next_starts["b"] = ["ignore"]
        await stage.end("a", BOOM)
        assert states(supervisor) == {"a": State.RUNNING, "b": State.IGNORED, "c": State.RUNNING}


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_temporary_bystander_is_swept_away_for_good(strategy: Strategy) -> None:
    stage = Stage()
    supervisor = Supervisor(
        [stage.spec("a"), stage.spec("t", restart=Restart.TEMPORARY), stage.spec("c")], strategy=strategy
    )
    async with running(supervisor):
        stage.told()
        await stage.end("a", BOOM)
        assert stage.told() == "-a -c -t +a +c"
        assert states(supervisor) == {"a": State.RUNNING, "c": State.RUNNING}


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_siblings_that_die_in_one_step_are_counted_once(strategy: Strategy) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abc"], strategy=strategy, intensity=1)
    async with running(supervisor) as performance:
        for id_ in "abc":
            stage.say(id_, BOOM)
        await wait_all_tasks_blocked()
        assert performance.error is None
        assert set(states(supervisor).values()) == {State.RUNNING}
        assert dict(stage.lives) == {"a": 2, "b": 2, "c": 2}


async def test_a_sibling_that_dies_while_it_is_being_swept_belongs_to_the_recovery() -> None:
    stage = Stage()

    async def spiteful(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise BOOM

    specs = [stage.spec("a"), ChildSpec("b", spiteful), stage.spec("c")]
    supervisor = Supervisor(specs, strategy=Strategy.ONE_FOR_ALL, intensity=1)
    async with running(supervisor) as performance:
        await stage.end("a", BOOM)
        assert performance.error is None
        assert set(states(supervisor).values()) == {State.RUNNING}
        assert supervisor.which_child("b").last_exit == Exit.error(BOOM)


async def test_a_recovery_starts_only_what_ran_or_was_due() -> None:
    stage = Stage()
    specs = [stage.spec(id_, restart=Restart.TRANSIENT) for id_ in "abc"]
    supervisor = Supervisor(specs, strategy=Strategy.ONE_FOR_ALL)
    async with running(supervisor):
        await supervisor.terminate_child("b")
        await stage.end("c")
        stage.told()
        await stage.end("a", BOOM)
        assert stage.told() == "-a +a"
        assert states(supervisor) == {"a": State.RUNNING, "b": State.STOPPED, "c": State.ENDED}


async def test_a_child_that_never_restarts_can_still_be_stopped_by_hand() -> None:
    stage = Stage()
    supervisor = Supervisor(
        [stage.spec("a"), stage.spec("b")], strategy=Strategy.ONE_FOR_ALL, intensity=10**9
    )

    class Never(list[BaseException | str]):
        def pop(self, index: object = 0) -> BaseException:
            return BOOM

    async with running(supervisor) as performance:
        stage.next_starts["b"] = Never([BOOM])
        stage.say("a", BOOM)
        for _ in range(200):
            await trio.lowlevel.checkpoint()
        assert stage.journal.count("!b") > 3
        await supervisor.terminate_child("b")
        await wait_all_tasks_blocked()
        assert states(supervisor) == {"a": State.RUNNING, "b": State.STOPPED}
        assert performance.error is None


async def test_a_nested_supervisor_that_gives_up_is_a_failure_even_to_a_transient_slot() -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("a")], id="inner", intensity=0)
    spec = ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR, restart=Restart.TRANSIENT)
    outer = Supervisor([spec], intensity=1)
    async with running(outer):
        await inner.start_child(stage.spec("later"))
        stage.told()
        await stage.end("a", BOOM)
        assert stage.told() == "-a -later +a"
        assert states(outer) == {"inner": State.RUNNING}
        assert states(inner) == {"a": State.RUNNING}
        last_exit = outer.which_child("inner").last_exit
        assert last_exit is not None
        assert isinstance(last_exit.cause, RestartIntensityExceeded)


async def test_escalation_goes_up_the_tree_and_out() -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("a")], id="inner", intensity=0)
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)], intensity=0)
    async with running(outer) as performance:
        await stage.end("a", BOOM)
    assert isinstance(performance.error, RestartIntensityExceeded)
    assert performance.error.id == "inner"
    assert isinstance(performance.error.__cause__, RestartIntensityExceeded)
    assert performance.error.__cause__.__cause__ is BOOM


async def test_an_exception_group_from_a_child_is_an_error_like_any_other() -> None:
    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(fail)

    async def fail() -> None:
        await go.wait()
        raise BOOM

    go = trio.Event()
    supervisor = Supervisor([ChildSpec("a", child, restart=Restart.TRANSIENT)], intensity=0)
    async with running(supervisor) as performance:
        go.set()
        await performance.over.wait()
    assert isinstance(performance.error, RestartIntensityExceeded)
    assert isinstance(performance.error.__cause__, ExceptionGroup)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("grouped", [False, True])
async def test_an_interrupt_from_a_child_stops_all_in_reverse_and_comes_out_bare(
    interrupt: type[BaseException], grouped: bool
) -> None:
    stage = Stage()
    error = interrupt()
    inner = Supervisor([stage.spec("b"), stage.spec("c")], id="inner")
    outer = Supervisor([stage.spec("a"), ChildSpec("inner", inner.run), stage.spec("d")], intensity=9)
    async with running(outer) as performance:
        stage.told()
        await stage.end("b", BaseExceptionGroup("two", [BOOM, error]) if grouped else error)
        assert stage.told() == "-b -c -d -a"
    assert performance.error is error


async def test_an_interrupt_is_not_hidden_by_an_earlier_failure() -> None:
    stage = Stage()

    async def interrupted(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise KeyboardInterrupt

    supervisor = Supervisor([ChildSpec("a", interrupted), stage.spec("b")], intensity=0)
    async with running(supervisor) as performance:
        await stage.end("b", BOOM)
    assert isinstance(performance.error, KeyboardInterrupt)


@pytest.mark.parametrize(
    ("auto_shutdown", "ends"),
    [
        (AutoShutdown.NEVER, []),
        (AutoShutdown.ANY_SIGNIFICANT, ["s"]),
        (AutoShutdown.ALL_SIGNIFICANT, ["s", "t"]),
    ],
)
async def test_auto_shutdown_follows_the_ends_of_significant_children(
    auto_shutdown: AutoShutdown, ends: list[str]
) -> None:
    stage = Stage()
    significant = auto_shutdown is not AutoShutdown.NEVER
    supervisor = Supervisor(
        [
            stage.spec("s", restart=Restart.TRANSIENT, significant=significant),
            stage.spec("t", restart=Restart.TEMPORARY, significant=significant),
            stage.spec("u", restart=Restart.TRANSIENT),
        ],
        auto_shutdown=auto_shutdown,
    )
    async with running(supervisor) as performance:
        await stage.end("u")
        await supervisor.restart_child("u")
        assert not performance.over.is_set()
        for id_ in ends:
            assert not performance.over.is_set()
            await stage.end(id_)
        if significant:
            assert performance.over.is_set()
            assert performance.exit == Exit.shutdown


async def test_a_significant_childs_restart_is_no_end() -> None:
    stage = Stage()
    spec = stage.spec("s", restart=Restart.TRANSIENT, significant=True)
    supervisor = Supervisor([spec], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    async with running(supervisor) as performance:
        await stage.end("s", BOOM)
        assert not performance.over.is_set()
        await supervisor.terminate_child("s")
        await wait_all_tasks_blocked()
        assert not performance.over.is_set()


async def test_a_significant_temporary_swept_away_is_no_end() -> None:
    stage = Stage()
    specs = [stage.spec("a"), stage.spec("t", restart=Restart.TEMPORARY, significant=True)]
    supervisor = Supervisor(specs, strategy=Strategy.ONE_FOR_ALL, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    async with running(supervisor) as performance:
        await stage.end("a", BOOM)
        assert states(supervisor) == {"a": State.RUNNING}
        assert not performance.over.is_set()


async def test_a_parent_restarts_a_permanent_supervisor_that_shut_down_by_itself() -> None:
    stage = Stage()
    inner = Supervisor(
        [stage.spec("s", restart=Restart.TRANSIENT, significant=True)],
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with running(outer):
        await stage.end("s")
        assert stage.told() == "+s -s +s"
        assert outer.which_child("inner").last_exit == Exit.shutdown


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("word", [None, BOOM])
async def test_nothing_keeps_a_temporary_childs_arguments(
    strategy: Strategy, word: BaseException | None
) -> None:
    class Large:
        pass

    async def child(large: Large, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await go.wait()
        if word is not None:
            raise RuntimeError

    go = trio.Event()
    large = Large()
    gone = weakref.ref(large)
    supervisor = Supervisor(strategy=strategy)
    async with running(supervisor):
        await supervisor.start_child(ChildSpec("t", partial(child, large), restart=Restart.TEMPORARY))
        del large
        go.set()
        await wait_all_tasks_blocked()
        gc.collect()
        assert gone() is None


async def test_cancelling_during_a_recovery_loses_no_child() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec(id_) for id_ in "abc"], strategy=Strategy.ONE_FOR_ALL)
    async with running(supervisor) as performance:
        stage.told()
        stage.next_starts["b"] = ["hang"]
        await stage.end("c", BOOM)
        assert stage.told() == "-c -b -a +a"
        assert states(supervisor) == {"a": State.RUNNING, "b": State.STARTING, "c": State.RESTARTING}
        performance.scope.cancel()
        await performance.over.wait()
        assert stage.told() == "-a"
    assert set(states(supervisor).values()) == {State.STOPPED}
    assert performance.scope.cancelled_caught


async def test_stop_during_the_sweep_of_a_recovery_ends_in_order(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def slow_to_end(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            stage.journal.append("-slow")

    specs = [stage.spec("a"), ChildSpec("slow", slow_to_end), stage.spec("c")]
    supervisor = Supervisor(specs, strategy=Strategy.ONE_FOR_ALL)
    async with running(supervisor) as performance:
        stage.told()
        await stage.end("c", BOOM)
        assert stage.told() == "-c"
        await supervisor.stop()
        assert stage.told() == "-slow -a"
        await performance.over.wait()
    assert performance.error is None
    assert trio.current_time() == 1.0


async def test_a_failure_while_another_child_still_starts_comes_out_of_run() -> None:
    stage = Stage()
    stage.next_starts["b"] = ["hang"]
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")], intensity=0)
    performance = Performance(supervisor)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(performance.run)
        await wait_all_tasks_blocked()
        await stage.end("a", BOOM)
    assert isinstance(performance.error, RestartIntensityExceeded)


async def test_killed_children_restart_unless_temporary() -> None:
    stage = Stage()
    specs = [stage.spec(restart.value, restart=restart) for restart in Restart]
    supervisor = Supervisor(specs, intensity=9)
    async with running(supervisor):
        for restart in Restart:
            await supervisor.kill_child(restart.value)
        await wait_all_tasks_blocked()
        assert states(supervisor) == {"permanent": State.RUNNING, "transient": State.RUNNING}
        assert supervisor.which_child("transient").last_exit == Exit.killed
