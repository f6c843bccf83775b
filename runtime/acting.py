"""One life of an actor: its start, its messages one by one, and its stop hook."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import trio

from runtime.actor import Actor
from runtime.exits import Exit
from runtime.states import State

if TYPE_CHECKING:
    from runtime.life import Life

log = logging.getLogger("runtime")

GRACE_AFTER_CANCEL = 1.0
"""Seconds that what was cancelled has to yield, where its spec leaves it no time of its own."""

BURST = 50
"""Messages handled at most before the loop gets a turn, whatever the handlers do."""


async def act(life: Life, actor: Actor) -> Exit:
    """Lives to the end. Returns how it ended; raises when it could not even start."""
    farewell_said = False
    crash: Exit | None = None
    exit_ = Exit.normal
    try:
        async with trio.open_nursery() as nursery:
            actor.nursery = nursery
            try:
                await actor.on_start()
                life.started(life.slot.ref)
                exit_ = await _converse(life, actor)
            except Exception as error:  # noqa: BLE001 - any exception is the actor's death
                crash = exit_ = Exit.error(error)
            except BaseException:  # cancelled: a task of its own failed, or it is killed
                _leave(life, nursery)
                raise
            if life.ready:
                farewell_said = True
                exit_ = await _say_farewell(life, actor, exit_)
            _leave(life, nursery)
    except ExceptionGroup as group:
        # A task of the actor's own failed. Where it was one, as nearly always, it is the cause itself.
        failed = group.exceptions[0] if len(group.exceptions) == 1 else group
        if crash is None:
            exit_ = Exit.error(failed)
        if life.ready and not farewell_said:
            exit_ = await _say_farewell(life, actor, exit_)
    if not life.ready and exit_.cause is not None:
        raise exit_.cause
    return exit_


def _leave(life: Life, nursery: trio.Nursery) -> None:
    """Cancels the actor's own tasks, which have as much time for their clean-up as a plain child."""
    nursery.cancel_scope.cancel()
    if life.ready and nursery.child_tasks:
        life.watch(life.spec.patience or GRACE_AFTER_CANCEL)


async def _converse(life: Life, actor: Actor) -> Exit:
    """Handles messages until the life is to end; raises what a handler died of."""
    mailbox = life.mailbox
    handle = actor.handle
    domain_errors = actor.domain_errors
    clock = trio.lowlevel.current_clock()
    burst = 0
    now = 0.0  # the end of the last message, as long as nothing was waited for since
    while life.leaving is None:
        if burst == BURST:
            await trio.lowlevel.checkpoint()  # with nothing in hand that a kill could lose
            burst = 0
            continue
        envelope = mailbox.take()
        if envelope is None:
            reply = value = None  # an idle actor keeps nothing of its last message alive
            await mailbox.wait()
            burst = 0
            continue
        if burst == 0:
            now = clock.current_time()
        burst += 1
        life.in_hand = envelope
        life.begun = now
        try:
            value = await handle(envelope.message)
        except domain_errors as error:
            reply = envelope.reply
            if reply is not None and not reply.answered:
                reply.fail(error)
        else:
            reply = envelope.reply
            if reply is not None and not reply.deferred:
                reply.send(value)
        now = clock.current_time()
        life.busy += now - life.begun
        life.in_hand = None
    return life.leaving


async def _say_farewell(life: Life, actor: Actor, exit_: Exit) -> Exit:
    """Runs the stop hook. Returns the exit, which an orderly one's failing hook turns into an error."""
    life.slot_enters(State.STOPPING)
    life.settle(exit_)
    if exit_.kind != "error":
        try:
            await actor.on_stop(exit_)
        except Exception as error:  # noqa: BLE001
            return Exit.error(error)
        return exit_
    life.crash = exit_
    life.watch(life.spec.patience + GRACE_AFTER_CANCEL)
    with trio.move_on_after(life.spec.patience) as scope:
        try:
            await actor.on_stop(exit_)
        except Exception:
            log.exception("stop_hook_failed child=%s", life.spec.id)
    if scope.cancelled_caught:
        log.warning("stop_hook_cut_off child=%s after=%s", life.spec.id, life.spec.patience)
    return exit_
