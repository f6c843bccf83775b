"""tree(), which_child and the loop's lag: seen from outside, without asking any actor."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from runtime import (
    Actor,
    Backoff,
    CallTimeout,
    ChildSpec,
    ChildType,
    Exit,
    Histogram,
    LoopLag,
    Mailbox,
    Restart,
    State,
    Supervisor,
)
from tests.runtime.stage import BOOM, Stage, running


class Sleeper(Actor):
    async def handle(self, message: float) -> None:
        await trio.sleep(message)


async def test_tree_shows_every_level_without_the_actors_help(autojump_clock: MockClock) -> None:
    stage = Stage()
    inner = Supervisor([ChildSpec("busy", Sleeper), stage.spec("plain")], id="inner")
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)], id="outer")
    async with running(outer):
        await trio.sleep(10)
        await inner.ref("busy").cast(30.0)
        await inner.ref("busy").cast(1.0)
        await trio.sleep(10)
        root = outer.tree()
        assert (root.id, root.type, root.state, root.since) == ("outer", "supervisor", State.RUNNING, 0.0)
        [node] = root.children
        assert (node.id, node.type, node.mailbox, node.busy) == ("inner", ChildType.SUPERVISOR, None, None)
        busy, plain = node.children
        assert (busy.message, busy.message_age, busy.busy) == ("float", 10.0, 0.5)
        assert busy.mailbox is not None
        assert (busy.mailbox.depth, busy.mailbox.oldest_age) == (1, 10.0)
        assert (plain.id, plain.message, plain.mailbox, plain.stack) == ("plain", None, None, None)
        await trio.sleep(30)
        busy = inner.tree().children[0]
        assert (busy.message, busy.message_age) == (None, None)
        assert busy.busy == 31 / 50


class Helped(Sleeper):
    async def on_start(self) -> None:
        self.nursery.start_soon(self.help)

    async def help(self) -> None:
        await trio.sleep_forever()


async def test_the_stacks_of_a_child_show_its_handler_first_and_then_its_tasks(
    autojump_clock: MockClock,
) -> None:
    supervisor = Supervisor([ChildSpec("busy", Helped)])
    async with running(supervisor):
        await supervisor.ref("busy").cast(30.0)
        await trio.sleep(1)
        own, helper = supervisor.stacks("busy")
        assert own.name == "busy"
        assert any(frame.endswith(" Sleeper.handle") for frame in own.frames)
        assert helper.frames[0].endswith(" Helped.help")
        await supervisor.terminate_child("busy")
        assert supervisor.stacks("busy") == ()


async def test_a_nested_supervisor_that_is_still_starting_is_seen() -> None:
    stage = Stage()
    stage.next_starts["b"] = ["hang"]
    inner = Supervisor([stage.spec("a"), stage.spec("b")], id="inner")
    outer = Supervisor([ChildSpec("inner", inner.run, type=ChildType.SUPERVISOR)])
    async with running(outer):
        [node] = outer.tree().children
        assert node.state is State.STARTING
        assert [(child.id, child.state) for child in node.children] == [
            ("a", State.RUNNING),
            ("b", State.STARTING),
        ]


async def test_a_supervisor_run_by_a_plain_function_is_seen_too() -> None:
    stage = Stage()

    async def child(*, task_status: trio.TaskStatus[Any]) -> Exit:
        return await Supervisor([stage.spec("a")], id="made inside").run(task_status=task_status)

    outer = Supervisor([ChildSpec("inner", child, type=ChildType.SUPERVISOR)])
    async with running(outer):
        [node] = outer.tree().children
        assert [inside.id for inside in node.children] == ["a"]


async def test_since_due_and_restarts_are_told(autojump_clock: MockClock) -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", backoff=Backoff(5.0, 9.0, jitter=0.0)), stage.spec("b")])
    assert supervisor.which_child("a").since is None
    async with running(supervisor):
        await trio.sleep(1)
        await stage.end("a", BOOM)
        info = supervisor.which_child("a")
        assert (info.state, info.since, info.due, info.restarts) == (State.BACKING_OFF, 1.0, 6.0, 0)
        assert supervisor.tree().children[0].due == 6.0
        await trio.sleep(6)
        info = supervisor.which_child("a")
        assert (info.state, info.since, info.due, info.restarts) == (State.RUNNING, 6.0, None, 1)
        assert info.last_exit == Exit.error(BOOM)
        assert supervisor.which_children()[1].since == 0.0


async def test_an_ended_childs_value_is_gone() -> None:
    stage = Stage()
    supervisor = Supervisor([stage.spec("a", restart=Restart.TRANSIENT)])
    async with running(supervisor):
        assert supervisor.which_child("a").value == "a 1"
        await stage.end("a")
        assert supervisor.which_child("a").value is None


async def test_lag_is_the_length_of_the_loops_turns() -> None:
    now = 0.0
    lag = LoopLag(clock=lambda: now)
    trio.lowlevel.add_instrument(lag)
    await trio.lowlevel.checkpoint()
    for busy in (5.0, 0.75, 3.0):
        now += busy
        await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(lag)
    by_bound = dict(zip((*lag.turns.bounds, math.inf), lag.turns.counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {1.0: 1, 5.0: 2}
    assert lag.turns.sum == 8.75


def test_a_value_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 1], 7.0)


async def test_a_call_is_timed_however_it_ends(autojump_clock: MockClock) -> None:
    waited = Histogram((1.0, 2.0, 4.0))
    supervisor = Supervisor([ChildSpec("sleeper", Sleeper, mailbox=partial(Mailbox, calls=waited))])
    async with running(supervisor):
        sleeper = supervisor.ref("sleeper")
        await sleeper.call(0.5)
        with pytest.raises(CallTimeout):
            await sleeper.call(6.0, timeout=3.0)
        with trio.move_on_after(1.5):
            await sleeper.call(0.0)
        await sleeper.cast(0.0)
        assert (waited.counts, waited.sum) == ([1, 1, 1, 0], 5.0)
