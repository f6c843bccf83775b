"""How far a destination has been told: a cursor into the log, and the sessions that stayed behind it.

    log     1 2 3 4 5 6 7 8 9 …      of sessions a and b
            a b b a b a b a b
    cursor  ────────────────^        all up to here is settled, but for
    held    ──^ b at 2               those of b past here

Every event is at each moment past the cursor, or past its held session's position, or settled. `stored` gives
both at once, and they are written at once: whatever moment a process starts from again, nothing is left out.
"""

from typing import Any

from attrs import define, field

from storage import Event, Sink, Webhook


@define
class Lag:
    """A held session: settled up to `position`, and to be delivered by itself up to `last`."""

    position: int
    last: int


@define(eq=False)
class Progress:
    """Decides nothing and waits for nothing: it keeps count."""

    scanned: int
    """The log is read up to here."""
    held: dict[str, Lag] = field(factory=dict)
    _open: dict[int, None] = field(factory=dict)
    """Positions that were read and are not settled, in their order."""

    @classmethod
    def of(cls, row: Webhook | Sink) -> "Progress":
        """Where a webhook or a sink stands as stored."""
        held = {session: Lag(position, row.cursor) for session, position in row.held.items()}
        return cls(row.cursor, held)

    @property
    def open(self) -> int:
        """How many events were read and are not settled."""
        return len(self._open)

    @property
    def cursor(self) -> int:
        return next(iter(self._open)) - 1 if self._open else self.scanned

    @property
    def least(self) -> int:
        """All up to here is settled, of every session."""
        return min((self.cursor, *(lag.position for lag in self.held.values())))

    def stored(self) -> dict[str, Any]:
        """The columns that say all this."""
        return {
            "cursor": self.cursor,
            "held": {session: lag.position for session, lag in self.held.items()},
        }

    def read(self, event: Event) -> bool:
        """An event was read; True when it is to be delivered now, False when its session is held."""
        self.scanned = event.position
        if (lag := self.held.get(event.session_id)) is not None:
            lag.last = event.position
            return False
        self._open[event.position] = None
        return True

    def reached(self, position: int) -> None:
        """There is nothing to deliver between what was read and this position."""
        self.scanned = max(self.scanned, position)

    def settled(self, position: int) -> None:
        """An event was acknowledged or given up."""
        del self._open[position]

    def hold(self, session_id: str, positions: list[int]) -> None:
        """A session stays behind with these events, all that are open of it."""
        self.held[session_id] = Lag(positions[0] - 1, positions[-1])
        for position in positions:
            del self._open[position]

    def release(self, session_id: str) -> None:
        """A held session has nothing left before what is read next."""
        del self.held[session_id]
