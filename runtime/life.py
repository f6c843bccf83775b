"""One life of a child, from its start to its exit: the task that runs it, in a shielded scope of its own."""

from __future__ import annotations

import contextvars
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio
from attrs import define, field
from trio.lowlevel import enable_ki_protection

from runtime.acting import GRACE_AFTER_CANCEL, act
from runtime.errors import ActorDied
from runtime.exits import Exit, interrupt_in
from runtime.mailbox import Envelope, Mailbox
from runtime.monitor import Monitor
from runtime.reply import Reply
from runtime.stacks import stack_of
from runtime.states import State

if TYPE_CHECKING:
    from runtime.actor import Actor
    from runtime.slot import Slot
    from runtime.spec import ChildSpec
    from runtime.supervisor import Supervisor

log = logging.getLogger("runtime")

enclosing_life: contextvars.ContextVar[Life | None] = contextvars.ContextVar("enclosing_life", default=None)
"""The life whose task this is; how a nested supervisor finds its parent."""


@define(eq=False)
class Life:
    """Made for one start of a slot's child; `run` is its task, and calls `on_end` as its last step."""

    slot: Slot
    nursery: trio.Nursery
    """Of its supervisor, where lives run."""
    on_end: Callable[[Life], None]
    ready: bool = False
    claimed: bool = False
    """Its end is already answered for, by a stop, a recovery or the start that waits for it."""
    exit: Exit | None = None
    fatal: BaseException | None = None
    """What came out of the child and is no exit: KeyboardInterrupt, SystemExit."""
    crash: Exit | None = None
    """Set while an actor runs its stop hook after a crash: what it died of, however the hook ends."""
    leaving: Exit | None = None
    """Set when an actor is to end after the message in hand."""
    since: float = field(init=False, factory=trio.current_time)
    value: object = None
    nested: Supervisor | None = None
    task: trio.lowlevel.Task | None = None
    # Of an actor
    actor: Actor | None = None
    in_hand: Envelope | None = None
    begun: float = 0.0
    """When the message in hand was taken."""
    busy: float = 0.0
    """Seconds spent handling messages, without the one in hand."""
    outstanding: set[Reply] = field(init=False)
    monitors: set[Monitor] = field(init=False)
    # Its end
    stopping: bool = False
    next_press: float = math.inf
    """When patience with it ends next, in seconds of trio's clock."""
    _forced: bool = False
    _watch: trio.CancelScope | None = None
    _change: trio.Event | None = None
    """Made by who waits for one: most lives are waited for once, at their start."""
    _scope: trio.CancelScope = field(init=False, factory=lambda: trio.CancelScope(shield=True))

    @property
    def spec(self) -> ChildSpec:
        return self.slot.spec

    @property
    def mailbox(self) -> Mailbox:
        assert self.slot.mailbox is not None
        return self.slot.mailbox

    @property
    def is_over(self) -> bool:
        return self.exit is not None

    async def change(self) -> None:
        """Waits until it becomes ready or, being that, is over."""
        if self._change is None:
            self._change = trio.Event()
        await self._change.wait()

    # Living

    async def run(self) -> None:
        enclosing_life.set(self)
        self.task = trio.lowlevel.current_task()
        exit_ = Exit.normal
        try:
            with self._scope:
                exit_ = await self._live()
            if self._scope.cancelled_caught:
                exit_ = self.crash or (Exit.killed if self._forced else Exit.shutdown)
        except Exception as error:  # noqa: BLE001 - any exception is the child's exit
            exit_ = Exit.error(error)
        except BaseException as error:  # noqa: BLE001 - handed to the supervisor, which ends and raises it
            exit_ = Exit.error(error)
            self.fatal = interrupt_in(error) or error
        self._end(exit_)

    def started(self, value: object = None) -> None:
        """The child is ready. Life is the `task_status` of a plain child."""
        if self.ready:
            raise RuntimeError("called 'started' twice on the same task status")
        self.ready = True
        self.value = value
        if not self.claimed:
            self.slot.value = value
            self.slot_enters(State.RUNNING)
        self.since = trio.current_time()
        self._changed()

    def slot_enters(self, state: State) -> None:
        """A state that a life goes through; nothing when its end is answered for by somebody else."""
        if not self.claimed and self.slot.life is self:
            self.slot.enter(state)

    async def _live(self) -> Exit:
        if self.slot.ref is None:
            result = await self.spec.start(task_status=self)
            return result if isinstance(result, Exit) else Exit.normal
        actor: Actor = self.spec.start()
        actor._life = self  # noqa: SLF001 - an actor is given its life here, and nowhere else
        actor.ref = self.slot.ref
        actor.supervisor = self.slot.supervisor
        self.actor = actor
        self.outstanding, self.monitors = set(), set()
        self.mailbox.renew()
        return await act(self, actor)

    @enable_ki_protection
    def _end(self, exit_: Exit) -> None:
        self.exit = exit_
        self.settle(exit_)
        if self.actor is not None:
            for reply in tuple(self.outstanding):
                reply.expire(ActorDied(exit_))
            for monitor in tuple(self.monitors):
                monitor.cancel()
        if self._watch is not None:
            self._watch.cancel(reason="it ended")
        self.actor = self.task = self.nested = None
        self._changed()
        self.on_end(self)

    def _changed(self) -> None:
        change, self._change = self._change, None
        if change is not None:
            change.set()

    # Of an actor

    def leave(self, exit_: Exit) -> None:
        """The actor ends after the message in hand. The first one to ask decides how."""
        if self.leaving is None:
            self.leaving = exit_
            self.mailbox.wake()

    def defer(self) -> Reply:
        if self.in_hand is None:
            raise RuntimeError("there is no message in hand to defer the answer of")
        if self.in_hand.reply is None:
            self.in_hand.reply = Reply(None)
        reply = self.in_hand.reply
        reply.defer(self.outstanding)
        return reply

    def settle(self, exit_: Exit) -> None:
        """The message in hand will not be answered any more, unless that was deferred."""
        envelope, self.in_hand = self.in_hand, None
        if envelope is not None and envelope.reply is not None and not envelope.reply.deferred:
            envelope.reply.expire(ActorDied(exit_))

    # Ending

    def ask_to_stop(self, now: float) -> None:
        """Begins its end: what the spec's `shutdown` says. Asking again changes nothing."""
        if self.stopping or self.is_over:
            return
        if self.spec.shutdown_is_brutal:
            self.kill(now)
            return
        self.stopping = True
        self.next_press = now + self.spec.patience
        self.slot.enter(State.STOPPING)
        if self.slot.mailbox is None:
            self._scope.cancel(reason="stopped by its supervisor")
        else:
            self.leave(Exit.shutdown)

    def kill(self, now: float) -> None:
        """Cancels it at once, without any stop hook."""
        if self._forced or self.is_over:
            return
        self.stopping = self._forced = True
        self.next_press = now + GRACE_AFTER_CANCEL
        self.slot.enter(State.STOPPING)
        self._scope.cancel(reason="killed by its supervisor")

    def press(self, now: float) -> None:
        """Its time is over: an actor is cut off, and what was cancelled before is unresponsive."""
        if self._forced or self.slot.mailbox is None:
            self._forced = True
            self.next_press = math.inf
            self._is_unresponsive()
        else:
            self.kill(now)

    def watch(self, seconds: float) -> None:
        """It is ending by itself: unresponsive, if that takes longer. Replaces an earlier watch."""
        if self._watch is not None:
            self._watch.cancel(reason="it came so far")
        self._watch = trio.CancelScope()
        self.nursery.start_soon(self._report_after, seconds, self._watch)

    async def _report_after(self, seconds: float, watch: trio.CancelScope) -> None:
        with watch:
            await trio.sleep(seconds)
            if not self.stopping and not self.claimed:  # who stops it has a deadline of his own
                self._is_unresponsive()

    def _is_unresponsive(self) -> None:
        self.slot.enter(State.UNRESPONSIVE)
        stack = [] if self.task is None else stack_of(self.task)
        log.error("child_unresponsive child=%s stack=%s", self.spec.id, " < ".join(reversed(stack)))
