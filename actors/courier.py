"""A courier: brings one destination the log, in order within each session and parallel over sessions.

    events table ── scan ──> a queue per session ── taken ──> progress moves
                      │                └── otherwise: the session is held
                      └── past held sessions: each is brought its own events, as it can take them

Progress is in the database and moves after the destination has taken an event: it is brought at least once,
however the process ends, and rarely twice. Nobody polls: at the end of the log a courier sleeps until woken.
What could not be brought while it was kept is left out, and the line events_expired says so.
"""

import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby, islice
from typing import Any, Generic, Protocol, TypeVar

import trio
from attrs import define, field, frozen

from actors.progress import Progress
from runtime import Backoff, MailboxFull, Ref
from storage import DatabaseUnavailable, Event, EventsExpired, Reads, Sink, Stretch, Update, Webhook

log = logging.getLogger("courier")

T = TypeVar("T")

_PAGE = 100  # events read at once
_WINDOW = 200  # events that may be read and not settled
_HELD = 1000  # sessions that may be held; one more that fails holds up the scan
_UNSAVED = 60_000_000  # microseconds of the log without anything to deliver, after which the cursor is stored
_IDLE = 6 * 3600.0  # seconds after which the cursor moves on though nothing came, as the log goes in time
_DATABASE = Backoff(0.5, 10)


@frozen
class Tried:
    """What came of trying to hand over some events of a session."""

    settled: int
    """So many of them, the first ones, are taken or given up."""
    wait: float | None = None
    """Seconds to rest before the others are tried again; None: none failed."""


@frozen
class Batching:
    """How many events of a session go together."""

    most: int = 1
    wait: float = 0.0
    """Seconds that the first of them may wait for others to happen."""


class Destination(Protocol):
    """Where a courier brings the log, as it is for one life."""

    @property
    def row(self) -> Webhook | Sink:
        """How far it has been told."""

    @property
    def sessions(self) -> Sequence[str] | None:
        """Those it is told of; None: all."""

    @property
    def events(self) -> Sequence[str]:
        """The names of those it is told of; empty: all."""

    @property
    def batching(self) -> Batching: ...

    def wants(self, event: Event) -> bool:
        """Whether it is told of this one, which is of its sessions and names."""

    async def once(self, events: Sequence[Event]) -> Tried:
        """Try to hand over events of one session, in their order, at most as many as go together."""

    async def rest(self, wait: float) -> None:
        """Wait so many seconds, or until there is reason to try again."""


D = TypeVar("D", bound=Destination)


@define(eq=False)
class _Queue:
    """A session's events that were read and are not settled."""

    events: deque[Event]
    grew: trio.Event = field(factory=trio.Event)

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.grew.set()

    async def fill(self, batching: Batching) -> list[Event]:
        """The next events to go together."""
        with trio.move_on_after(batching.wait):
            while len(self.events) < batching.most:
                self.grew = trio.Event()
                await self.grew.wait()
        return list(islice(self.events, batching.most))


@define(eq=False, kw_only=True)
class Courier(Generic[D]):
    """`run` is a plain child of a supervisor; each life begins with what is stored."""

    id: str
    table: type[Webhook | Sink]
    reads: Reads
    writer: Ref
    begin: Callable[[], Awaitable[D | None]]
    """The destination as it is for a life; None: there is nothing to bring it."""
    rng: random.Random
    destination: D | None = field(init=False, default=None)
    """Of this life; None: it has not begun yet."""
    _progress: Progress = field(init=False)
    _queues: dict[str, _Queue] = field(init=False, factory=dict)
    _size: int = field(init=False, default=_PAGE)
    _saved: int = field(init=False, default=0)
    _room: trio.Event = field(init=False, factory=trio.Event)
    _bell: trio.Event = field(init=False, factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Bring the log until cancelled; returns when there is nothing to bring."""
        task_status.started()
        destination = await self.begin()
        if destination is None:
            return
        row = destination.row
        self._size = max(_PAGE, destination.batching.most)
        self._progress = Progress.of(row)
        self._saved = row.cursor
        self._queues.clear()
        self.destination = destination
        async with trio.open_nursery() as nursery:
            for session_id in tuple(self._progress.held):
                nursery.start_soon(self._catch_up, destination, session_id)
            if isinstance(row, Webhook) and row.replay is not None:
                nursery.start_soon(self._replay, destination, row.replay["position"], row.replay["until"])
            await self._scan(destination, nursery)

    @property
    def held(self) -> int:
        """How many sessions are behind the others because one of their events fails."""
        return 0 if self.destination is None else len(self._progress.held)

    @property
    def settled(self) -> int | None:
        """The position up to which all is taken or given up, of held sessions too; None: not known yet."""
        return None if self.destination is None else self._progress.least

    def wake(self, events: Iterable[tuple[str, str]]) -> bool:
        """Events were committed, of these sessions and names; whether the destination is told of any."""
        told = self.destination is None or any(_listens(self.destination, *event) for event in events)
        if told:
            self._bell.set()
        return told

    async def _scan(self, destination: D, nursery: trio.Nursery) -> None:
        """Read the log and have each event brought after those of its session."""
        progress, window = self._progress, max(_WINDOW, 2 * destination.batching.most)
        while True:
            # Before the reads: what is committed after them rings again.
            self._bell = trio.Event()
            page = await self._page(destination, progress.scanned)
            for event in page.events:
                while progress.open >= window:
                    self._room = trio.Event()
                    await self._room.wait()
                if not destination.wants(event):
                    progress.reached(event.position)
                elif progress.read(event):
                    self._enqueue(destination, event, nursery)
            progress.reached(page.end)
            if progress.cursor >= self._saved + _UNSAVED:
                await self._save()
            if not page.events:
                with trio.move_on_after(_IDLE):
                    await self._bell.wait()

    def _enqueue(self, destination: D, event: Event, nursery: trio.Nursery) -> None:
        if (queue := self._queues.get(event.session_id)) is not None:
            queue.put(event)
        else:
            self._queues[event.session_id] = queue = _Queue(deque([event]))
            nursery.start_soon(self._deliver, destination, event.session_id, queue)

    async def _deliver(self, destination: D, session_id: str, queue: _Queue) -> None:
        """Bring a session's queue until it is empty, or one of its events fails."""
        while queue.events:
            tried = await destination.once(await queue.fill(destination.batching))
            for _ in range(tried.settled):
                self._progress.settled(queue.events.popleft().position)
            self._room.set()
            if tried.wait is None:
                await self._save()
            elif len(self._progress.held) < _HELD:
                self._progress.hold(session_id, [event.position for event in queue.events])
                del self._queues[session_id]
                await self._save()
                await destination.rest(tried.wait)
                await self._catch_up(destination, session_id)
                return
            else:
                await destination.rest(tried.wait)
        del self._queues[session_id]

    async def _catch_up(self, destination: D, session_id: str) -> None:
        """Bring a held session what it lacks, from the log, until it is where the scan is."""
        lag = self._progress.held[session_id]

        async def reached(position: int) -> None:
            lag.position = position
            await self._save()

        while lag.position < (last := lag.last):
            page = await self._page(destination, lag.position, [session_id])
            events = [event for event in page.events if event.position <= last]
            await self._settle(destination, events, reached)
            lag.position = events[-1].position if len(events) == self._size else last
        self._progress.release(session_id)
        await self._save()

    async def _replay(self, destination: D, position: int, until: int) -> None:
        """Bring a stretch of the log again, in its order, beside what happens meanwhile."""

        async def reached(position: int) -> None:
            await self._store({"replay": {"position": position, "until": until}})

        while position < until:
            page = await self._page(destination, position)
            events = [event for event in page.events if event.position <= until]
            for _, together in groupby(events, lambda event: event.session_id):
                await self._settle(destination, list(together), reached)
            position = events[-1].position if len(events) == self._size else until
        await self._store({"replay": None})

    async def _settle(
        self, destination: D, events: Sequence[Event], reached: Callable[[int], Awaitable[None]]
    ) -> None:
        """Have all events of a session that the destination wants taken or given up."""
        wanted = [event for event in events if destination.wants(event)]
        while wanted:
            tried = await destination.once(wanted[: destination.batching.most])
            if tried.settled:
                await reached(wanted[tried.settled - 1].position)
                del wanted[: tried.settled]
            if tried.wait is not None:
                await destination.rest(tried.wait)

    async def _page(self, destination: D, position: int, sessions: Sequence[str] | None = None) -> Stretch:
        """The next events past a position of sessions and names that the destination is told of."""
        try:
            return await patiently(
                lambda: self.reads.events_after(
                    position,
                    sessions=destination.sessions if sessions is None else sessions,
                    events=destination.events or None,
                    limit=self._size,
                ),
                self.rng,
            )
        except EventsExpired as expired:
            kept_after = expired.dropped
        log.warning("events_expired destination=%s after=%d kept_after=%d", self.id, position, kept_after)
        return await self._page(destination, kept_after, sessions)

    async def _save(self) -> None:
        self._saved = self._progress.cursor
        await self._store(self._progress.stored())

    async def _store(self, changes: dict[str, Any]) -> None:
        # Refused or lost, it only means that something is brought again after a restart.
        with suppress(MailboxFull):
            await self.writer.cast(Update(self.table, self.id, changes))


def _listens(destination: Destination, session_id: str, name: str) -> bool:
    """Whether the destination is about this session and asked for events of this name."""
    about = destination.sessions is None or session_id in destination.sessions
    return about and (not destination.events or name in destination.events)


async def patiently(read: Callable[[], Awaitable[T]], rng: random.Random) -> T:
    """What `read` gives, tried again for as long as the database is away."""
    failures = 0
    while True:
        try:
            return await read()
        except DatabaseUnavailable:
            await trio.sleep(_DATABASE.delay(failures, rng))
            failures += 1
