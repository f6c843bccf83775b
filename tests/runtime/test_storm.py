"""Whatever befalls an actor, every caller gets exactly one outcome, and nothing is handled twice."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from runtime import (
    Actor,
    ActorDied,
    ActorGone,
    Backoff,
    CallTimeout,
    ChildSpec,
    Mailbox,
    MailboxFull,
    Overflow,
    Reply,
    SupervisionError,
    Supervisor,
)
from tests.runtime.stage import running

CALLERS, CALLS = 12, 25


class Fickle(Actor):
    """Answers at once, later or from a task of its own; now and then it dies."""

    domain_errors = (LookupError,)

    def __init__(self, rng: random.Random, handled: Counter[object]) -> None:
        self.rng = rng
        self.handled = handled

    async def handle(self, message: object) -> object:
        self.handled[message] += 1
        match self.rng.randrange(8):
            case 0:
                raise RuntimeError
            case 1:
                raise LookupError
            case 2:
                await trio.sleep(self.rng.random())
            case 3:
                self.nursery.start_soon(self.answer, self.defer(), message)
            case 4:
                self.nursery.start_soon(self.fail)
            case 5:
                self.defer().send(message)
        return message

    async def answer(self, reply: Reply, message: object) -> None:
        await trio.sleep(self.rng.random())
        reply.send(message)

    async def fail(self) -> None:
        await trio.sleep(self.rng.random())
        raise RuntimeError


@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("seed", range(4))
async def test_every_caller_gets_one_outcome(
    overflow: Overflow, seed: int, autojump_clock: MockClock
) -> None:
    rng = random.Random(seed)
    handled: Counter[object] = Counter()
    outcomes: Counter[str] = Counter()
    spec = ChildSpec(
        "a",
        partial(Fickle, rng, handled),
        backoff=Backoff(0.1, 1.0),
        shutdown=0.3,
        mailbox=partial(Mailbox, 4, overflow),
    )
    supervisor = Supervisor([spec], intensity=10**6, rng=rng)
    ref = supervisor.ref("a")

    async def caller(name: int) -> None:
        for number in range(CALLS):
            await trio.sleep(rng.random() * 0.3)
            with trio.move_on_after(rng.choice([0.05, 100.0])) as patience:
                try:
                    assert await ref.call((name, number), timeout=rng.choice([0.05, 1000.0])) == (
                        name,
                        number,
                    )
                    outcomes["answer"] += 1
                except (LookupError, ActorDied, ActorGone, MailboxFull, CallTimeout) as error:
                    outcomes[type(error).__name__] += 1
            outcomes["cancelled"] += patience.cancelled_caught

    async def trouble() -> None:
        operations = ["kill", "suspend", "resume", "terminate", "restart", "restart", "resume"]
        while True:
            await trio.sleep(rng.random())
            with suppress(SupervisionError):  # it does not run, or runs already
                await getattr(supervisor, f"{rng.choice(operations)}_child")("a")

    async with running(supervisor), trio.open_nursery() as nursery:
        nursery.start_soon(trouble)
        async with trio.open_nursery() as callers:
            for name in range(CALLERS):
                callers.start_soon(caller, name)
        nursery.cancel_scope.cancel()
    assert outcomes.total() == CALLERS * CALLS
    assert set(handled.values()) == {1}
