"""All sinks: a supervised courier each, woken by commits, with its row in the database.

sinks (one_for_one)
├─ bus        a courier, and the thread in which its broker's client runs
└─ archive    another; a slow one delays no other
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial

import trio
from attrs import define, field, frozen

from actors.courier import Courier, patiently
from actors.sinks.broker import Broker
from actors.sinks.elsewhere import Elsewhere, elsewhere
from actors.sinks.publishing import Publishing
from actors.sinks.stats import SinkStats
from runtime import Backoff, ChildSpec, OnExhausted, Ref, Supervisor
from storage import Event, Insert, Reads, Sink

_CLOSING = 2.0  # seconds for a client's clean end


@frozen(kw_only=True)
class SinkSpec:
    """A sink as it is configured."""

    name: str
    kind: str
    target: str
    """Where in the broker events go, for people."""
    sessions: tuple[str, ...]
    """Empty: all."""
    events: tuple[str, ...]
    """Names; empty: all."""
    broker: Callable[[], Broker]
    """Makes the client; called in the thread where it runs, since loading its library takes a while."""
    timeout: float
    backoff: Backoff


@define(eq=False, kw_only=True)
class Sinks:
    """All sinks of the configuration. `supervisor.run` goes into the tree; the rest may be called by anyone.

    A sink is told of what happens after it was first configured. Its row stays when it is no longer: back
    again under its name, it goes on where it was.
    """

    specs: tuple[SinkSpec, ...]
    writer: Ref
    reads: Reads
    backoff: Backoff = field(factory=lambda: Backoff(0.5, 30, on_exhausted=OnExhausted.GIVE_UP))
    """Of one that crashes."""
    shutdown: float = 5.0
    intensity: int = 10
    period: float = 60.0
    stats: Mapping[str, SinkStats] = field()
    """By name; those there are."""
    rng: random.Random = field(factory=random.Random)
    supervisor: Supervisor = field(init=False)
    _couriers: dict[str, Courier[Publishing]] = field(init=False, factory=dict)
    _newest: dict[str, int] = field(init=False, factory=dict)
    """By name: the position of the last event that it is to be told of."""
    _uncounted: defaultdict[str, list[int]] = field(init=False, factory=lambda: defaultdict(list))
    """By name: those of events that happened while it was not known how many waited before them."""

    @stats.default
    def _one_each(self) -> Mapping[str, SinkStats]:
        return {spec.name: SinkStats() for spec in self.specs}

    def __attrs_post_init__(self) -> None:
        self.supervisor = Supervisor(
            [
                ChildSpec(spec.name, partial(self._bring, spec), backoff=self.backoff, shutdown=self.shutdown)
                for spec in self.specs
            ],
            id="sinks",
            intensity=self.intensity,
            period=self.period,
        )

    def wake(self, events: Collection[Event]) -> None:
        """Events were committed: whoever is told of one looks for it. Never waits."""
        kinds = {(event.session_id, event.event) for event in events}
        for spec in self.specs:
            told = [event.position for event in events if _is_told(spec, event)]
            if told:
                self._newest[spec.name] = told[-1]
                self._uncounted[spec.name] += told
                self._count(spec.name)
                if (courier := self._couriers.get(spec.name)) is not None:
                    courier.wake(kinds)

    def cursor(self, name: str) -> int | None:
        """The position up to which the broker has all; None while that is not known."""
        courier = self._couriers.get(name)
        return None if courier is None else courier.settled

    def lag(self, name: str) -> int | None:
        """How many events wait for the broker; None while that is not known."""
        cursor, waiting = self.cursor(name), self.stats[name].waiting
        if cursor is None or waiting is None:
            return None
        return 0 if cursor >= self._newest[name] else max(1, waiting)

    def held(self, name: str) -> int:
        """How many sessions are behind because one of their events fails."""
        courier = self._couriers.get(name)
        return 0 if courier is None else courier.held

    def away(self, name: str) -> bool:
        """Whether the broker failed so often that it is only probed."""
        courier = self._couriers.get(name)
        return courier is not None and courier.destination is not None and courier.destination.circuit.is_open

    async def _bring(self, spec: SinkSpec, *, task_status: trio.TaskStatus[None]) -> None:
        """A sink's life: the log to the broker until cancelled."""
        task_status.started()
        async with elsewhere() as there:
            broker = await there.run(_made, spec.broker)
            courier = Courier(
                id=spec.name,
                table=Sink,
                reads=self.reads,
                writer=self.writer,
                begin=partial(self._begin, spec, there, broker),
                rng=self.rng,
            )
            self._couriers[spec.name] = courier
            self.stats[spec.name].waiting = None
            self._uncounted[spec.name].clear()
            try:
                await courier.run(task_status=trio.TASK_STATUS_IGNORED)
            finally:
                del self._couriers[spec.name]
                with trio.move_on_after(_CLOSING, shield=True):
                    await there.run(broker.close)

    async def _begin(self, spec: SinkSpec, there: Elsewhere, broker: Broker) -> Publishing:
        end = await patiently(self.reads.last_position, self.rng)
        row = await patiently(lambda: self.reads.sink(spec.name), self.rng)
        if row is None:
            row = Sink(id=spec.name, cursor=end)
            await self.writer.call(Insert(row), timeout=math.inf)
        self._newest[spec.name] = max(end, self._newest.get(spec.name, 0))
        waiting = await patiently(partial(self._untold, spec, row, end), self.rng)
        self._uncounted[spec.name] = [at for at in self._uncounted[spec.name] if at > end]
        self.stats[spec.name].waiting = waiting
        self._count(spec.name)
        return Publishing(
            row=row,
            sessions=spec.sessions or None,
            events=spec.events,
            broker=broker,
            there=there,
            timeout=spec.timeout,
            backoff=spec.backoff,
            stats=self.stats[spec.name],
            rng=self.rng,
        )

    async def _untold(self, spec: SinkSpec, row: Sink, end: int) -> int:
        sessions, events = spec.sessions or None, spec.events or None
        return await self.reads.untold_events(row, end, sessions=sessions, events=events)

    def _count(self, name: str) -> None:
        """Add those that happened, once it is known how many waited before them."""
        waiting = self.stats[name].waiting
        if waiting is not None:
            self.stats[name].waiting = waiting + len(self._uncounted[name])
            self._uncounted[name].clear()


def _is_told(spec: SinkSpec, event: Event) -> bool:
    about = not spec.sessions or event.session_id in spec.sessions
    return about and (not spec.events or event.event in spec.events)


async def _made(broker: Callable[[], Broker]) -> Broker:
    return broker()
