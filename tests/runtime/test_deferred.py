"""Deferred replies: any task of the actor answers later, once, whoever is still there."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import Actor, ActorDied, CallTimeout, ChildSpec, Exit, Reply, Supervisor
from tests.runtime.stage import BOOM, running


class Clerk(Actor):
    """Defers every `later`; the test holds the replies."""

    domain_errors = (KeyError,)

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies

    async def handle(self, message: Any) -> Any:
        match message:
            case "later":
                self.replies.append(self.defer())
                return "ignored"
            case "at once":
                self.defer().send("at once")
            case "twice":
                first, second = self.defer(), self.defer()
                assert first is second
                first.send(1)
            case "domain error after":
                self.replies.append(self.defer())
                raise KeyError(message)
            case "crash after":
                self.defer()
                raise BOOM
        return message


class Office:
    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.outcomes: list[Any] = []
        replies = self.replies

        class Here(Clerk):
            def __init__(self) -> None:
                super().__init__(replies)

        self.supervisor = Supervisor([ChildSpec("a", Here, shutdown=1.0)])
        self.ref = self.supervisor.ref("a")

    async def call(self, message: Any = "later", timeout: float = 5.0) -> None:
        try:
            self.outcomes.append(await self.ref.call(message, timeout))
        except (ActorDied, CallTimeout, KeyError) as error:
            self.outcomes.append(error)


async def test_a_task_of_the_actor_answers_while_others_are_handled() -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(office.call)
        await wait_all_tasks_blocked()
        assert await office.ref.call("meanwhile") == "meanwhile"
        assert office.outcomes == []
        office.replies[0].send("answer")
        await wait_all_tasks_blocked()
        assert office.outcomes == ["answer"]
        assert not office.replies[0].abandoned


async def test_a_failure_is_raised_at_the_caller_and_harms_nobody_else() -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(office.call)
        await wait_all_tasks_blocked()
        error = KeyError("x")
        office.replies[0].fail(error)
        await wait_all_tasks_blocked()
        assert office.outcomes == [error]
        assert office.supervisor.which_child("a").restarts == 0


async def test_answering_within_handle_is_allowed() -> None:
    office = Office()
    async with running(office.supervisor):
        assert await office.ref.call("at once") == "at once"
        assert await office.ref.call("twice") == 1


async def test_answering_twice_is_a_mistake() -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(office.call)
        await wait_all_tasks_blocked()
        office.replies[0].send(1)
        with pytest.raises(RuntimeError, match="already answered"):
            office.replies[0].send(2)
        with pytest.raises(RuntimeError, match="already answered"):
            office.replies[0].fail(BOOM)
        await wait_all_tasks_blocked()
        assert office.outcomes == [1]


async def test_a_cast_has_a_reply_that_does_nothing() -> None:
    office = Office()
    async with running(office.supervisor):
        await office.ref.cast("later")
        await office.ref.cast("later")
        await wait_all_tasks_blocked()
        assert not office.replies[0].abandoned
        office.replies[0].send("to nobody")
        office.replies[1].fail(BOOM)
        assert not office.replies[0].abandoned
        assert await office.ref.call("on") == "on"


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_caller_that_left_has_abandoned_its_reply(how: str, autojump_clock: MockClock) -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(office.call, "later", 1.0 if how == "timeout" else 99.0)
        await wait_all_tasks_blocked()
        assert not office.replies[0].abandoned
        if how == "timeout":
            await trio.sleep(1.5)
            assert isinstance(office.outcomes[0], CallTimeout)
        nursery.cancel_scope.cancel()
    assert office.replies[0].abandoned
    office.replies[0].send("too late")


@pytest.mark.parametrize("end", ["crash", "stop", "kill"])
async def test_the_end_of_the_life_tells_callers_still_waiting(end: str) -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(office.call)
        await wait_all_tasks_blocked()
        if end == "crash":
            await office.call("crash after")
        elif end == "stop":
            await office.supervisor.terminate_child("a")
        else:
            await office.supervisor.kill_child("a")
        await wait_all_tasks_blocked()
        expected = {"crash": Exit.error(BOOM), "stop": Exit.shutdown, "kill": Exit.killed}[end]
        assert [error.exit for error in office.outcomes] == [expected] * (3 if end == "crash" else 2)
        for reply in office.replies:
            assert reply.abandoned
            reply.send("too late")


async def test_a_stop_hook_may_still_answer() -> None:
    class Closing(Actor):
        async def handle(self, message: Any) -> None:
            self.reply = self.defer()

        async def on_stop(self, exit: Exit) -> None:  # noqa: A002
            self.reply.send("closing")

    supervisor = Supervisor([ChildSpec("a", Closing)])
    answers = []

    async def call() -> None:
        answers.append(await supervisor.ref("a").call(1))

    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        await supervisor.terminate_child("a")
    assert answers == ["closing"]


async def test_a_domain_error_after_deferring_is_the_answer() -> None:
    office = Office()
    async with running(office.supervisor):
        await office.call("domain error after")
        assert isinstance(office.outcomes[0], KeyError)
        assert office.supervisor.which_child("a").restarts == 0


async def test_there_is_nothing_to_defer_outside_of_handle() -> None:
    caught = []

    class Early(Actor):
        async def on_start(self) -> None:
            try:
                self.defer()
            except RuntimeError as error:
                caught.append(error)

    async with running(Supervisor([ChildSpec("a", Early)])):
        assert "no message in hand" in str(caught[0])


async def test_a_reply_that_is_given_or_abandoned_is_not_kept(autojump_clock: MockClock) -> None:
    office = Office()
    async with running(office.supervisor), trio.open_nursery() as nursery:
        for timeout in (1.0, 5.0):
            nursery.start_soon(office.call, "later", timeout)
            await wait_all_tasks_blocked()
        await trio.sleep(2)
        office.replies[1].send("x")
        await wait_all_tasks_blocked()
        given = {id(reply) for reply in office.replies}
        office.replies.clear()
        office.outcomes.clear()  # an exception keeps the frames it passed
        gc.collect()
        assert not [kept for kept in gc.get_objects() if isinstance(kept, Reply) and id(kept) in given]
