"""The answer to one message: given once, to a caller that may have left meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outcome
import trio


class Reply:
    """The right to answer one message, from `Actor.defer`: `send` or `fail`, exactly once.

    For a cast, and for a caller that timed out or was cancelled, both do nothing. If the actor's life ends
    first, the caller gets ActorDied and both do nothing from then on. Answering twice is a mistake and raises
    RuntimeError.
    """

    __slots__ = ("_answered", "_has_caller", "_outstanding", "_task")

    def __init__(self, task: trio.lowlevel.Task | None) -> None:
        self._task = task  # who waits; None when nobody does (a cast) or does any more
        self._has_caller = task is not None
        self._answered = False
        self._outstanding: set[Reply] | None = None

    @property
    def abandoned(self) -> bool:
        """True when the caller left unanswered. A cast has no caller that could leave: always False."""
        return self._has_caller and self._task is None and not self._answered

    def send(self, value: object) -> None:
        """The caller's `call` returns `value`."""
        self._settle(outcome.Value(value))

    def fail(self, exception: BaseException) -> None:
        """The caller's `call` raises `exception`."""
        self._settle(outcome.Error(exception))

    # For the runtime itself

    @property
    def answered(self) -> bool:
        return self._answered

    @property
    def deferred(self) -> bool:
        return self._outstanding is not None

    def defer(self, outstanding: set[Reply]) -> None:
        """Keeps the reply in `outstanding` until it is given or its caller leaves."""
        self._outstanding = outstanding
        if self._task is not None:
            outstanding.add(self)

    def expire(self, error: BaseException) -> None:
        """The life ended first: the caller gets the error, and is gone."""
        self._release(outcome.Error(error))

    async def wait(self, leave: Callable[[], object]) -> Any:
        """Parks the calling task until the answer; `leave` is called when it is cancelled before.

        The task must not have yielded since it handed the message over: a reply finds it parked.
        """

        def abandon(_raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._task = None
            self._forget()
            leave()
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(abandon)

    def _settle(self, answer: outcome.Outcome[object]) -> None:
        if self._answered:
            raise RuntimeError("this message was already answered")
        self._answered = True
        self._release(answer)

    def _release(self, answer: outcome.Outcome[object]) -> None:
        self._forget()
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task, answer)

    def _forget(self) -> None:
        if self._outstanding is not None:
            self._outstanding.discard(self)
