"""Mailboxes: two lanes, three overflow policies, and what becomes of messages that find no room or nobody."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Actor,
    ActorGone,
    CallTimeout,
    ChildSpec,
    DeadLetter,
    DeadLetters,
    Down,
    Mailbox,
    MailboxFull,
    MailboxStats,
    Overflow,
    Restart,
    Supervisor,
)
from tests.runtime.stage import BOOM, running


class Keeper(Actor):
    """Keeps what it handles, and answers with it."""

    def __init__(self, handled: list[Any]) -> None:
        self.handled = handled

    async def handle(self, message: Any) -> Any:
        self.handled.append(message)
        if isinstance(message, Exception):
            raise message
        return message


def keeper(handled: list[Any], capacity: int, overflow: Overflow, **flags: Any) -> Supervisor:
    mailbox = partial(Mailbox, capacity, overflow)
    return Supervisor([ChildSpec("a", partial(Keeper, handled), mailbox=mailbox, **flags)])


def stats(supervisor: Supervisor) -> MailboxStats:
    found = supervisor.tree().children[0].mailbox
    assert found is not None
    return found


async def test_block_lets_senders_wait_first_come_first_served() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 2, Overflow.BLOCK)
    async with running(supervisor), trio.open_nursery() as nursery:
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        await ref.cast(2)
        answers: list[Any] = []

        async def call(message: int) -> None:
            answers.append(await ref.call(message))

        for number, send in ((3, ref.cast), (4, call), (5, ref.cast), (6, call)):
            nursery.start_soon(send, number)
            await wait_all_tasks_blocked()
        assert stats(supervisor).depth == 6
        assert stats(supervisor).peak == 2
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == [1, 2, 3, 4, 5, 6]
        assert sorted(answers) == [4, 6]


async def test_nobody_overtakes_those_who_wait_for_room() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 1, Overflow.BLOCK)
    async with running(supervisor), trio.open_nursery() as nursery:
        ref = supervisor.ref("a")

        async def flood(name: str) -> None:
            for number in range(5):
                await ref.cast((name, number))

        nursery.start_soon(flood, "x")
        nursery.start_soon(flood, "y")
        await wait_all_tasks_blocked()
    for name in "xy":
        assert [number for who, number in handled if who == name] == [0, 1, 2, 3, 4]


async def test_a_sender_that_stops_waiting_for_room_sends_nothing(autojump_clock: MockClock) -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 1, Overflow.BLOCK)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        with trio.move_on_after(1):
            await ref.cast(2)
        with pytest.raises(CallTimeout):
            await ref.call(3, timeout=2)  # the time-out covers the wait for room
        assert trio.current_time() == 3
        assert stats(supervisor).depth == 1
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == [1]


async def test_reject_refuses_call_and_cast() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 1, Overflow.REJECT)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        with trio.testing.assert_checkpoints(), pytest.raises(MailboxFull) as caught:
            await ref.cast(2)
        assert caught.value.id == "a"
        with trio.testing.assert_checkpoints(), pytest.raises(MailboxFull):
            await ref.call(3)
        assert supervisor.dead_letters.count == 0  # the senders know
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == [1]


async def test_drop_oldest_makes_room_and_tells_the_oldests_caller() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 2, Overflow.DROP_OLDEST)
    async with running(supervisor), trio.open_nursery() as nursery:
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")

        async def call() -> None:
            with pytest.raises(MailboxFull):
                await ref.call("oldest")
            handled.append("told")

        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        for number in (1, 2, 3):
            await ref.cast(number)
        assert list(supervisor.dead_letters) == [
            DeadLetter("a", "str", "dropped"),
            DeadLetter("a", "int", "dropped"),
        ]
        assert stats(supervisor).dropped == 2
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled == ["told", 2, 3]


async def test_system_messages_come_first_and_always_have_room() -> None:
    handled: list[Any] = []

    class Watcher(Keeper):
        async def handle(self, message: Any) -> Any:
            if message == "watch":
                self.monitor(self.supervisor.ref("b"))
            return await super().handle(message)

    supervisor = Supervisor(
        [
            ChildSpec("b", partial(Keeper, []), restart=Restart.TEMPORARY),
            ChildSpec("a", partial(Watcher, handled), mailbox=partial(Mailbox, 1)),
        ]
    )
    async with running(supervisor):
        ref = supervisor.ref("a")
        await ref.call("watch")
        await supervisor.suspend_child("a")
        await ref.cast("user")
        await supervisor.terminate_child("b")
        await wait_all_tasks_blocked()
        assert [type(message) for message in handled] == [str, Down]  # suspended, and yet
        await supervisor.resume_child("a")
        await wait_all_tasks_blocked()
        assert handled[2:] == ["user"]


async def test_a_stop_goes_ahead_of_the_queue() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 10, Overflow.BLOCK)
    async with running(supervisor):
        await supervisor.suspend_child("a")
        for number in range(3):
            await supervisor.ref("a").cast(number)
        await supervisor.terminate_child("a")
        assert handled == []
        assert list(supervisor.dead_letters) == [DeadLetter("a", "int", "gone")] * 3


async def test_waiting_senders_of_a_closing_mailbox_are_let_go() -> None:
    supervisor = keeper([], 1, Overflow.BLOCK)
    async with running(supervisor), trio.open_nursery() as nursery:
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        await ref.cast(1)
        ends: list[str] = []

        async def call() -> None:
            with pytest.raises(ActorGone):
                await ref.call("call")
            ends.append("call")

        async def cast() -> None:
            await ref.cast("cast")  # never raises for a callee that is gone
            ends.append("cast")

        nursery.start_soon(call)
        nursery.start_soon(cast)
        await wait_all_tasks_blocked()
        await supervisor.terminate_child("a")
        await wait_all_tasks_blocked()
        assert sorted(ends) == ["call", "cast"]
        assert supervisor.dead_letters.count == 3


async def test_the_mailbox_survives_a_restart() -> None:
    handled: list[Any] = []
    supervisor = keeper(handled, 10, Overflow.BLOCK)
    async with running(supervisor):
        ref = supervisor.ref("a")
        await supervisor.suspend_child("a")
        for message in (1, BOOM, 2):
            await ref.cast(message)
        await supervisor.resume_child("a")
        assert await ref.call(3) == 3
        assert handled == [1, BOOM, 2, 3]
        assert stats(supervisor).peak >= 3
        assert supervisor.dead_letters.count == 0


async def test_stats_tell_the_age_of_the_oldest(autojump_clock: MockClock) -> None:
    supervisor = keeper([], 10, Overflow.BLOCK)
    async with running(supervisor):
        assert stats(supervisor) == MailboxStats(depth=0, peak=0, dropped=0, oldest_age=None)
        await supervisor.suspend_child("a")
        await supervisor.ref("a").cast(1)
        await trio.sleep(3)
        await supervisor.ref("a").cast(2)
        assert stats(supervisor) == MailboxStats(depth=2, peak=2, dropped=0, oldest_age=3.0)


async def test_dead_letters_are_a_bounded_ring_with_a_log_line_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    letters = DeadLetters(capacity=2)
    inner = Supervisor([ChildSpec("a", partial(Keeper, []))], id="inner")
    outer = Supervisor([ChildSpec("inner", inner.run)], dead_letters=letters)
    async with running(outer):
        await inner.terminate_child("a")
        for secret in ("secret", b"secret", ["secret"]):
            await inner.ref("a").cast(secret)
    assert inner.dead_letters is letters  # its parent's, having none of its own
    assert outer.dead_letters is letters
    assert letters.count == 3
    assert list(letters) == [DeadLetter("a", "bytes", "gone"), DeadLetter("a", "list", "gone")]
    lines = [record.getMessage() for record in caplog.records if record.name == "runtime"]
    assert lines == [f"message_lost recipient=a type={name} reason=gone" for name in ("str", "bytes", "list")]
    assert "secret" not in caplog.text


async def test_a_supervisor_prefers_dead_letters_of_its_own() -> None:
    own = DeadLetters()
    inner = Supervisor(dead_letters=own)
    outer = Supervisor([ChildSpec("inner", inner.run)])
    async with running(outer):
        assert inner.dead_letters is own
        assert outer.dead_letters is not own


async def test_messages_whose_callers_left_are_no_dead_letters(autojump_clock: MockClock) -> None:
    supervisor = keeper([], 10, Overflow.BLOCK)
    async with running(supervisor):
        await supervisor.suspend_child("a")
        with pytest.raises(CallTimeout):
            await supervisor.ref("a").call(1, timeout=1)
        await supervisor.terminate_child("a")
        assert supervisor.dead_letters.count == 0
