"""Looking in: plain snapshots of children and of the whole tree, taken without asking any actor."""

from __future__ import annotations

from attrs import frozen

from runtime.exits import Exit
from runtime.life import Life
from runtime.mailbox import MailboxStats
from runtime.slot import Slot
from runtime.spec import ChildType
from runtime.stacks import stack_of
from runtime.states import DUE, State


@frozen
class Counts:
    specs: int
    """Children known, whatever their state."""
    active: int
    """Those with a life that became ready."""
    supervisors: int
    workers: int
    restarting: int
    """Those without, which will be started by themselves."""


@frozen
class ChildInfo:
    """One child, in seconds of trio's clock where there is a time."""

    id: str
    type: ChildType
    state: State
    since: float | None
    """When the state began; None before the first run."""
    restarts: int
    last_exit: Exit | None
    due: float | None
    """When a back-off ends."""
    value: object
    """What it started with: an actor's Ref, a nested Supervisor; None when it does not run."""


@frozen
class TreeNode:
    """A child, or the supervisor itself, with all below it."""

    id: str
    type: ChildType
    state: State
    since: float | None
    restarts: int = 0
    last_exit: Exit | None = None
    due: float | None = None
    mailbox: MailboxStats | None = None
    message: str | None = None
    """The type of the message in hand."""
    message_age: float | None = None
    """Seconds that it has been in hand."""
    busy: float | None = None
    """The share of this life spent handling messages, 0 to 1; None for what is no running actor."""
    stack: tuple[str, ...] | None = None
    """Of an unresponsive child: where its tasks stand."""
    children: tuple[TreeNode, ...] = ()


def info_of(slot: Slot) -> ChildInfo:
    return ChildInfo(
        slot.id,
        slot.spec.type,
        slot.state,
        slot.since,
        slot.restarts,
        slot.last_exit,
        slot.due,
        slot.value,
    )


def count(slots: list[Slot]) -> Counts:
    supervisors = sum(slot.spec.type is ChildType.SUPERVISOR for slot in slots)
    return Counts(
        specs=len(slots),
        active=sum(slot.is_active for slot in slots),
        supervisors=supervisors,
        workers=len(slots) - supervisors,
        restarting=sum(slot.state in DUE for slot in slots),
    )


def node_of(slot: Slot, now: float) -> TreeNode:
    life = slot.life
    in_hand = None if life is None else life.in_hand
    return TreeNode(
        id=slot.id,
        type=slot.spec.type,
        state=slot.state,
        since=slot.since,
        restarts=slot.restarts,
        last_exit=slot.last_exit,
        due=slot.due,
        mailbox=None if slot.mailbox is None else slot.mailbox.stats(now),
        message=None if in_hand is None else type(in_hand.message).__name__,
        message_age=None if life is None or in_hand is None else now - life.begun,
        busy=None if life is None or life.actor is None else _busy(life, now),
        stack=None if life is None else _stack(life, slot.state),
        children=() if life is None or life.nested is None else life.nested.tree(now).children,
    )


def _busy(life: Life, now: float) -> float:
    lived = now - life.since
    spent = life.busy + (now - life.begun if life.in_hand is not None else 0.0)
    return min(1.0, spent / lived) if lived > 0 else 0.0


def _stack(life: Life, state: State) -> tuple[str, ...] | None:
    return tuple(stack_of(life.task)) if state is State.UNRESPONSIVE and life.task is not None else None
