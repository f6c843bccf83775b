"""Every state that steps can lead to, breadth first: so the first bad one found has the shortest story."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from attrs import define, field

State = TypeVar("State", bound=Hashable)
Step = tuple[object, ...]
"""What happens, in words and numbers."""


class System(Protocol[State]):
    """What is explored."""

    @property
    def initial(self) -> State: ...

    def orderly(self, state: State) -> Iterator[tuple[Step, State]]:
        """What may happen next though there is no trouble, if only slowly."""

    def troubles(self, state: State) -> Iterator[tuple[Step, State]]:
        """What else may."""

    def canonical(self, state: State) -> State:
        """One for all states that differ in names alone."""

    def wrong(self, state: State) -> str | None:
        """What must not be and is."""

    def well(self, state: State) -> bool:
        """Whether all is as it should be, which must stay within reach of orderly steps."""


class TooManyStates(Exception):
    """There was no end to them within the bound."""


@define(eq=False)
class Explorer(Generic[State]):
    """All states of a system; `most` bounds their number."""

    system: System[State]
    most: int = 10_000_000
    steps: int = 0
    origin: dict[State, State | None] = field(factory=dict)
    """Of each state reached, the one from which it was first, in the order of reaching."""
    _before: dict[State, list[State]] = field(factory=dict)
    """Those from which an orderly step leads to a state."""

    def find_wrong(self) -> str | None:
        """Visit all; the story of the first that is wrong, if there is one. Raises TooManyStates."""
        system = self.system
        start = system.canonical(system.initial)
        self.origin[start] = None
        self._before[start] = []
        waiting = deque([start])
        while waiting:
            state = waiting.popleft()
            for is_orderly, successors in ((True, system.orderly(state)), (False, system.troubles(state))):
                for _, after in successors:
                    self.steps += 1
                    named = system.canonical(after)
                    if named not in self.origin:
                        self.origin[named] = state
                        self._before[named] = []
                        waiting.append(named)
                        if system.wrong(named) is not None:
                            return self._story(named)
                    if is_orderly:
                        self._before[named].append(state)
            if len(self.origin) > self.most:
                raise TooManyStates(f"more than {self.most}")
        return None

    def find_dead_end(self) -> str | None:
        """After all were visited: the story of one from which orderly steps lead to none that is well."""
        saved = {state for state in self.origin if self.system.well(state)}
        waiting = list(saved)
        while waiting:
            for state in self._before[waiting.pop()]:
                if state not in saved:
                    saved.add(state)
                    waiting.append(state)
        lost = next((state for state in self.origin if state not in saved), None)
        return None if lost is None else self._story(lost)

    def _story(self, state: State) -> str:
        """What is wrong, and a line a step from the beginning, all under the names that things had there."""
        system = self.system
        path = [state]
        while (before := self.origin[path[-1]]) is not None:
            path.append(before)
        now = system.initial
        lines = []
        for number, aim in enumerate(reversed(path[:-1]), 1):
            step, now = next(
                (step, after)
                for successors in (system.orderly(now), system.troubles(now))
                for step, after in successors
                if system.canonical(after) == aim
            )
            lines.append(f"{number:3}. {' '.join(map(str, step))}")
        return "\n".join([f"{system.wrong(now) or 'a dead end'}:", *lines, f"     {now}"])
