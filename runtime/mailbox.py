"""A bounded mailbox with two lanes: system messages first, user messages under an overflow policy."""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable

import outcome
import trio
from attrs import define, frozen
from trio.lowlevel import enable_ki_protection

from runtime.checks import is_count, require
from runtime.histogram import Histogram
from runtime.reply import Reply


class Overflow(enum.StrEnum):
    """What happens to a message when the mailbox is full."""

    BLOCK = "block"
    """Its sender waits for room, first come first served."""
    REJECT = "reject"
    """Its sender gets MailboxFull."""
    DROP_OLDEST = "drop_oldest"
    """The oldest one makes room: it becomes a dead letter, and its caller gets MailboxFull."""


@define(eq=False)
class Envelope:
    """A message on its way."""

    message: object
    reply: Reply | None
    """Where a caller waits; None for a cast."""
    at: float
    """When it was handed over, in seconds of trio's clock."""


@frozen
class MailboxStats:
    depth: int
    """Messages that wait, those of senders waiting for room included."""
    peak: int
    """The greatest number of messages that ever lay in the user lane."""
    dropped: int
    """Messages that had to make room for younger ones."""
    oldest_age: float | None
    """Seconds that the oldest waiting message has waited; None when none waits."""


def _nobody_is_told(_envelope: Envelope, _reason: str) -> None:
    """A mailbox outside any supervisor."""


class Mailbox:
    """Many senders, one receiver; survives the lives of its actor.

    `calls`, where it is given, gets the seconds that each caller waited, however that ended: one for many
    mailboxes, or one of its own.

    Raises InvalidSpec for a capacity below 1 or an unknown policy.
    """

    __slots__ = (
        "_paused", "_receiver", "_system", "_user", "_waiting", "calls",
        "capacity", "closed", "dropped", "lose", "overflow", "peak",
    )  # fmt: skip

    def __init__(
        self, capacity: int = 1024, overflow: Overflow = Overflow.BLOCK, *, calls: Histogram | None = None
    ) -> None:
        require("capacity", capacity, is_count(capacity, least=1))
        require("overflow", overflow, isinstance(overflow, Overflow))
        self.capacity = capacity
        self.overflow = overflow
        self.calls = calls
        self.closed = False
        self.peak = 0
        self.dropped = 0
        self.lose: Callable[[Envelope, str], None] = _nobody_is_told
        """Told of every message that was taken in and will not be handled, with the reason."""
        self._system: deque[Envelope] = deque()
        self._user: deque[Envelope] = deque()
        # Senders waiting for room, in order. A caster's task is woken when its message is in; a caller's
        # is not (None), it stays parked for its answer.
        self._waiting: OrderedDict[Envelope, trio.lowlevel.Task | None] = OrderedDict()
        self._receiver: trio.lowlevel.Task | None = None
        self._paused = False

    # Senders

    @enable_ki_protection
    def offer(self, envelope: Envelope) -> bool:
        """Takes a message in, if it is open and has room or may make some."""
        if self.closed:
            return False
        user = self._user
        if len(user) >= self.capacity:  # as it is while anybody waits for room: nobody is overtaken
            if self.overflow is not Overflow.DROP_OLDEST:
                return False
            self.dropped += 1
            self.lose(user.popleft(), "dropped")
        user.append(envelope)
        if len(user) > self.peak:  # noqa: PLR1730 - half the time of max(), in the hottest path
            self.peak = len(user)
        if self._receiver is not None and not self._paused:
            self._wake()
        return True

    @enable_ki_protection
    def queue(self, envelope: Envelope) -> None:
        """Lets a caller's message wait for room, after an offer was refused."""
        self._waiting[envelope] = None

    @enable_ki_protection
    def withdraw(self, envelope: Envelope) -> None:
        """Takes back a message that waits for room; one that is in will be skipped as abandoned."""
        self._waiting.pop(envelope, None)

    async def wait_for_room(self, envelope: Envelope) -> bool:
        """Parks the calling task until its message, refused by `offer`, is in. False: closed before that."""
        self._waiting[envelope] = trio.lowlevel.current_task()

        def give_up(_raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            del self._waiting[envelope]
            return trio.lowlevel.Abort.SUCCEEDED

        admitted: bool = await trio.lowlevel.wait_task_rescheduled(give_up)
        return admitted

    @enable_ki_protection
    def offer_system(self, envelope: Envelope) -> None:
        """Takes in a system message: always room, ahead of all user messages."""
        self._system.append(envelope)
        self._wake()

    # The receiver

    @enable_ki_protection
    def take(self) -> Envelope | None:
        """The next message, or None; those whose callers left are skipped."""
        if self._system:
            return self._system.popleft()
        if self._paused:
            return None
        user = self._user
        while user:
            envelope = user.popleft()
            if self._waiting:
                self._admit()
            if envelope.reply is None or not envelope.reply.abandoned:
                return envelope
        return None

    async def wait(self) -> None:
        """Parks the receiver until there may be something to take, or `wake` was called."""
        self._receiver = trio.lowlevel.current_task()

        def give_up(_raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._receiver = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)

    @enable_ki_protection
    def wake(self) -> None:
        """Makes the receiver look up: something else than a message has come."""
        self._wake()

    def pause(self) -> None:
        """User messages stay where they are; the overflow policy acts on."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._wake()

    # Its owner

    def open(self) -> None:
        self.closed = False

    def renew(self) -> None:
        """For a new life: not paused, and without the system messages meant for the last one."""
        self._paused = False
        self._system.clear()

    @enable_ki_protection
    def close(self) -> None:
        """Takes nothing in any more, and loses all that waits."""
        self.closed = True
        self._system.clear()
        user, waiting = self._user, self._waiting
        while user:
            self._lose_unless_abandoned(user.popleft())
        while waiting:
            envelope, task = waiting.popitem(last=False)
            if task is None:
                self._lose_unless_abandoned(envelope)
            else:
                trio.lowlevel.reschedule(task, outcome.Value(False))

    def stats(self, now: float) -> MailboxStats:
        oldest = self._user[0] if self._user else None
        return MailboxStats(
            depth=len(self._user) + len(self._waiting),
            peak=self.peak,
            dropped=self.dropped,
            oldest_age=None if oldest is None else now - oldest.at,
        )

    def _admit(self) -> None:
        envelope, task = self._waiting.popitem(last=False)
        self._user.append(envelope)
        if task is not None:
            trio.lowlevel.reschedule(task, outcome.Value(True))

    def _lose_unless_abandoned(self, envelope: Envelope) -> None:
        if envelope.reply is None or not envelope.reply.abandoned:
            self.lose(envelope, "gone")

    def _wake(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            trio.lowlevel.reschedule(receiver)
