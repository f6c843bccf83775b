"""Bringing children back: one recovery from a death to the moment all it covers run again."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable

import trio
from attrs import Factory, define
from trio.lowlevel import enable_ki_protection

from runtime.children import Children
from runtime.decisions import Again, Escalate, GiveUp, judge, shuts_down, swept, wants_restart
from runtime.errors import RestartIntensityExceeded, StartFailed
from runtime.exits import Exit
from runtime.halting import halt
from runtime.intensity import Intensity
from runtime.life import Life
from runtime.slot import Slot
from runtime.spec import AutoShutdown, Restart, Strategy
from runtime.states import AT_REST, State

log = logging.getLogger("runtime")


@define(eq=False)
class Round:
    """Children to be started together at `due`, in start order; each may be taken out of it meanwhile."""

    due: float
    members: list[Slot] = Factory(list)
    waiting: trio.CancelScope = Factory(trio.CancelScope)

    def join(self, slot: Slot) -> None:
        slot.round = self
        self.members.append(slot)

    def lose(self, slot: Slot) -> None:
        self.members.remove(slot)
        if not self.members:
            self.waiting.cancel(reason="every child of this recovery was taken out of it")


@define(eq=False)
class Recovery:
    """Answers every end of a life that nobody else answers for."""

    children: Children
    strategy: Strategy
    auto_shutdown: AutoShutdown
    intensity: Intensity
    rng: random.Random
    stop: Callable[[], None]
    """Ends the supervisor in order."""
    fail: Callable[[BaseException], None]
    """Ends it with that error."""
    nursery: trio.Nursery | None = None
    """Where recoveries run; None when the supervisor does not run, or is stopping."""

    def on_end(self, life: Life) -> None:
        """The last step of every life, in its own task."""
        slot, exit_ = life.slot, life.exit
        assert exit_ is not None
        slot.last_exit = exit_
        slot.value = None
        if life.fatal is not None:
            self.fail(life.fatal)
        if life.claimed or not life.ready:
            return
        log.info("child_ended supervisor=%s child=%s exit=%s", slot.supervisor.id, slot.id, exit_)
        if not wants_restart(slot.spec.restart, exit_):
            self.children.lay_to_rest(slot, State.ENDED)
            if slot.spec.significant and self.nursery is not None:
                left = any(other.spec.significant and other.state not in AT_REST for other in self.children)
                if shuts_down(self.auto_shutdown, left):
                    self.stop()
        elif self.nursery is None:
            self.children.lay_to_rest(slot, State.STOPPED)
        else:
            slot.enter(State.RESTARTING)
            self.nursery.start_soon(self._recover, slot, life)

    async def _recover(self, slot: Slot, life: Life) -> None:
        async with slot.lock:
            recovery = None
            while recovery is None and not life.claimed and self.nursery is not None:
                recovery = self._answer_for(self._first_failed(slot))
            left = await self._carry_out(recovery)
        # Between two rounds nothing is held up: a child that never starts can be stopped by hand.
        while left is not None:
            if left is recovery:  # its time has not come
                with left.waiting:
                    await trio.sleep_until(left.due)
            async with slot.lock:
                recovery = self._first_due(left)
                left = await self._carry_out(recovery)

    def _first_due(self, recovery: Round) -> Round:
        """Of the rounds whose time has come, the one whose children come first in start order.

        Rounds that are due at one instant wake in no order of their own. Each that wakes does one: all are
        done.
        """
        if self.strategy is Strategy.ONE_FOR_ONE:
            return recovery
        now = trio.current_time()
        rounds = (slot.round for slot in self.children if slot.round is not None)
        return next((each for each in rounds if each.due <= now), recovery)

    def _first_failed(self, slot: Slot) -> Slot:
        """Of the dead that nobody answers for yet, the first in start order; one recovery covers several.

        Those that died in one step come in no order of their own.
        """
        if self.strategy is Strategy.ONE_FOR_ONE:
            return slot
        return next(
            other
            for other in self.children
            if other.life is not None and other.life.is_over and not other.life.claimed
        )

    def _answer_for(self, slot: Slot) -> Round | None:
        life = slot.life
        assert life is not None
        assert life.exit is not None
        return self._decide(slot, life.exit, alive=trio.current_time() - life.since)

    @enable_ki_protection
    def _decide(self, slot: Slot, exit_: Exit, alive: float) -> Round | None:
        """Decides on one failure, and claims all lives it covers in the same step. None: no recovery."""
        slot.claim()
        slot.life = None
        slot.last_exit = exit_
        now = trio.current_time()
        verdict = judge(slot.spec, slot.failures, alive, self.rng)
        slot.failures = verdict.failures
        match verdict:
            case GiveUp(failures):
                self._report(logging.ERROR, f"child_given_up failures={failures}", slot, exit_)
                self.children.lay_to_rest(slot, State.FAILED)
                return None
            case Escalate(failures):
                self._escalate(slot, RestartIntensityExceeded(slot.id, failures, math.inf), exit_)
                return None
            case Again(_, wait, counts):
                if counts and self.intensity.exceeded_by(now):
                    restarts, period = self.intensity.intensity + 1, self.intensity.period
                    self._escalate(slot, RestartIntensityExceeded(slot.id, restarts, period), exit_)
                    return None
        self._report(logging.WARNING, f"child_restart_scheduled wait={wait:.3f}", slot, exit_)
        slot.enter(State.RESTARTING)
        recovery = Round(now + wait)
        for id_ in swept(self.strategy, self.children.ids(), slot.id):
            member = self.children.get(id_)
            if member.is_wanted:
                if member.due is not None:  # its own back-off still holds
                    recovery.due = max(recovery.due, member.due)
                member.claim()
                recovery.join(member)
        return recovery

    async def _carry_out(self, recovery: Round | None) -> Round | None:
        """Stops what a recovery covers in reverse, and starts it in order, if its time has come.

        Returns what is left to do: the same when its time has not come, or the one that a failing start made
        necessary.
        """
        if recovery is None:
            return None
        for slot in reversed(tuple(recovery.members)):
            await self._sweep(slot)
        if recovery.members and recovery.due > trio.current_time():
            for slot in recovery.members:
                slot.enter(State.BACKING_OFF)
            return recovery
        return await self._start(recovery)

    async def _sweep(self, slot: Slot) -> None:
        if slot.life is not None:
            await halt([slot.life])
            slot.life = None
        if slot.spec.restart is Restart.TEMPORARY:
            self.children.lay_to_rest(slot, State.ENDED)
        else:
            slot.enter(State.RESTARTING)

    async def _start(self, recovery: Round) -> Round | None:
        """Starts the members in order. Returns the recovery that a failing start makes necessary."""
        while recovery.members:
            slot = recovery.members[0]
            slot.leave_round()
            slot.restarts += 1
            try:
                life = await self.children.start(slot)
            except StartFailed as error:
                cause = error.__cause__ or error
                next_recovery = self._decide(slot, Exit.error(cause), alive=0.0)
                if slot.state is not State.FAILED:
                    return next_recovery
            else:
                if life is None:
                    self.children.lay_to_rest(slot, State.IGNORED)
        return None

    def _escalate(self, slot: Slot, error: RestartIntensityExceeded, exit_: Exit) -> None:
        error.__cause__ = exit_.cause
        self._report(logging.ERROR, "restart_intensity_exceeded", slot, exit_)
        self.fail(error)

    def _report(self, level: int, event: str, slot: Slot, exit_: Exit) -> None:
        """One record, with the trace of what the child died of."""
        fields = f"{event} supervisor={slot.supervisor.id} child={slot.id} exit={exit_}"
        log.log(level, fields, exc_info=exit_.cause)
