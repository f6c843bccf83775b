"""Operations run as the supervisor's tasks: they end with it, and a caller that leaves may undo them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import outcome
import trio

from runtime.errors import NotRunning

T = TypeVar("T")


class Operation(Generic[T]):
    """One operation and its caller."""

    def __init__(self, step: Callable[[], Awaitable[T]]) -> None:
        self._step = step
        self._scope = trio.CancelScope()
        self._outcome: outcome.Outcome[T] | None = None
        self._done = trio.Event()

    async def run(self) -> None:
        """The supervisor's part."""
        try:
            with self._scope:
                self._outcome = await outcome.acapture(self._step)
                if isinstance(self._outcome, outcome.Error) and not isinstance(
                    self._outcome.error, Exception
                ):
                    error, self._outcome = self._outcome.error, None
                    raise error
        finally:
            self._done.set()

    async def result(self, supervisor_id: str, *, undo: bool) -> T:
        """The caller's part. Raises NotRunning when the supervisor stopped before the operation's end.

        When the caller is cancelled, an operation to `undo` is cancelled too and its clean-up waited for.
        """
        try:
            await self._done.wait()
        except trio.Cancelled:
            if undo:
                self._scope.cancel(reason="its caller was cancelled")
                with trio.CancelScope(shield=True):
                    await self._done.wait()
            raise
        if self._outcome is None:
            raise NotRunning(supervisor_id)
        return self._outcome.unwrap()
