"""A supervisor that starts empty, for any number of like children that come and go by themselves."""

# ruff: noqa: A002 - `id` is the public name of the notion

from __future__ import annotations

import random
from functools import partial
from typing import Any

import attrs

from runtime.checks import is_count, require
from runtime.deadletters import DeadLetters
from runtime.errors import TooManyChildren
from runtime.spec import ChildSpec
from runtime.states import State
from runtime.supervisor import Supervisor


class DynamicSupervisor(Supervisor):
    """One for one, without order: operations on different ids never wait for each other.

    A child that ended, was ignored or terminated is forgotten; only a `failed` one stays, until it is
    restarted, terminated or deleted. All children are stopped at once, each by its own spec.
    """

    _keeps_children_at_rest = False
    _state_after_failed_restart = State.FAILED

    def __init__(
        self,
        *,
        template: ChildSpec | None = None,
        max_children: int | None = None,
        intensity: int = 1,
        period: float = 5.0,
        id: str = "dynamic",
        rng: random.Random | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        super().__init__(intensity=intensity, period=period, id=id, rng=rng, dead_letters=dead_letters)
        if template is not None:
            self._check(template)
        require("max_children", max_children, max_children is None or is_count(max_children))
        self._template = template
        self._max_children = max_children

    async def start_child(self, spec: ChildSpec | str, *args: Any, **kwargs: Any) -> object:
        """Starts a child by its spec, or the template's by an id and the arguments of its start.

        Raises as Supervisor.start_child, and TooManyChildren when `max_children` are running, restarting or
        failed.
        """
        if isinstance(spec, str) and self._template is not None:
            start = partial(self._template.start, *args, **kwargs) if args or kwargs else self._template.start
            spec = attrs.evolve(self._template, id=spec, start=start)
        require("spec", spec, isinstance(spec, ChildSpec))
        assert isinstance(spec, ChildSpec)
        self._check(spec)
        return await self._start_new(spec)

    def _require_room(self) -> None:
        if self._max_children is not None and len(self._children) >= self._max_children:
            raise TooManyChildren(self._max_children)

    async def _stop_children(self) -> None:
        await self._stop_together(list(self._children))
