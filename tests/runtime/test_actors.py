"""Actors and calls: answers, domain errors, deaths, and callers that leave before, during and after."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    ActorDied,
    ActorGone,
    CallTimeout,
    ChildSpec,
    Exit,
    Ref,
    Restart,
    State,
    Supervisor,
)
from tests.runtime.stage import BOOM, Stage, running, states


class Desk(Actor):
    """Does what its messages say."""

    domain_errors = (LookupError,)
    handled: list[object]

    async def on_start(self) -> None:
        self.lives = 1

    async def handle(self, message: object) -> object:
        match message:
            case BaseException():
                raise message
            case float():
                await trio.sleep(message)
            case trio.Event():
                await message.wait()
        return message


def desk(**flags: object) -> Supervisor:
    return Supervisor([ChildSpec("desk", Desk, **flags)], intensity=9)  # type: ignore[arg-type]


async def test_a_call_returns_the_handlers_value() -> None:
    supervisor = desk()
    async with running(supervisor):
        assert await supervisor.ref("desk").call("x") == "x"
        assert supervisor.which_child("desk").value is supervisor.ref("desk")


async def test_messages_are_handled_one_at_a_time_in_order() -> None:
    order: list[object] = []

    class Slow(Actor):
        async def handle(self, message: object) -> None:
            order.append(message)
            await trio.lowlevel.checkpoint()
            order.append(message)

    supervisor = Supervisor([ChildSpec("a", Slow)])
    async with running(supervisor):
        for number in range(3):
            await supervisor.ref("a").cast(number)
        await wait_all_tasks_blocked()
    assert order == [0, 0, 1, 1, 2, 2]


async def test_a_domain_error_is_an_answer_and_the_actor_lives_on() -> None:
    supervisor = desk()
    async with running(supervisor):
        with pytest.raises(KeyError, match="missing"):
            await supervisor.ref("desk").call(KeyError("missing"))
        await supervisor.ref("desk").cast(KeyError("missing"))
        assert await supervisor.ref("desk").call(1) == 1
        assert supervisor.which_child("desk").restarts == 0


async def test_any_other_error_kills_the_actor_and_its_caller_learns_of_what() -> None:
    supervisor = desk()
    async with running(supervisor):
        with pytest.raises(ActorDied) as caught:
            await supervisor.ref("desk").call(BOOM)
        assert caught.value.exit == Exit.error(BOOM)
        assert caught.value.__cause__ is BOOM
        assert await supervisor.ref("desk").call(1) == 1
        assert supervisor.which_child("desk").restarts == 1


async def test_the_message_in_hand_is_not_redelivered_and_the_others_wait_for_the_next_life() -> None:
    handled: list[object] = []

    class Fragile(Actor):
        async def handle(self, message: object) -> object:
            handled.append(message)
            if message == 2:
                raise BOOM
            return message

    supervisor = Supervisor([ChildSpec("a", Fragile)])
    async with running(supervisor):
        ref = supervisor.ref("a")
        for number in (1, 2, 3):
            await ref.cast(number)
        assert await ref.call(4) == 4
    assert handled == [1, 2, 3, 4]


async def test_each_life_is_a_new_instance() -> None:
    instances: list[Actor] = []

    class One(Actor):
        async def on_start(self) -> None:
            instances.append(self)
            assert isinstance(self.ref, Ref)
            assert isinstance(self.supervisor, Supervisor)
            assert isinstance(self.nursery, trio.Nursery)

        async def handle(self, message: object) -> None:
            raise BOOM

    supervisor = Supervisor([ChildSpec("a", One)])
    async with running(supervisor):
        await supervisor.ref("a").cast(1)
        await wait_all_tasks_blocked()
    assert len({id(instance) for instance in instances}) == 2


async def test_a_failure_in_the_actors_nursery_is_its_crash() -> None:
    class Host(Actor):
        async def handle(self, message: object) -> None:
            self.nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise BOOM

    supervisor = Supervisor([ChildSpec("a", Host, restart=Restart.TRANSIENT)])
    async with running(supervisor):
        await supervisor.ref("a").call(1)
        await wait_all_tasks_blocked()
        info = supervisor.which_child("a")
        assert (info.restarts, info.last_exit) == (1, Exit.error(BOOM))


async def test_a_call_times_out_and_its_late_reply_reaches_nobody(autojump_clock: MockClock) -> None:
    supervisor = desk()
    async with running(supervisor):
        ref = supervisor.ref("desk")
        with pytest.raises(CallTimeout) as caught:
            await ref.call(9.0, timeout=2.0)
        assert (caught.value.id, caught.value.timeout) == ("desk", 2.0)
        assert trio.current_time() == 2.0
        assert await ref.call("next", timeout=20.0) == "next"
        assert trio.current_time() == 9.0


async def test_a_request_that_timed_out_in_the_queue_is_skipped(autojump_clock: MockClock) -> None:
    handled: list[object] = []

    class Slow(Actor):
        async def handle(self, message: float) -> None:
            handled.append(message)
            await trio.sleep(message)

    supervisor = Supervisor([ChildSpec("a", Slow)])
    async with running(supervisor):
        ref = supervisor.ref("a")
        await ref.cast(10.0)
        with pytest.raises(CallTimeout):
            await ref.call(1.0, timeout=2.0)
        await ref.call(3.0, timeout=20.0)
    assert handled == [10.0, 3.0]


@pytest.mark.parametrize("when", ["before", "queued", "begun", "after"])
async def test_a_cancelled_caller(when: str) -> None:
    handled: list[object] = []

    class Steady(Actor):
        async def handle(self, message: object) -> object:
            handled.append(message)
            if isinstance(message, trio.Event):
                await message.wait()
            return message

    first, second = trio.Event(), trio.Event()
    supervisor = Supervisor([ChildSpec("a", Steady)])
    scope = trio.CancelScope()
    answers: list[object] = []

    async def call(message: object) -> None:
        with scope:
            answers.append(await supervisor.ref("a").call(message))

    async with running(supervisor), trio.open_nursery() as nursery:
        if when == "before":
            scope.cancel()
        if when == "queued":
            await supervisor.ref("a").cast(first)
        nursery.start_soon(call, second)
        await wait_all_tasks_blocked()
        if when == "after":
            second.set()
            await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        first.set()
        second.set()
        assert await supervisor.ref("a").call("last") == "last"
    expected = {
        "before": ["last"],
        "queued": [first, "last"],
        "begun": [second, "last"],
        "after": [second, "last"],
    }
    assert handled == expected[when]
    assert answers == ([second] if when == "after" else [])


async def test_a_reply_in_the_step_of_the_cancellation_reaches_at_most_one_end() -> None:
    class Racer(Actor):
        async def handle(self, message: trio.CancelScope) -> str:
            message.cancel()
            return "late"

    supervisor = Supervisor([ChildSpec("a", Racer)])
    async with running(supervisor):
        with trio.CancelScope() as scope:
            await supervisor.ref("a").call(scope)
        assert scope.cancelled_caught
        assert states(supervisor) == {"a": State.RUNNING}


@pytest.mark.parametrize("end", ["terminate", "delete", "supervisor", "give up", "end"])
async def test_callers_of_a_gone_actor_learn_at_once(end: str) -> None:
    class Stuck(Actor):
        async def handle(self, message: object) -> None:
            await trio.sleep_forever()

    supervisor = Supervisor([ChildSpec("a", Stuck, restart=Restart.TRANSIENT, shutdown=0.0)])
    ref = supervisor.ref("a")
    outcomes: list[type[BaseException]] = []

    async def call() -> None:
        try:
            await ref.call("x", timeout=1000)
        except (ActorDied, ActorGone) as error:
            outcomes.append(type(error))

    async with running(supervisor) as performance, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
        if end == "supervisor":
            performance.scope.cancel()
            await performance.over.wait()
        else:
            await supervisor.terminate_child("a")
            if end == "delete":
                await supervisor.delete_child("a")
        await wait_all_tasks_blocked()
        assert outcomes == [ActorDied, ActorGone, ActorGone]
        with pytest.raises(ActorGone):
            await ref.call("later")
        await ref.cast("later")
        assert supervisor.dead_letters.count == 3


async def test_restart_child_opens_the_mailbox_of_the_same_ref_again() -> None:
    supervisor = desk()
    ref = supervisor.ref("desk")
    async with running(supervisor):
        await supervisor.terminate_child("desk")
        with pytest.raises(ActorGone):
            await ref.call(1)
        assert await supervisor.restart_child("desk") is ref
        assert await ref.call(1) == 1


async def test_messages_sent_before_the_start_and_during_a_recovery_are_kept() -> None:
    supervisor = desk()
    ref = supervisor.ref("desk")
    await ref.cast(BOOM)
    async with trio.open_nursery() as nursery:
        answers: list[object] = []

        async def call() -> None:
            answers.append(await ref.call("early"))

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        async with running(supervisor):
            assert answers == ["early"]
            assert supervisor.which_child("desk").restarts == 1


async def test_cast_is_always_a_checkpoint() -> None:
    supervisor = desk()
    ref = supervisor.ref("desk")
    async with running(supervisor):
        with trio.testing.assert_checkpoints():
            await ref.cast(1)
        with trio.testing.assert_checkpoints():
            await ref.call(1)
        await supervisor.terminate_child("desk")
        with trio.testing.assert_checkpoints():
            await ref.cast(1)
        with trio.testing.assert_checkpoints(), pytest.raises(ActorGone):
            await ref.call(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.cast("cancelled")
        assert scope.cancelled_caught
        assert supervisor.dead_letters.count == 1


async def test_an_actor_yields_at_least_every_fifty_messages() -> None:
    handled: list[int] = []

    class Greedy(Actor):
        async def handle(self, message: int) -> None:
            handled.append(message)

    class Steps(trio.abc.Instrument):
        begun = 0
        longest = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.begun = len(handled)

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            self.longest = max(self.longest, len(handled) - self.begun)

    supervisor = Supervisor([ChildSpec("a", Greedy)])
    async with running(supervisor):
        await supervisor.suspend_child("a")
        for number in range(500):
            await supervisor.ref("a").cast(number)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(steps)
    assert len(handled) == 500
    assert steps.longest == 50


async def test_a_kill_between_two_bursts_loses_no_message() -> None:
    class Steady(Actor):
        async def handle(self, message: int) -> int:
            if message == 49:  # the last of a burst: the cancellation takes effect in the yield that follows
                scopes.pop().start_soon(supervisor.kill_child, "a")
                await trio.lowlevel.cancel_shielded_checkpoint()
                await trio.lowlevel.cancel_shielded_checkpoint()
            return message

    answers: list[int] = []

    async def call(number: int) -> None:
        answers.append(await supervisor.ref("a").call(number))

    supervisor = Supervisor([ChildSpec("a", Steady)])
    async with running(supervisor), trio.open_nursery() as nursery:
        scopes = [nursery]
        await supervisor.suspend_child("a")
        for number in range(60):
            nursery.start_soon(call, number)
            await wait_all_tasks_blocked()
        await supervisor.resume_child("a")
    assert sorted(answers) == list(range(60))
    assert supervisor.which_child("a").restarts == 1


async def test_an_actor_outside_a_supervisor_cannot_stop_or_watch() -> None:
    for act in (lambda: Desk().stop(), lambda: Desk().defer()):
        with pytest.raises(RuntimeError, match="supervisor"):
            act()


async def test_a_plain_child_may_be_a_partial_or_any_async_callable() -> None:
    class ByCall:
        async def __call__(self, *, task_status: trio.TaskStatus[str]) -> None:
            task_status.started("called")
            await trio.sleep_forever()

    supervisor = Supervisor()
    async with running(supervisor):
        assert await supervisor.start_child(ChildSpec("a", ByCall())) == "called"
        assert await supervisor.start_child(Stage().spec("b")) == "b 1"
