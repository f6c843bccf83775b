"""Ends: orderly and in time, by force at a deadline, or stuck and visible."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import BRUTAL, Actor, ActorDied, Backoff, ChildSpec, ChildType, Exit, Restart, State, Supervisor
from tests.runtime.stage import BOOM, Performance, Stage, running, states


def last_exit(supervisor: Supervisor, id_: str = "a") -> Exit | None:
    return supervisor.which_child(id_).last_exit


class Slow(Actor):
    """Sleeps as long as a message says, and in its stop hook."""

    def __init__(self, journal: list[str], hook: float = 0.0) -> None:
        self.journal = journal
        self.hook = hook

    async def handle(self, message: float) -> str:
        self.journal.append("begun")
        await trio.sleep(message)
        self.journal.append("done")
        return "slept"

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002
        self.journal.append(str(exit))
        await trio.sleep(self.hook)
        self.journal.append("hooked")


def actor_spec(make: Callable[[], Actor], **flags: object) -> ChildSpec:
    """A spec of an actor that is made by a function."""

    class Made(Actor):
        def __new__(cls) -> Actor:  # type: ignore[misc]
            return make()

    return ChildSpec("a", Made, **flags)  # type: ignore[arg-type]


async def test_a_plain_child_stopped_in_time_exits_with_shutdown() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a")])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        assert last_exit(supervisor) == Exit.shutdown


@pytest.mark.parametrize("ending", ["return", "raise"])
async def test_a_child_that_returns_or_raises_while_being_stopped_keeps_its_own_exit(ending: str) -> None:
    async def child(*, task_status: trio.TaskStatus[None]) -> Exit | None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await stopping.wait()
        if ending == "raise":
            raise BOOM
        return Exit.normal

    stopping = trio.Event()
    supervisor = Supervisor([ChildSpec("a", child)])
    async with running(supervisor):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.terminate_child, "a")
            await wait_all_tasks_blocked()
            stopping.set()
        assert last_exit(supervisor) == (Exit.error(BOOM) if ending == "raise" else Exit.normal)


async def test_an_actor_finishes_the_message_in_hand_and_its_hook(autojump_clock: MockClock) -> None:
    journal: list[str] = []
    supervisor = Supervisor([actor_spec(lambda: Slow(journal, 1.0))])
    async with running(supervisor), trio.open_nursery() as nursery:
        answers: list[object] = []

        async def call() -> None:
            answers.append(await supervisor.ref("a").call(2.0))

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        await supervisor.ref("a").cast(99.0)
        await supervisor.terminate_child("a")
        assert answers == ["slept"]
        assert journal == ["begun", "done", "shutdown", "hooked"]
        assert trio.current_time() == 3.0
        assert last_exit(supervisor) == Exit.shutdown


@pytest.mark.parametrize(("message", "hook"), [(99.0, 0.0), (1.0, 99.0)])
async def test_an_actor_that_overruns_its_deadline_is_killed(
    message: float, hook: float, autojump_clock: MockClock
) -> None:
    journal: list[str] = []
    supervisor = Supervisor([actor_spec(lambda: Slow(journal, hook), shutdown=4.0)])
    async with running(supervisor):
        await supervisor.ref("a").cast(message)
        await supervisor.terminate_child("a")
        assert trio.current_time() == 4.0
        assert "hooked" not in journal
        assert last_exit(supervisor) == Exit.killed


async def test_brutal_gives_no_time_at_all(autojump_clock: MockClock) -> None:
    journal: list[str] = []
    stage = Stage()
    supervisor = Supervisor(
        [actor_spec(lambda: Slow(journal, 1.0), shutdown=BRUTAL), stage.spec("b", shutdown=BRUTAL)]
    )
    async with running(supervisor):
        await supervisor.ref("a").cast(3.0)
        await wait_all_tasks_blocked()
        await supervisor.terminate_child("a")
        await supervisor.terminate_child("b")
        assert trio.current_time() == 0.0
        assert journal == ["begun"]
        assert (last_exit(supervisor), last_exit(supervisor, "b")) == (Exit.killed, Exit.killed)


async def test_kill_child_runs_no_hook_and_the_caller_in_hand_learns_of_it(autojump_clock: MockClock) -> None:
    journal: list[str] = []
    supervisor = Supervisor([actor_spec(lambda: Slow(journal, 1.0), restart=Restart.TRANSIENT)])
    async with running(supervisor), trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(ActorDied) as caught:
                await supervisor.ref("a").call(3.0)
            assert caught.value.exit == Exit.killed
            journal.append("told")

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        await supervisor.kill_child("a")
        await wait_all_tasks_blocked()
        assert journal == ["begun", "told"]
        assert supervisor.which_child("a").restarts == 1
        assert await supervisor.ref("a").call(0.0) == "slept"


async def stubborn(seconds: float, *, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("shutdown", "kind", "unresponsive_at"),
    [(2.0, "plain", 2.0), (BRUTAL, "plain", 1.0), (2.0, "actor", 3.0), (BRUTAL, "actor", 1.0)],
)
async def test_a_child_that_shields_becomes_unresponsive_and_is_waited_for(
    shutdown: float,
    kind: str,
    unresponsive_at: float,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn(Actor):
        async def handle(self, message: float) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(message)
            await trio.sleep_forever()

    async def plain(*, task_status: trio.TaskStatus[None]) -> None:
        await stubborn(10.0, task_status=task_status)

    spec = ChildSpec("a", plain if kind == "plain" else Stubborn, shutdown=shutdown)
    supervisor = Supervisor([spec])
    async with running(supervisor), trio.open_nursery() as nursery:
        if kind == "actor":
            await supervisor.ref("a").cast(10.0)
        await wait_all_tasks_blocked()
        nursery.start_soon(supervisor.terminate_child, "a")
        await trio.sleep(unresponsive_at - 0.01)
        assert states(supervisor) == {"a": State.STOPPING}
        await trio.sleep(0.02)
        assert states(supervisor) == {"a": State.UNRESPONSIVE}
        node = supervisor.tree().children[0]
        assert node.stack is not None
        assert any("sleep" in frame for frame in node.stack)
        [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.message.startswith("child_unresponsive child=a stack=")
        assert "\n" not in record.message
        await trio.sleep_until(10.01)
        assert states(supervisor) == {"a": State.STOPPED}
        assert last_exit(supervisor) == Exit.killed


class Clinging(Actor):
    """Has a task that yields to nothing for ten seconds."""

    async def on_start(self) -> None:
        self.nursery.start_soon(self.cling)

    async def handle(self, message: str) -> None:
        match message:
            case "leave":
                self.stop(Exit.error(BOOM))
            case "handle":
                raise BOOM
            case "nursery":
                self.nursery.start_soon(self.fail)

    async def cling(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10.0)

    async def fail(self) -> None:
        raise BOOM


@pytest.mark.parametrize(("shutdown", "unresponsive_at"), [(2.0, 2.0), (BRUTAL, 1.0)])
@pytest.mark.parametrize("way", ["leave", "handle", "nursery"])
async def test_what_clings_to_life_after_its_own_end_is_unresponsive_too(
    way: str,
    shutdown: float,
    unresponsive_at: float,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervisor = Supervisor([ChildSpec("a", Clinging, restart=Restart.TRANSIENT, shutdown=shutdown)])
    async with running(supervisor):
        await supervisor.ref("a").cast(way)
        await trio.sleep(unresponsive_at - 0.01)
        assert states(supervisor)["a"] is not State.UNRESPONSIVE
        await trio.sleep(0.02)
        assert states(supervisor) == {"a": State.UNRESPONSIVE}
        [record] = [record for record in caplog.records if "unresponsive" in record.message]
        assert "cling" in record.message
        await trio.sleep_until(10.01)
        assert states(supervisor) == {"a": State.RUNNING}
        assert supervisor.which_child("a").restarts == 1
        assert last_exit(supervisor) == Exit.error(BOOM)


async def test_a_stop_hook_that_clings_after_a_crash_is_unresponsive(autojump_clock: MockClock) -> None:
    class Clinger(Clinging):
        async def on_start(self) -> None:
            """Has no tasks."""

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await self.cling()

    supervisor = Supervisor([ChildSpec("a", Clinger, shutdown=2.0)])
    async with running(supervisor):
        await supervisor.ref("a").cast("handle")
        await trio.sleep(2.99)
        assert states(supervisor) == {"a": State.STOPPING}
        await trio.sleep(0.02)
        assert states(supervisor) == {"a": State.UNRESPONSIVE}
        await trio.sleep_until(10.01)
        assert states(supervisor) == {"a": State.RUNNING}


async def test_who_stops_what_clings_waits_by_his_own_deadline(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor([ChildSpec("a", Clinging, shutdown=2.0)])
    async with running(supervisor), trio.open_nursery() as nursery:
        await supervisor.ref("a").cast("handle")
        await trio.sleep(1.5)
        nursery.start_soon(supervisor.terminate_child, "a")
        await trio.sleep(2.99)
        assert states(supervisor) == {"a": State.STOPPING}
        await trio.sleep(0.02)
        assert states(supervisor) == {"a": State.UNRESPONSIVE}
        await trio.sleep_until(10.01)
        assert states(supervisor) == {"a": State.STOPPED}
    assert len([record for record in caplog.records if "unresponsive" in record.message]) == 1


async def test_an_unresponsive_child_holds_up_the_end_but_not_the_tree(autojump_clock: MockClock) -> None:
    stage = Stage()

    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        await stubborn(50.0, task_status=task_status)

    supervisor = Supervisor([stage.spec("a"), ChildSpec("b", child, shutdown=1.0), stage.spec("c")])
    async with running(supervisor) as performance:
        performance.scope.cancel()
        await trio.sleep(5)
        assert states(supervisor) == {"a": State.RUNNING, "b": State.UNRESPONSIVE, "c": State.STOPPED}
        await performance.over.wait()
        assert trio.current_time() == 50.0


async def test_stop_hook_runs_after_self_stop_with_that_exit() -> None:
    class Quitter(Actor):
        async def handle(self, message: Exit) -> str:
            self.stop(message)
            self.stop(Exit.killed)  # too late
            return "bye"

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            exits.append(exit)

    for exit_ in (Exit.normal, Exit.shutdown, Exit.error(BOOM)):
        exits: list[Exit] = []
        supervisor = Supervisor([ChildSpec("a", Quitter, restart=Restart.TRANSIENT)])
        async with running(supervisor):
            assert await supervisor.ref("a").call(exit_) == "bye"
            await wait_all_tasks_blocked()
            assert exits == [exit_]
            assert last_exit(supervisor) == exit_
            expected = State.RUNNING if exit_.kind == "error" else State.ENDED
            assert states(supervisor) == {"a": expected}


async def test_self_stop_in_on_start_ends_the_life_before_its_first_message() -> None:
    class Brief(Actor):
        async def on_start(self) -> None:
            self.stop()

        async def handle(self, message: object) -> None:
            raise AssertionError

    supervisor = Supervisor([ChildSpec("a", Brief, restart=Restart.TRANSIENT)])
    await supervisor.ref("a").cast("early")
    async with running(supervisor):
        assert states(supervisor) == {"a": State.ENDED}
        assert [letter.reason for letter in supervisor.dead_letters] == ["gone"]


@pytest.mark.parametrize("where", ["handle", "nursery"])
async def test_stop_hook_after_a_crash_has_shutdown_seconds(where: str, autojump_clock: MockClock) -> None:
    class Crasher(Slow):
        async def handle(self, message: object) -> str:
            if where == "handle":
                raise BOOM
            self.nursery.start_soon(self.fail)
            await trio.sleep_forever()
            return ""

        async def fail(self) -> None:
            raise BOOM

    journal: list[str] = []
    supervisor = Supervisor([actor_spec(lambda: Crasher(journal, 99.0), shutdown=3.0)])
    async with running(supervisor):
        with pytest.raises(ActorDied) as caught:
            await supervisor.ref("a").call("x")
        assert caught.value.exit == Exit.error(BOOM)
        assert caught.value.__cause__ is BOOM
        assert trio.current_time() == 0.0  # the caller does not wait for the hook
        assert states(supervisor) == {"a": State.STOPPING}
        await trio.sleep(3.5)
        assert journal == ["error (RuntimeError)"]
        assert states(supervisor) == {"a": State.RUNNING}
        assert last_exit(supervisor) == Exit.error(BOOM)


async def test_a_kill_during_the_hook_leaves_the_crash_as_the_exit(autojump_clock: MockClock) -> None:
    class Crasher(Actor):
        async def handle(self, message: object) -> None:
            raise BOOM

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await trio.sleep_forever()

    supervisor = Supervisor([ChildSpec("a", Crasher)])
    async with running(supervisor):
        await supervisor.ref("a").cast(1)
        await wait_all_tasks_blocked()
        assert states(supervisor) == {"a": State.STOPPING}
        await supervisor.kill_child("a")
        await wait_all_tasks_blocked()
        assert last_exit(supervisor) == Exit.error(BOOM)
        assert states(supervisor) == {"a": State.RUNNING}


async def test_a_failing_stop_hook_turns_an_orderly_end_into_an_error() -> None:
    class Bad(Actor):
        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            raise BOOM

    supervisor = Supervisor([ChildSpec("a", Bad)])
    async with running(supervisor):
        await supervisor.terminate_child("a")
        assert last_exit(supervisor) == Exit.error(BOOM)


async def test_a_failing_stop_hook_does_not_hide_the_crash() -> None:
    class Bad(Actor):
        async def handle(self, message: object) -> None:
            raise BOOM

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            raise ValueError

    supervisor = Supervisor([ChildSpec("a", Bad)])
    async with running(supervisor):
        await supervisor.ref("a").cast(1)
        await wait_all_tasks_blocked()
        assert last_exit(supervisor) == Exit.error(BOOM)


async def test_an_actors_tasks_live_until_its_stop_hook_is_done(autojump_clock: MockClock) -> None:
    journal: list[str] = []

    class Flusher(Actor):
        async def on_start(self) -> None:
            self.flushed = trio.Event()
            self.nursery.start_soon(self.flush)

        async def flush(self) -> None:
            try:
                await trio.sleep(1)
                self.flushed.set()
                await trio.sleep_forever()
            finally:
                journal.append("cancelled")

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            await self.flushed.wait()
            journal.append("flushed")

    supervisor = Supervisor([ChildSpec("a", Flusher)])
    async with running(supervisor):
        await supervisor.stop()
    assert journal == ["flushed", "cancelled"]


async def test_cancelling_round_a_tree_stops_it_in_reverse(autojump_clock: MockClock) -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("b"), stage.spec("c")])
    outer = Supervisor(
        [stage.spec("a"), ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR), stage.spec("d")]
    )
    async with running(outer) as performance:
        stage.told()
        performance.scope.cancel()
        await performance.over.wait()
        assert stage.told() == "-d -c -b -a"
    assert performance.scope.cancelled_caught
    assert last_exit(outer, "inner") == Exit.shutdown


async def test_a_supervisor_child_is_given_all_the_time_it_needs(autojump_clock: MockClock) -> None:
    journal: list[str] = []
    inner = Supervisor([actor_spec(lambda: Slow(journal, 500.0), shutdown=math.inf)])
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with running(outer):
        await outer.stop()
    assert trio.current_time() == 500.0
    assert journal == ["shutdown", "hooked"]
    assert last_exit(outer, "inner") == Exit.shutdown


async def test_killing_a_supervisor_still_stops_its_children_in_order() -> None:
    stage = Stage()
    inner = Supervisor([stage.spec("a"), stage.spec("b")])
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR, restart=Restart.TRANSIENT)])
    async with running(outer):
        stage.told()
        await outer.kill_child("inner")
        await wait_all_tasks_blocked()
        assert stage.told() == "-b -a +a +b"
        assert last_exit(outer, "inner") == Exit.killed


async def test_a_child_that_raises_after_the_stop_does_not_hold_up_the_others() -> None:
    stage = Stage()

    async def bitter(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise BOOM

    supervisor = Supervisor([stage.spec("a"), ChildSpec("b", bitter), stage.spec("c")], intensity=0)
    async with running(supervisor) as performance:
        stage.told()
        await supervisor.stop()
        assert stage.told() == "-c -a"
        await performance.over.wait()
    assert performance.exit == Exit.shutdown
    assert last_exit(supervisor, "b") == Exit.error(BOOM)


async def test_a_child_that_dies_while_others_are_stopped_is_not_restarted(autojump_clock: MockClock) -> None:
    stage = Stage()
    journal: list[str] = []
    supervisor = Supervisor([stage.spec("b"), actor_spec(lambda: Slow(journal, 2.0))])
    async with running(supervisor) as performance:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.stop)
            await trio.sleep(1)
            await stage.end("b", BOOM)
            assert states(supervisor) == {"b": State.STOPPED, "a": State.STOPPING}
        await performance.over.wait()
    assert performance.error is None
    assert stage.lives["b"] == 1


async def test_stop_waits_for_the_end_and_a_second_stop_too(autojump_clock: MockClock) -> None:
    journal: list[str] = []
    supervisor = Supervisor([actor_spec(lambda: Slow(journal, 2.0))])
    ends = []

    async def stop() -> None:
        await supervisor.stop()
        ends.append(trio.current_time())

    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(stop)
        nursery.start_soon(stop)
        with trio.move_on_after(1):
            await supervisor.stop()
    assert ends == [2.0, 2.0]


async def test_keyboard_interrupt_within_a_recovery_stops_all_in_order() -> None:
    class Interrupted(random.Random):
        def uniform(self, a: float, b: float) -> float:
            raise KeyboardInterrupt

    stage = Stage()
    specs = [stage.spec("a"), stage.spec("b", backoff=Backoff(1.0, 2.0)), stage.spec("c")]
    supervisor = Supervisor(specs, rng=Interrupted())
    async with running(supervisor) as performance:
        stage.told()
        await stage.end("b", BOOM)
        assert stage.told() == "-b -c -a"
    assert isinstance(performance.error, KeyboardInterrupt)


async def test_keyboard_interrupt_in_the_supervisors_own_task_stops_all_in_order() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a"), stage.spec("b")])
    performance = Performance(supervisor)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(performance.run)
        await wait_all_tasks_blocked()
        stage.told()
        [task] = [t for t in nursery.child_tasks if "Performance" in t.name]

        def interrupt() -> None:
            raise KeyboardInterrupt

        # As trio delivers it to a sleeping task: by aborting its sleep with the exception.
        task._attempt_abort(interrupt)
        await performance.over.wait()
    assert isinstance(performance.error, KeyboardInterrupt)
    assert stage.told() == "-b -a"
