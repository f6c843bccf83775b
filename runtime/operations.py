"""Operations run as the supervisor's tasks: they end with it, and a caller that leaves may undo them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import outcome
import trio

from runtime.errors import NotRunning

T = TypeVar("T")


class Operation(Generic[T]):
    """One operation and its caller, who must ask for the result before the operation can have begun."""

    def __init__(self, step: Callable[[], Awaitable[T]]) -> None:
        self._step = step
        self._scope = trio.CancelScope()
        self._caller: trio.lowlevel.Task | None = None
        self._over = trio.Event()
        self._outcome: outcome.Outcome[T] | None = None

    async def run(self) -> None:
        """The supervisor's part."""
        try:
            with self._scope:
                try:
                    self._outcome = outcome.Value(await self._step())
                except Exception as error:  # noqa: BLE001 - raised at the caller
                    self._outcome = outcome.Error(error)
        finally:
            self._over.set()
            if self._caller is not None:
                trio.lowlevel.reschedule(self._caller)

    async def result(self, supervisor_id: str, *, undo: bool) -> T:
        """The caller's part. Raises NotRunning when the supervisor stopped before the operation's end.

        When the caller is cancelled, an operation to `undo` is cancelled too and its clean-up waited for.
        """

        def leave(_raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            # In the very step of the cancellation: the operation may be about to succeed with nobody to tell.
            self._caller = None
            if undo:
                self._scope.cancel(reason="its caller was cancelled")
            return trio.lowlevel.Abort.SUCCEEDED

        self._caller = trio.lowlevel.current_task()
        try:
            await trio.lowlevel.wait_task_rescheduled(leave)
        except trio.Cancelled:
            if undo:
                with trio.CancelScope(shield=True):
                    await self._over.wait()
            raise
        if self._outcome is None:
            raise NotRunning(supervisor_id)
        return self._outcome.unwrap()
