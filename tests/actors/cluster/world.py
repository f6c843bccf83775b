"""The database, the gateways and their cells as one value, of which there are finitely many.

So that there are, all times are told as ticks to go, and an epoch by its *lag*: how far it is behind the one
in its session's row; from `LAG` on it is just old. A machine whose gateway registers anew gets another id,
and what is left of earlier ones counts as one. An id is a number: twice the machine's, plus one if earlier.
"""

from __future__ import annotations

from typing import NamedTuple

NONE = -1
LAG = 2
NO_WRITE = (NONE, NONE)


class Session(NamedTuple):
    """A row, and what else the database has of it."""

    owner: int = NONE
    """An id."""
    giving: int = 0
    """The ids to which statements on their way would hand it over, if it is its owner's still: a bit each."""
    written: int = NONE
    """The lag of the latest epoch that wrote."""
    writer: int = NONE
    """The machine that did."""


class Machine(NamedTuple):
    """A gateway with its cell."""

    tenure: int = NONE
    """Ticks to the deadline, 0 from it on; NONE: it has no id."""
    answer: int = NONE
    """Of a renewal or registration that was carried out: the ticks to the deadline that it is worth."""
    found: tuple[int, ...] = ()
    """An answer that it has not looked at: of each session the lag if it was its own, or NONE."""
    running: tuple[int, ...] = ()
    """Of each session the lag of the epoch under which its client runs in the cell, or NONE."""
    given: tuple[int, ...] = ()
    """Of each session the lag of the highest epoch from which it was handed over, or NONE."""
    cell: int = NONE
    """Ticks until it is gone for certain; 0: it will be before it runs on; NONE: there is none."""
    paused: bool = False
    arming: int = NONE
    """What it sets its timer to when it goes on, by the clock as it was when it was paused."""
    write: tuple[int, int] = NO_WRITE
    """A write on its way: whose, and its epoch's lag."""
    steady: int = NONE
    """Ticks since its clock lost one, as far as that matters; NONE: it loses none."""

    def acts_for(self, session: int) -> bool:
        return self.running[session] != NONE and self.cell > 0 and not self.paused

    def but(self, **changes: object) -> Machine:
        return self._replace(**changes)  # type: ignore[arg-type]

    def running_only(self, running: tuple[int, ...]) -> Machine:
        """An empty cell is none."""
        return self.without_cell() if all(lag == NONE for lag in running) else self.but(running=running)

    def without_cell(self) -> Machine:
        return self.but(cell=NONE, paused=False, arming=NONE, running=(NONE,) * len(self.running))


class World(NamedTuple):
    rows: tuple[int, ...]
    """Of each id the ticks until it expires, 0 when it has, NONE: there is no such row."""
    sessions: tuple[Session, ...]
    machines: tuple[Machine, ...]
    wrong: str | None = None

    def canonical(self) -> World:
        """One of the worlds that differ in which machine is which."""
        machines, rows = self.machines, self.rows
        order = sorted(range(len(machines)), key=lambda n: (machines[n], rows[2 * n : 2 * n + 2]))
        if order == sorted(order):
            return self
        ids = [2 * n + age for n in order for age in (0, 1)]
        return World(
            rows=tuple(rows[id_] for id_ in ids),
            sessions=tuple(
                Session(
                    owner=NONE if row.owner == NONE else ids.index(row.owner),
                    giving=sum(1 << place for place, id_ in enumerate(ids) if row.giving >> id_ & 1),
                    written=row.written,
                    writer=NONE if row.writer == NONE else order.index(row.writer),
                )
                for row in self.sessions
            ),
            machines=tuple(machines[n] for n in order),
            wrong=self.wrong,
        )

    def row(self, id_: int, left: int) -> World:
        return self._replace(rows=put(self.rows, id_, left))

    def session(self, session: int, row: Session) -> World:
        return self._replace(sessions=put(self.sessions, session, row))

    def machine(self, n: int, machine: Machine) -> World:
        return self._replace(machines=put(self.machines, n, machine))

    def forget(self, id_: int) -> World:
        """A node's row is deleted: what it had is nobody's."""
        if self.rows[id_] == NONE:
            return self
        sessions = (row._replace(owner=NONE, giving=0) if row.owner == id_ else row for row in self.sessions)
        return self.row(id_, NONE)._replace(sessions=tuple(sessions))

    def given(self, session: int, to: int, *, raises: bool = True) -> World:
        """A session is another id's under its next epoch; what carries the last one carries an older now."""
        row = self.sessions[session]
        machines = self.machines
        if raises:
            row = row._replace(written=_older(row.written))
            machines = tuple(_outdated(machine, session) for machine in machines)
        return self._replace(machines=machines).session(session, row._replace(owner=to, giving=0))

    def giving(self, session: int, owner: int, lag: int, to: int) -> World:
        """A handing over is sent; it does nothing where owner and epoch are not what it asks for."""
        row = self.sessions[session]
        if lag or row.owner != owner:
            return self
        return self.session(session, row._replace(giving=row.giving | 1 << to))

    def without_id(self, n: int, *, stops: bool = True, kept: bool = True) -> World:
        """A gateway has its id no more, and knows nothing of what it asked for under it.

        `stops`: its cell has ended. The row is left, or unless `kept` only where some session is that id's.
        """
        current, earlier = 2 * n, 2 * n + 1
        left = max(self.rows[current], self.rows[earlier])
        if not kept and all(row.owner // 2 != n for row in self.sessions):
            left = NONE
        sessions = tuple(
            row._replace(owner=earlier, giving=0)
            if row.owner == current
            else row._replace(giving=row.giving & ~(1 << current) | (row.giving >> current & 1) << earlier)
            for row in self.sessions
        )
        machine = self.machines[n].but(tenure=NONE, answer=NONE, found=(), given=(NONE,) * len(sessions))
        rows = put(put(self.rows, earlier, left), current, NONE)
        return self._replace(rows=rows, sessions=sessions).machine(
            n, machine.without_cell() if stops else machine
        )


def put(items: tuple, index: int, item: object) -> tuple:  # type: ignore[type-arg]
    """The same with another item in that place."""
    return (*items[:index], item, *items[index + 1 :])


def _older(lag: int) -> int:
    return lag if lag in {NONE, LAG} else lag + 1


def _outdated(machine: Machine, session: int) -> Machine:
    """Its epochs of this session are behind by one more."""

    def older(lags: tuple[int, ...]) -> tuple[int, ...]:
        return put(lags, session, _older(lags[session])) if lags else ()

    write = machine.write
    return machine.but(
        running=older(machine.running),
        given=older(machine.given),
        found=older(machine.found),
        write=(session, _older(write[1])) if write[0] == session else write,
    )
