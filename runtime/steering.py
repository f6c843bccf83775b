"""What a running supervisor can be told to do with its children, each as one of its own tasks."""

# ruff: noqa: A002 - `id` is the public name of the notion

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TypeVar

import trio

from runtime.checks import require
from runtime.children import Children
from runtime.errors import AlreadyPresent, AlreadyStarted, ChildNotFound, ChildRunning, NotAnActor, NotRunning
from runtime.halting import halt, kill
from runtime.operations import Operation
from runtime.recovery import Recovery
from runtime.slot import Slot
from runtime.spec import AutoShutdown, ChildSpec
from runtime.states import AT_REST, State

T = TypeVar("T")


class Steered:
    """The operations of a supervisor. All raise NotRunning when it does not run, or stops meanwhile."""

    id: str
    _children: Children
    _recovery: Recovery
    _state_after_failed_restart = State.STOPPED

    async def start_child(self, spec: ChildSpec) -> object:
        """Adds a child after the others and starts it; its value, or None when it ignored its start.

        Raises StartFailed, AlreadyStarted, AlreadyPresent, NotRunning, InvalidSpec. A failed or cancelled
        start leaves no entry.
        """
        self._check(spec)
        return await self._start_new(spec)

    async def restart_child(self, id: str) -> object:
        """Starts a child that does not run, at once if it waits for its restart; its value.

        Raises ChildNotFound, ChildRunning, StartFailed, NotRunning. A failed or cancelled restart leaves it
        stopped.
        """

        async def restart(slot: Slot) -> object:
            if slot.is_active:
                raise ChildRunning(id)
            slot.claim()
            slot.open()
            slot.failures = 0
            try:
                return await self._start(slot)
            except BaseException:
                await self._undo(slot)
                self._children.lay_to_rest(slot, self._state_after_failed_restart)
                raise

        return await self._locked(id, restart, undo=True)

    async def terminate_child(self, id: str, *, keep: bool = False) -> None:
        """Stops a child and keeps it stopped; it goes on when its caller is cancelled.

        One that has ended already stays as it is; a failed one is stopped from then on. With `keep` even a
        supervisor that forgets such children remembers this one, as stopped, until it is restarted, deleted
        or terminated without `keep`; a temporary child is forgotten in any case. Raises ChildNotFound,
        NotRunning.
        """

        async def terminate(slot: Slot) -> None:
            await self._stop_together([slot], keep=keep)
            if slot.state is State.FAILED:
                self._children.lay_to_rest(slot, State.STOPPED, keep=keep)

        await self._locked(id, terminate)

    async def delete_child(self, id: str) -> None:
        """Forgets a child that does not run. Raises ChildNotFound, ChildRunning, NotRunning."""

        async def delete(slot: Slot) -> None:
            if slot.is_active:
                raise ChildRunning(id)
            slot.claim()
            self._children.remove(slot)

        await self._locked(id, delete)

    async def kill_child(self, id: str) -> None:
        """Cancels a child at once, without its stop hook; its restart type decides. Returns when it ended.

        Raises ChildNotFound; NotRunning when the supervisor or the child does not run.
        """
        self._require_running()
        slot = self._children.get(id)
        if slot.life is None or slot.life.is_over:
            raise NotRunning(id)
        await self._operate(partial(kill, slot.life))

    async def suspend_child(self, id: str) -> None:
        """An actor takes no user message, after the one in hand, until it is resumed or restarted.

        Raises ChildNotFound, NotAnActor; NotRunning when it is neither running nor suspended.
        """
        self._switch(id, State.SUSPENDED)
        await trio.lowlevel.checkpoint()

    async def resume_child(self, id: str) -> None:
        """Ends a suspension. Raises as `suspend_child`."""
        self._switch(id, State.RUNNING)
        await trio.lowlevel.checkpoint()

    def _switch(self, id_: str, state: State) -> None:
        self._require_running()
        slot = self._children.get(id_)
        if slot.mailbox is None:
            raise NotAnActor(id_)
        if slot.state not in {State.RUNNING, State.SUSPENDED}:
            raise NotRunning(id_)
        slot.enter(state)
        if state is State.SUSPENDED:
            slot.mailbox.pause()
        else:
            slot.mailbox.resume()

    # What these are made of

    async def _start_new(self, spec: ChildSpec) -> object:
        self._require_running()
        known = self._children.find(spec.id)
        if known is not None:
            raise (AlreadyPresent if known.state in AT_REST else AlreadyStarted)(spec.id)
        self._require_room()
        slot = self._children.add(spec)
        slot.enter(State.STARTING)  # known from here on: a second start of the same id is refused

        async def start() -> object:
            try:
                async with slot.lock:
                    return await self._start(slot)
            except BaseException:
                await self._undo(slot)
                self._children.remove(slot)
                raise

        return await self._operate(start, undo=True)

    def _require_room(self) -> None:
        """A supervisor of known children has no limit."""

    async def _start(self, slot: Slot) -> object:
        """Starts a child under its lock; its value, or None when it ignored that."""
        life = await self._children.start(slot)
        if life is None:
            self._children.lay_to_rest(slot, State.IGNORED)
            return None
        # Ready and cancelled in the same step: the one who asked will not hear of it, so it is undone.
        await trio.lowlevel.checkpoint_if_cancelled()
        return life.value

    async def _undo(self, slot: Slot) -> None:
        """Ends what a start that is being given up left running."""
        life = slot.claim()
        if life is not None:
            with trio.CancelScope(shield=True):
                await halt([life])

    async def _locked(self, id_: str, step: Callable[[Slot], Awaitable[T]], *, undo: bool = False) -> T:
        """Does a step with a child that nobody else starts or stops meanwhile."""
        self._require_running()
        slot = self._children.get(id_)

        async def locked() -> T:
            async with slot.lock:
                if self._children.find(id_) is not slot:
                    raise ChildNotFound(id_)
                return await step(slot)

        return await self._operate(locked, undo=undo)

    async def _operate(self, step: Callable[[], Awaitable[T]], *, undo: bool = False) -> T:
        self._require_running()
        assert self._recovery.nursery is not None
        operation = Operation(step)
        self._recovery.nursery.start_soon(operation.run)
        return await operation.result(self.id, undo=undo)

    def _require_running(self) -> None:
        if self._recovery.nursery is None:
            raise NotRunning(self.id)

    async def _stop_together(self, slots: Collection[Slot], *, keep: bool = False) -> None:
        """Stops children from the same instant on, waits for the last, and lays all to rest."""
        await halt([life for slot in slots if (life := slot.claim()) is not None])
        for slot in slots:
            state = slot.state if slot.state in AT_REST else State.STOPPED
            self._children.lay_to_rest(slot, state, keep=keep)

    def _check(self, spec: ChildSpec) -> None:
        require("spec", spec, isinstance(spec, ChildSpec))
        never = self._recovery.auto_shutdown is AutoShutdown.NEVER
        require("significant", spec.significant, not (spec.significant and never))
