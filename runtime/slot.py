"""A child's place under its supervisor: spec, mailbox and record, which outlast the child's lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from attrs import define, field

from runtime.checks import require
from runtime.deadletters import DeadLetter
from runtime.errors import ActorGone, MailboxFull
from runtime.exits import Exit
from runtime.lock import Lock
from runtime.mailbox import Envelope, Mailbox
from runtime.monitor import Down, Monitor
from runtime.ref import Ref
from runtime.spec import ChildSpec
from runtime.states import ACTIVE, DUE, State

if TYPE_CHECKING:
    from runtime.life import Life
    from runtime.recovery import Round
    from runtime.supervisor import Supervisor


@define(eq=False)
class Slot:
    """One entry of a supervisor. All of its methods are steps without await."""

    spec: ChildSpec
    supervisor: Supervisor
    lock: Lock
    """Held by whoever starts or stops the child; shared by all slots when the strategy ties them together."""
    state: State = State.STOPPED
    since: float | None = None
    """When the state began, in seconds of trio's clock; None before the first run."""
    life: Life | None = None
    """The last life, until it ended and was dealt with."""
    value: object = None
    round: Round | None = None
    """The recovery that will start it."""
    restarts: int = 0
    """Lives begun by recoveries."""
    failures: int = 0
    """Failures in a row, for the back-off."""
    last_exit: Exit | None = None
    mailbox: Mailbox | None = field(init=False, default=None)
    ref: Ref | None = field(init=False, default=None)
    _watchers: set[Monitor] = field(init=False)

    def __attrs_post_init__(self) -> None:
        if self.spec.is_actor:
            mailbox = self.spec.mailbox()
            require("mailbox", self.spec.mailbox, isinstance(mailbox, Mailbox))
            mailbox.lose = self._lose
            self.mailbox = mailbox
            self.ref = Ref(self, mailbox)
            self._watchers = set()

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def token(self) -> trio.lowlevel.TrioToken | None:
        return self.supervisor.token

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_wanted(self) -> bool:
        """True when it ran or was due: what a recovery may stop and start."""
        return self.state in ACTIVE or self.state in DUE

    @property
    def due(self) -> float | None:
        return self.round.due if self.round is not None and self.state is State.BACKING_OFF else None

    def enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.since = trio.current_time()

    def open(self) -> None:
        """Messages are taken in: it is, or will be, started."""
        if self.mailbox is not None:
            self.mailbox.open()

    def rest(self, state: State) -> None:
        """Nothing will start it by itself again: its mailbox is closed and drained, and it is Down."""
        self.leave_round()
        self.life = None
        self.enter(state)
        if self.mailbox is None:
            return
        self.mailbox.close()
        for monitor in tuple(self._watchers):
            monitor.fire(self._down())

    def claim(self) -> Life | None:
        """Whoever calls this answers for the child from here on, and no recovery does; its life, if any."""
        self.leave_round()
        if self.life is not None:
            self.life.claimed = True
        return self.life

    def leave_round(self) -> None:
        if self.round is not None:
            self.round.lose(self)
            self.round = None

    def watch(self, monitor: Monitor) -> Monitor:
        if self.mailbox is not None and self.mailbox.closed:
            monitor.fire(self._down())
        else:
            monitor.keep_in(self._watchers)
        return monitor

    def dead_letter(self, message: object, reason: str) -> None:
        self.supervisor.dead_letters.add(DeadLetter(self.id, type(message).__name__, reason))

    def _lose(self, envelope: Envelope, reason: str) -> None:
        self.dead_letter(envelope.message, reason)
        if envelope.reply is not None:
            envelope.reply.fail(ActorGone(self.id) if reason == "gone" else MailboxFull(self.id))

    def _down(self) -> Down:
        return Down(self.id, self.last_exit or Exit.normal)
