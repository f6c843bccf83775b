"""A supervisor's children: their slots in start order, and how one is started and laid to rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import trio

from runtime.errors import ActorDied, ChildNotFound, StartFailed
from runtime.halting import kill
from runtime.life import Life
from runtime.lock import Lock
from runtime.slot import Slot
from runtime.spec import ChildSpec, Restart
from runtime.states import State

if TYPE_CHECKING:
    from runtime.supervisor import Supervisor


class Children:
    """Slots by id, in start order."""

    def __init__(self, supervisor: Supervisor, *, tied: bool, keeps_at_rest: bool) -> None:
        self.on_end: Callable[[Life], None]
        self.nursery: trio.Nursery | None = None
        """Where lives run, each in a shielded scope of its own."""
        self._supervisor = supervisor
        self._lock = Lock() if tied else None
        self._keeps_at_rest = keeps_at_rest
        self._slots: dict[str, Slot] = {}

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def __len__(self) -> int:
        return len(self._slots)

    def ids(self) -> Collection[str]:
        return self._slots.keys()

    def find(self, id_: str) -> Slot | None:
        return self._slots.get(id_)

    def get(self, id_: str) -> Slot:
        """Raises ChildNotFound."""
        slot = self._slots.get(id_)
        if slot is None:
            raise ChildNotFound(id_)
        return slot

    def add(self, spec: ChildSpec) -> Slot:
        slot = self._slots[spec.id] = Slot(spec, self._supervisor, self._lock or Lock())
        return slot

    def reset(self, slots: Iterable[Slot]) -> None:
        """Forgets all but these, and brings back those of them that had been deleted."""
        self._slots = {slot.id: slot for slot in slots}

    def remove(self, slot: Slot) -> None:
        slot.rest(State.STOPPED)
        if self._slots.get(slot.id) is slot:
            del self._slots[slot.id]

    def lay_to_rest(self, slot: Slot, state: State, *, keep: bool = False) -> None:
        """Nothing starts it by itself again; what leaves no trace when at rest is forgotten."""
        slot.rest(state)
        kept = keep or self._keeps_at_rest or state is State.FAILED
        if slot.spec.restart is Restart.TEMPORARY or not kept:
            self.remove(slot)

    async def start(self, slot: Slot) -> Life | None:
        """Begins a life and waits until it is ready. None: the child ignored its start.

        Raises StartFailed from what the child raised, or from trio.TooSlowError. Whatever is raised, a
        cancellation too, nothing of the child is left running; the slot's state is the caller's to set.
        """
        assert self.nursery is not None
        life = slot.life = Life(slot, self.nursery, self.on_end)
        slot.enter(State.STARTING)
        self.nursery.start_soon(life.run, name=slot.id)
        try:
            with trio.move_on_after(slot.spec.start_timeout):
                await life.change()
        finally:
            late = not (life.ready or life.is_over)
            if late:
                life.claimed = True
                with trio.CancelScope(shield=True):
                    await kill(life)
        if late:
            slot.life = None
            raise StartFailed(slot.id) from trio.TooSlowError()
        if life.ready:
            return life
        slot.life = None
        exit_ = life.exit
        assert exit_ is not None
        if exit_.kind == "error":
            raise StartFailed(slot.id) from exit_.cause
        if exit_.kind == "killed":
            raise StartFailed(slot.id) from ActorDied(exit_)
        return None
