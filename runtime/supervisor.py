"""A supervisor: starts its children in order, restarts them by strategy, and stops them in reverse."""

# ruff: noqa: A002 - `id` is the public name of the notion

from __future__ import annotations

import random
from collections.abc import Iterable

import trio

from runtime.checks import is_count, is_number, require
from runtime.children import Children
from runtime.deadletters import DeadLetters
from runtime.errors import AlreadyStarted, NotAnActor, NotRunning
from runtime.exits import Exit, interrupt_in
from runtime.intensity import Intensity
from runtime.life import enclosing_life
from runtime.recovery import Recovery
from runtime.ref import Ref
from runtime.spec import AutoShutdown, ChildSpec, ChildType, Strategy
from runtime.stacks import TaskStack, stacks_of
from runtime.states import State
from runtime.steering import Steered
from runtime.tree import ChildInfo, Counts, TreeNode, count, info_of, node_of


class Supervisor(Steered):
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
        self.strategy = strategy
        self.intensity = intensity
        self.period = period
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

    async def stop(self) -> None:
        """Stops all children in reverse, and waits until `run` is over. Raises NotRunning."""
        if self._state is State.STOPPED:
            raise NotRunning(self.id)
        self._begin_to_stop()
        await self._done.wait()

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

    def stacks(self, id: str) -> tuple[TaskStack, ...]:
        """Where each task of a child stands, its main one first; none when it does not run.

        Of a nested supervisor these are all tasks below it. Raises ChildNotFound.
        """
        life = self._children.get(id).life
        return () if life is None or life.task is None else stacks_of(life.task)

    def count_children(self) -> Counts:
        return count(list(self._children))

    def get_childspec(self, id: str) -> ChildSpec:
        """The spec a child was added with. Raises ChildNotFound."""
        return self._children.get(id).spec

    def tree(self, at: float | None = None) -> TreeNode:
        """All that is below, as one value; must be called in trio's thread.

        Its ages are reckoned to `at`, in seconds of trio's clock: by default, to now.
        """
        now = trio.current_time() if at is None else at
        return TreeNode(
            id=self.id,
            type=ChildType.SUPERVISOR,
            state=self._state,
            since=self._since,
            children=tuple(node_of(slot, now) for slot in self._children),
        )
