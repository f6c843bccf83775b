"""Casts beside a memory channel, and calls beside a channel, an event and a time-out."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from bench.rounds import Row, alternate, processor_time
from runtime import Actor, ChildSpec, Histogram, Mailbox, Ref, Supervisor

__all__ = ["measure_calls", "measure_casts", "measure_histogram"]

CAPACITY = 1024  # of a mailbox, and of the channel beside it
PATIENCE = 5.0  # seconds that a caller waits at most
BOUNDS = tuple(0.0001 * 2**n for n in range(14))  # of a histogram of calls, in seconds


async def measure_casts(messages: int, senders: int, rounds: int) -> Row:
    """From the first message sent to the last one handled."""
    (row,) = await alternate(
        partial(_cast, messages, senders), partial(_send, messages, senders), rounds, messages
    )
    return row


async def measure_calls(messages: int, rounds: int) -> Row:
    (row,) = await alternate(partial(_call, messages), partial(_ask, messages), rounds, messages)
    return row


async def measure_histogram(messages: int, rounds: int) -> Row:
    """Calls whose times are counted in a histogram, beside calls whose times are not."""
    (row,) = await alternate(
        partial(_call, messages, Histogram(BOUNDS)), partial(_call, messages), rounds, messages
    )
    return row


class Counter(Actor):
    """Counts what it gets, answers with it, and says when it has seen `last`."""

    def __init__(self, last: int, seen: trio.Event) -> None:
        self.last = last
        self.seen = seen
        self.count = 0

    async def handle(self, message: int) -> int:
        self.count += 1
        if message == self.last:
            self.seen.set()
        return message


async def _cast(messages: int, senders: int) -> tuple[float]:
    seen = trio.Event()
    supervisor, ref = _counter(messages, seen)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        seconds = await _send_all(ref.cast, messages, senders, seen)
        await supervisor.stop()
    return (seconds,)


async def _send(messages: int, senders: int) -> tuple[float]:
    seen = trio.Event()
    send, receive = trio.open_memory_channel[int](CAPACITY)

    async def receiver() -> None:
        count = 0
        async for message in receive:
            count += 1
            if message == messages:
                seen.set()

    async with trio.open_nursery() as nursery, send:
        nursery.start_soon(receiver)
        return (await _send_all(send.send, messages, senders, seen),)


async def _send_all(
    send: Callable[[int], Awaitable[None]], messages: int, senders: int, seen: trio.Event
) -> float:
    """Seconds until `seen`, which is set at the last message, sent when all others are."""

    async def sender() -> None:
        for _ in range(messages // senders):
            await send(0)

    began = processor_time()
    async with trio.open_nursery() as nursery:
        for _ in range(senders):
            nursery.start_soon(sender)
    await send(messages)
    await seen.wait()
    return processor_time() - began


async def _call(messages: int, histogram: Histogram | None = None) -> tuple[float]:
    supervisor, ref = _counter(-1, trio.Event(), histogram)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        began = processor_time()
        for number in range(messages):
            await ref.call(number, timeout=PATIENCE)
        seconds = processor_time() - began
        await supervisor.stop()
    return (seconds,)


def _counter(last: int, seen: trio.Event, histogram: Histogram | None = None) -> tuple[Supervisor, Ref]:
    mailbox = partial(Mailbox, CAPACITY, calls=histogram)
    supervisor = Supervisor([ChildSpec("counter", partial(Counter, last, seen), mailbox=mailbox)])
    return supervisor, supervisor.ref("counter")


class Question:
    """A call as one writes it without actors."""

    __slots__ = ("answer", "answered", "message")

    def __init__(self, message: int) -> None:
        self.message = message
        self.answered = trio.Event()
        self.answer: int | None = None


async def _ask(messages: int) -> tuple[float]:
    send, receive = trio.open_memory_channel[Question](CAPACITY)

    async def receiver() -> None:
        async for question in receive:
            question.answer = question.message
            question.answered.set()

    async def ask(message: int) -> int | None:
        question = Question(message)
        with trio.move_on_after(PATIENCE):
            await send.send(question)
            await question.answered.wait()
            return question.answer
        raise trio.TooSlowError

    async with trio.open_nursery() as nursery, send:
        nursery.start_soon(receiver)
        began = processor_time()
        for number in range(messages):
            await ask(number)
        return (processor_time() - began,)
