"""A supervisor: starts its children in order, restarts them by strategy, and stops them in reverse."""

# ruff: noqa: A002 - `id` and `exit` are the public names of the notions

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

import trio

from runtime.checks import is_count, is_number, require
from runtime.children import Children
from runtime.deadletters import DeadLetters
from runtime.errors import AlreadyPresent, AlreadyStarted, ChildNotFound, ChildRunning, NotAnActor, NotRunning
from runtime.exits import Exit, interrupt_in
from runtime.halting import halt, kill
from runtime.intensity import Intensity
from runtime.life import enclosing_life
from runtime.operations import Operation
from runtime.recovery import Recovery
from runtime.ref import Ref
from runtime.slot import Slot
from runtime.spec import AutoShutdown, ChildSpec, ChildType, Strategy
from runtime.states import AT_REST, State
from runtime.tree import ChildInfo, Counts, TreeNode, count, info_of, node_of

T = TypeVar("T")


class Supervisor:
    """Keeps children running. Raises InvalidSpec for arguments that cannot be.

    More than `intensity` restarts within `period` seconds are not borne: it stops its children and raises
    RestartIntensityExceeded. Without `dead_letters` of its own it uses its parent's.
    """

    _keeps_children_at_rest = True

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: int = 1,
        period: float = 5.0,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        id: str = "root",
        rng: random.Random | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        require("strategy", strategy, isinstance(strategy, Strategy))
        require("intensity", intensity, is_count(intensity))
        require("period", period, is_number(period) and period > 0)
        require("auto_shutdown", auto_shutdown, isinstance(auto_shutdown, AutoShutdown))
        require("id", id, isinstance(id, str) and id != "")
        require("rng", rng, rng is None or isinstance(rng, random.Random))
        require("dead_letters", dead_letters, dead_letters is None or isinstance(dead_letters, DeadLetters))
        self.id = id
        self.token: trio.lowlevel.TrioToken | None = None
        """Of the loop it runs in, or ran in last."""
        self._state = State.STOPPED
        self._since: float | None = None
        self._done = trio.Event()
        self._failure: BaseException | None = None
        self._dead_letters = dead_letters
        self._parent: Supervisor | None = None
        self._auto_shutdown = auto_shutdown
        self._children = Children(
            self,
            tied=strategy is not Strategy.ONE_FOR_ONE,
            keeps_at_rest=self._keeps_children_at_rest,
        )
        self._recovery = Recovery(
            self._children,
            strategy,
            auto_shutdown,
            Intensity(intensity, period),
            rng or random.Random(),  # noqa: S311 - jitter, no secret
            self._begin_to_stop,
            self._fail,
        )
        self._children.on_end = self._recovery.on_end
        for spec in children:
            self._check(spec)
            require("id", spec.id, self._children.find(spec.id) is None)
            self._children.add(spec)
        self._static = tuple(self._children)

    # Running

    async def run(self, *, task_status: trio.TaskStatus[Supervisor] = trio.TASK_STATUS_IGNORED) -> Exit:
        """Runs until it is stopped: Exit.shutdown after `stop` or an automatic shutdown.

        Ready, with itself as the value, when all children are. Raises StartFailed when one is not,
        RestartIntensityExceeded, and a child's KeyboardInterrupt or SystemExit, each bare and after all
        children stopped in reverse; so does a cancellation from outside. It may run again afterwards: the
        children it was made with come back, those started later do not. AlreadyStarted when it runs already.
        """
        if self._state is not State.STOPPED:
            raise AlreadyStarted(self.id)
        self._begin()
        try:
            async with trio.open_nursery() as lives:
                self._children.nursery = lives
                try:
                    async with trio.open_nursery() as work:
                        self._recovery.nursery = work
                        await self._supervise(task_status)
                finally:
                    with trio.CancelScope(shield=True):
                        await self._stop_children()
        except BaseException as error:
            if interrupt := interrupt_in(error):
                self._fail(interrupt)
            if self._failure is None:
                raise
        finally:
            failure = self._finish()
        if failure is not None:
            raise failure
        return Exit.shutdown

    async def _supervise(self, task_status: trio.TaskStatus[Supervisor]) -> None:
        try:
            for slot in self._static:
                async with slot.lock:
                    if slot.state is State.STARTING:  # and not stopped by hand before its turn came
                        await self._start(slot)
            self._enter(State.RUNNING)
            task_status.started(self)
            await trio.sleep_forever()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 - it comes out of `run`, when all children have stopped
            self._fail(error)
        finally:
            self._recovery.nursery = None
            self._enter(State.STOPPING)

    def _begin(self) -> None:
        self.token = trio.lowlevel.current_trio_token()
        life = enclosing_life.get()
        if life is not None:
            life.nested = self
            self._parent = life.slot.supervisor
        self._done = trio.Event()
        self._recovery.intensity.forget()
        self._children.reset(self._static)
        for slot in self._static:
            slot.open()
            slot.failures = 0
            slot.enter(State.STARTING)
        self._enter(State.STARTING)

    def _begin_to_stop(self) -> None:
        if self._recovery.nursery is not None:
            self._recovery.nursery.cancel_scope.cancel(reason="the supervisor stops")
            self._recovery.nursery = None
            self._enter(State.STOPPING)

    def _fail(self, error: BaseException) -> None:
        # What is no mere failure (KeyboardInterrupt) is not hidden behind one that came before.
        if self._failure is None or (
            isinstance(self._failure, Exception) and not isinstance(error, Exception)
        ):
            self._failure = error
        self._begin_to_stop()

    async def _stop_children(self) -> None:
        """Stops them one by one, in reverse."""
        for slot in reversed(tuple(self._children)):
            await self._stop_together([slot])

    async def _stop_together(self, slots: Collection[Slot]) -> None:
        """Stops children from the same instant on, waits for the last, and lays all to rest."""
        await halt([life for slot in slots if (life := slot.claim()) is not None])
        for slot in slots:
            self._children.lay_to_rest(slot, slot.state if slot.state in AT_REST else State.STOPPED)

    def _finish(self) -> BaseException | None:
        self._children.reset(self._static)
        self._children.nursery = None
        failure, self._failure = self._failure, None
        self._enter(State.STOPPED)
        self._done.set()
        return failure

    def _enter(self, state: State) -> None:
        self._state = state
        self._since = trio.current_time()

    # Operations

    async def stop(self) -> None:
        """Stops all children in reverse, and waits until `run` is over. Raises NotRunning."""
        if self._state is State.STOPPED:
            raise NotRunning(self.id)
        self._begin_to_stop()
        await self._done.wait()

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

    async def terminate_child(self, id: str) -> None:
        """Stops a child and keeps it stopped; it goes on when its caller is cancelled.

        One that has ended already stays as it is; a failed one is stopped from then on. Raises ChildNotFound,
        NotRunning.
        """

        async def terminate(slot: Slot) -> None:
            await self._stop_together([slot])
            if slot.state is State.FAILED:
                self._children.lay_to_rest(slot, State.STOPPED)

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
        if slot.life is None or slot.life.ended.is_set():
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

    # Looking in

    @property
    def dead_letters(self) -> DeadLetters:
        """Its own, or its parent's; without either, made when first asked for."""
        if self._dead_letters is None:
            if self._parent is not None:
                return self._parent.dead_letters
            self._dead_letters = DeadLetters()
        return self._dead_letters

    def ref(self, id: str) -> Ref:
        """The address of an actor child. Raises ChildNotFound, NotAnActor."""
        ref = self._children.get(id).ref
        if ref is None:
            raise NotAnActor(id)
        return ref

    def which_children(self) -> list[ChildInfo]:
        """All children in start order."""
        return [info_of(slot) for slot in self._children]

    def which_child(self, id: str) -> ChildInfo:
        """One child. Raises ChildNotFound."""
        return info_of(self._children.get(id))

    def count_children(self) -> Counts:
        return count(list(self._children))

    def get_childspec(self, id: str) -> ChildSpec:
        """The spec a child was added with. Raises ChildNotFound."""
        return self._children.get(id).spec

    def tree(self) -> TreeNode:
        """All that is below, as one value; must be called in trio's thread."""
        now = trio.current_time()
        return TreeNode(
            id=self.id,
            type=ChildType.SUPERVISOR,
            state=self._state,
            since=self._since,
            children=tuple(node_of(slot, now) for slot in self._children),
        )

    # The parts that operations are made of

    _state_after_failed_restart = State.STOPPED

    def _check(self, spec: ChildSpec) -> None:
        require("spec", spec, isinstance(spec, ChildSpec))
        never = self._auto_shutdown is AutoShutdown.NEVER
        require("significant", spec.significant, not (spec.significant and never))

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
