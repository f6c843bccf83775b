"""Supervised actors on Trio. Knows nothing of any application; imports nothing of this project's other parts.

    Supervisor.run ──┬─ work: recoveries and operations, ended first when it stops
                     └─ lives: one task a child, each in a shielded scope of its own
                          │
    Slot ── spec, Mailbox, Ref: what outlasts the child's lives
      └─ Life ── one run of the child, from its start to its Exit
           └─ act ── an Actor's start, messages one by one, and stop hook

A caller holds a Ref, whose mailbox belongs to the slot. When a life ends, `decisions` says what follows and
`recovery` does it. `tree()` looks at all of it without asking anybody.
"""

from runtime.actor import Actor
from runtime.backoff import Backoff, OnExhausted
from runtime.deadletters import DeadLetter, DeadLetters
from runtime.dynamic import DynamicSupervisor
from runtime.errors import (
    ActorDied,
    ActorGone,
    AlreadyPresent,
    AlreadyStarted,
    CallTimeout,
    ChildNotFound,
    ChildRunning,
    InvalidSpec,
    MailboxFull,
    NotAnActor,
    NotRunning,
    RestartIntensityExceeded,
    StartFailed,
    SupervisionError,
    TooManyChildren,
)
from runtime.exits import Exit
from runtime.histogram import Histogram
from runtime.lag import LoopLag
from runtime.mailbox import Mailbox, MailboxStats, Overflow
from runtime.monitor import Down, Monitor
from runtime.ref import Ref
from runtime.reply import Reply
from runtime.spec import BRUTAL, AutoShutdown, ChildSpec, ChildType, Restart, Strategy
from runtime.stacks import TaskStack
from runtime.states import State
from runtime.supervisor import Supervisor
from runtime.tree import ChildInfo, Counts, TreeNode

__all__ = [
    "BRUTAL",
    "Actor",
    "ActorDied",
    "ActorGone",
    "AlreadyPresent",
    "AlreadyStarted",
    "AutoShutdown",
    "Backoff",
    "CallTimeout",
    "ChildInfo",
    "ChildNotFound",
    "ChildRunning",
    "ChildSpec",
    "ChildType",
    "Counts",
    "DeadLetter",
    "DeadLetters",
    "Down",
    "DynamicSupervisor",
    "Exit",
    "Histogram",
    "InvalidSpec",
    "LoopLag",
    "Mailbox",
    "MailboxFull",
    "MailboxStats",
    "Monitor",
    "NotAnActor",
    "NotRunning",
    "OnExhausted",
    "Overflow",
    "Ref",
    "Reply",
    "Restart",
    "RestartIntensityExceeded",
    "StartFailed",
    "State",
    "Strategy",
    "SupervisionError",
    "Supervisor",
    "TaskStack",
    "TooManyChildren",
    "TreeNode",
]
