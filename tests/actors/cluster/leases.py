"""The leases' protocol: what the database, the gateways and their cells may do next, in every order.

Nobody need ever take a step: a gateway that hangs or is stopped, or is cut off from the database, is one that
takes none for a while. Statements are carried out at some time after they were sent, or never, and answers
arrive at some time after that, or never. The cells' timers alone are punctual. Time passes in ticks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from attrs import frozen

from actors.cluster.reconciliation import reconcile
from actors.cluster.tenure import Tenure
from tests.actors.cluster.explorer import Step
from tests.actors.cluster.world import NO_WRITE, NONE, Machine, Session, World, put

LEASE = 4
"""Ticks of the database's clock. A machine's may lose one of so many in a row: the drift that is assumed."""
DYING = 1
"""Ticks that a cell may take to be gone once its timer has gone off: the margin."""

Steps = Iterator[tuple[Step, World]]


@frozen(kw_only=True)
class Rules:
    """Those of the protocol, each of which can be broken."""

    fenced: bool = True
    """What is written under an older epoch than the row's is refused."""
    claims_raise_epochs: bool = True
    reaps_expired_only: bool = True
    counts_from_sending: bool = True
    """A tenure begins when its renewal was sent, as against when that was answered."""
    drift: float = 1 / LEASE
    margin: float = DYING
    timers: bool = True
    """Cells have them."""
    absolute_timers: bool = True
    """They are set to an instant, as against to what was left until it when the clock was last read."""
    starts_until_deadline: bool = True
    """A cell is started with what is left of its gateway's tenure, as against with a whole one."""
    stops_before_giving: bool = True
    """A session's client has ended before its handing over is sent."""
    kills_what_hangs: bool = True
    """That holds for a cell that does not answer, too."""
    stops_before_registering: bool = True
    """All clients have ended before the next id makes room for itself."""
    never_restarts_given: bool = True
    """An epoch from which a handing over was sent is not started again."""

    @property
    def tenure(self) -> int:
        """Ticks of the machine's clock from the sending of a renewal to the deadline."""
        return int(Tenure(0.0, LEASE, drift=self.drift, margin=self.margin, stopping=0.0).deadline)


@frozen(kw_only=True)
class Setting:
    """What there is, and what may happen besides the orderly."""

    machines: int = 2
    sessions: int = 1
    slow_clocks: int = 0
    """How many machines' clocks may lose ticks."""
    hands_over: bool = False
    writes: bool = False
    crashes: bool = False
    """Of gateways, which come back, and of cells."""
    pauses: bool = False
    """Of cells. Those of gateways are in everything."""
    delays: bool = False
    """Renewals and registrations are carried out ticks after they were sent: what makes them worth less."""
    stragglers: bool = False
    """Renewals and registrations of ids that were given up since are carried out late."""
    jumps: bool = False
    """The database's clock may jump ahead of all leases."""


@frozen
class Leases:
    """The system under some rules, in some setting."""

    setting: Setting = Setting()
    rules: Rules = Rules()

    @property
    def initial(self) -> World:
        setting = self.setting
        none = (NONE,) * setting.sessions
        return World(
            rows=(NONE, NONE) * setting.machines,
            sessions=(Session(),) * setting.sessions,
            machines=tuple(
                Machine(running=none, given=none, steady=LEASE if n < setting.slow_clocks else NONE)
                for n in range(setting.machines)
            ),
        )

    def canonical(self, world: World) -> World:
        """Besides names, without what fencing leaves without a consequence: epochs that are over."""
        if self.setting.writes and self.rules.fenced:
            if any(machine.write[1] > 0 for machine in world.machines):
                machines = (
                    each.but(write=NO_WRITE) if each.write[1] > 0 else each for each in world.machines
                )
                world = world._replace(machines=tuple(machines))
            if any(row.written > 0 for row in world.sessions):
                rows = (
                    row._replace(written=NONE, writer=NONE) if row.written > 0 else row
                    for row in world.sessions
                )
                world = world._replace(sessions=tuple(rows))
        return world.canonical()

    def wrong(self, world: World) -> str | None:
        if world.wrong is not None:
            return world.wrong
        for session in range(len(world.sessions)):
            acting = [_name(n) for n, machine in enumerate(world.machines) if machine.acts_for(session)]
            if len(acting) > 1:
                return f"{' and '.join(acting)} act for session {session}"
        return None

    def well(self, world: World) -> bool:
        """Every session is owned by a node that lives, and runs there under its epoch."""
        return all(
            row.owner != NONE
            and row.owner % 2 == 0
            and world.rows[row.owner] > 0
            and world.machines[row.owner // 2].acts_for(session)
            and world.machines[row.owner // 2].running[session] == 0
            for session, row in enumerate(world.sessions)
        )

    def orderly(self, world: World) -> Steps:
        yield from self._passing(world)
        for id_, left in enumerate(world.rows):
            if left == 0 or (left > 0 and not self.rules.reaps_expired_only):
                yield (_id(id_), "is reaped"), world.forget(id_)
        for session, row in enumerate(world.sessions):
            if row.giving:
                yield from self._handed_over(world, session, row)
        for n, machine in enumerate(world.machines):
            yield from self._renewed(world, n, machine)
            yield from self._served(world, n, machine)
            yield from self._answered(world, n, machine)
            yield from self._worked(world, n, machine)
            if machine.paused:
                going_on = machine.but(paused=False, arming=NONE, cell=max(machine.cell, machine.arming))
                yield (
                    (_name(n), "has its cell go on"),
                    world.machine(n, going_on if machine.cell else machine.without_cell()),
                )
            if self.setting.writes:
                yield from self._written(world, n, machine)

    def troubles(self, world: World) -> Steps:
        setting = self.setting
        for n, machine in enumerate(world.machines):
            if setting.crashes and machine.tenure != NONE:
                yield (_name(n), "crashes"), world.without_id(n, kept=setting.hands_over)
            if setting.crashes and machine.cell != NONE:
                yield (_name(n), "has its cell crash"), world.machine(n, machine.without_cell())
            if setting.pauses and machine.cell > 0 and not machine.paused:
                arming = NONE if self.rules.absolute_timers else machine.tenure + DYING
                yield (
                    (_name(n), "has its cell paused"),
                    world.machine(n, machine.but(paused=True, arming=arming)),
                )
        for id_, left in enumerate(world.rows) if setting.stragglers else ():
            if 0 < left < LEASE:
                yield ("a late renewal reaches", _id(id_)), world.row(id_, LEASE)
            if left == NONE and id_ % 2:
                yield ("a late registration makes", _id(id_)), world.row(id_, LEASE)
        if setting.jumps and any(left > 0 for left in world.rows):
            expired = tuple(min(left, 0) for left in world.rows)
            yield ("the database's clock jumps ahead",), world._replace(rows=expired)

    # Time

    def _passing(self, world: World) -> Steps:
        """A tick of the database's clock, which a machine's may lose."""
        rows = tuple(max(left - 1, 0) if left > 0 else left for left in world.rows)
        choices = [
            [(False, self._aged(machine))]
            + ([(True, machine.but(steady=0))] if machine.steady == LEASE else [])
            for machine in world.machines
        ]
        for chosen in itertools.product(*choices):
            losing = [_name(n) for n, (loses, _) in enumerate(chosen) if loses]
            step = ("a tick", *(["that is lost by the clock of", *losing] if losing else []))
            yield step, world._replace(rows=rows, machines=tuple(machine for _, machine in chosen))

    def _aged(self, machine: Machine) -> Machine:
        """The machine a tick of its own clock later."""
        machine = machine.but(
            tenure=machine.tenure - (machine.tenure > 0),
            answer=machine.answer - (machine.answer > 0),
            steady=min(machine.steady + 1, LEASE) if machine.steady != NONE else NONE,
        )
        if machine.cell <= 0 or not self.rules.timers:
            return machine
        if machine.cell > 1 or machine.paused:
            return machine.but(cell=machine.cell - 1)
        return machine.without_cell()

    # What the database carries out

    def _renewed(self, world: World, n: int, machine: Machine) -> Steps:
        """When it was sent shows in the answer's worth alone: so that is picked here, of all there may be."""
        if machine.answer != NONE:
            return
        current, earlier = 2 * n, 2 * n + 1
        whole = self.rules.tenure
        for worth in range(1 if self.setting.delays else whole, whole + 1):
            ago = f"as sent {whole - worth} ticks before"
            asking = world.machine(n, machine.but(answer=worth))
            if machine.tenure == NONE:  # and a row there may be is of a registration whose answer was lost
                after = world.without_id(n, stops=False, kept=self.setting.hands_over).forget(earlier)
                after = after.row(current, LEASE).machine(n, after.machines[n].but(answer=worth))
                yield (_name(n), "is registered in place of its earlier id,", ago), after
            elif world.rows[current] > 0 and machine.tenure < worth:
                yield (_name(n), "has its id renewed,", ago), asking.row(current, LEASE)

    def _served(self, world: World, n: int, machine: Machine) -> Steps:
        """A claim, and what a gateway asks to know."""
        current = 2 * n
        if machine.tenure == NONE or world.rows[current] == NONE:
            return
        for session, row in enumerate(world.sessions):
            if row.owner == NONE:
                claimed = world.given(session, current, raises=self.rules.claims_raise_epochs)
                yield (_name(n), "claims session", session), claimed
        lags = tuple(0 if row.owner == current else NONE for row in world.sessions)
        if not machine.found and any(lag != NONE for lag in lags + machine.running):
            yield (_name(n), "is told what it has"), world.machine(n, machine.but(found=lags))

    def _handed_over(self, world: World, session: int, row: Session) -> Steps:
        """If there still is somebody to be given to; or it never comes about."""
        for id_, left in enumerate(world.rows):
            if row.giving >> id_ & 1:
                lost = world.session(session, row._replace(giving=row.giving & ~(1 << id_)))
                yield ("the handing over of session", session, "to", _id(id_), "is lost"), lost
                if left > 0:
                    yield ("session", session, "is handed over to", _id(id_)), world.given(session, id_)

    def _written(self, world: World, n: int, machine: Machine) -> Steps:
        session, lag = machine.write
        if session == NONE:
            for each, running in enumerate(machine.running):
                if running != NONE:
                    yield (
                        (_name(n), "has a write for session", each),
                        world.machine(n, machine.but(write=(each, running))),
                    )
            return
        done = world.machine(n, machine.but(write=NO_WRITE))
        if lag and self.rules.fenced:
            yield (_name(n), "has its write refused"), done
            return
        row = world.sessions[session]
        wrong = None
        if row.written != NONE and lag > row.written:
            wrong = f"session {session} was written to under an older epoch than before"
        if row.written == lag == 0 and row.writer != n:
            wrong = f"two gateways wrote to session {session} under one epoch"
        done = done.session(session, row._replace(written=lag, writer=n))._replace(wrong=wrong)
        yield (_name(n), "has its write committed"), done

    # What a gateway does by what it believes

    def _answered(self, world: World, n: int, machine: Machine) -> Steps:
        if machine.answer != NONE:
            yield (_name(n), "does not get the answer"), world.machine(n, machine.but(answer=NONE))
            tenure = machine.answer if self.rules.counts_from_sending else self.rules.tenure
            cell = machine.cell
            if cell > 0 and not machine.paused:  # were it told later, it would but die sooner
                cell = max(cell, tenure + DYING)
            yield (
                (_name(n), "gets the answer, and tells its cell"),
                world.machine(n, machine.but(answer=NONE, tenure=tenure, cell=cell)),
            )
        elif machine.tenure > 0 >= world.rows[2 * n]:
            yield (_name(n), "hears that it was too late"), world.machine(n, machine.but(tenure=0))
        if machine.tenure == 0:
            stops = self.rules.stops_before_registering
            yield (
                (_name(n), "gives up its id"),
                world.without_id(n, stops=stops, kept=self.setting.hands_over),
            )

    def _worked(self, world: World, n: int, machine: Machine) -> Steps:
        if machine.tenure <= 0:
            return
        if machine.found:
            yield (_name(n), "looks at what it was told"), self._reconciled(world, n, machine)
        for session, lag in enumerate(machine.running) if self.setting.hands_over else ():
            if lag != NONE:
                yield from self._handing_over(world, n, session, lag)

    def _reconciled(self, world: World, n: int, machine: Machine) -> World:
        """What the product decides is done; the lower a lag, the higher an epoch."""
        owned, running, given = (
            {str(session): -lag for session, lag in enumerate(lags) if lag != NONE}
            for lags in (machine.found, machine.running, machine.given)
        )
        todo = reconcile(owned, running, given if self.rules.never_restarts_given else {})
        lags, handed, cell = machine.running, machine.given, machine.cell
        for id_ in todo.stop:
            lags = put(lags, int(id_), NONE)
        if not machine.paused:  # a cell that does not answer takes no session
            for id_, epoch in todo.start.items():
                lags = put(lags, int(id_), -epoch)
                left = machine.tenure if self.rules.starts_until_deadline else self.rules.tenure
                cell = max(cell, left + DYING)
        for id_, epoch in todo.retake.items():
            handed = put(handed, int(id_), -epoch)
            world = world.giving(int(id_), 2 * n, -epoch, to=2 * n)
        after = machine.but(found=(), given=handed, cell=cell)
        if machine.paused and todo.stop:
            return world.machine(n, after.without_cell())
        return world.machine(n, after.running_only(lags))

    def _handing_over(self, world: World, n: int, session: int, lag: int) -> Steps:
        """The client is stopped, if need be with its cell, and then the statement is sent."""
        machine = world.machines[n]
        after = machine.but(given=put(machine.given, session, lag))
        if machine.paused:
            after = after.without_cell() if self.rules.kills_what_hangs else after
        elif self.rules.stops_before_giving:
            after = after.running_only(put(machine.running, session, NONE))
        for id_, left in enumerate(world.rows):
            if left > 0 and id_ // 2 != n:
                step = (_name(n), "stops session", session, "and hands it over to", _id(id_))
                yield step, world.machine(n, after).giving(session, 2 * n, lag, to=id_)


def _name(n: int) -> str:
    return f"gateway {'ABC'[n]}"


def _id(id_: int) -> str:
    return f"{_name(id_ // 2)}'s {'earlier ' if id_ % 2 else ''}id"
