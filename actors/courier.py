"""The courier of one webhook: brings it the log, in order within each session and parallel over sessions.

    events table ── scan ──> a queue per session ── 2xx ──> progress moves
                      │                └── otherwise: the session is held
                      └── past held sessions: each is brought its own events, as it can take them

Progress is in the database and moves after the acknowledgement: an event is delivered at least once, however
the process ends, and rarely twice. Nobody polls: at the end of the log a courier sleeps until woken.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import trio
from attrs import define, field

from actors.delivery import Deliveries
from actors.filters import listens, passes
from actors.progress import Progress
from runtime import Backoff, MailboxFull, Ref
from storage import DatabaseUnavailable, Delivery, Event, Reads, Update, Webhook

T = TypeVar("T")

_PAGE = 100  # events read at once
_WINDOW = 200  # events that may be read and not settled
_HELD = 1000  # sessions that may be held; one more that fails holds up the scan
_UNSAVED = 1000  # positions without anything to deliver, after which the cursor is stored all the same
_DATABASE = Backoff(0.5, 10)


@define(eq=False, kw_only=True)
class Courier:
    """`run` is a plain child of a supervisor; each life reads the webhook anew."""

    webhook_id: str
    reads: Reads
    writer: Ref
    begin: Callable[[Webhook, dict[str, Delivery]], Deliveries]
    """Makes the deliveries of a life, given those that are to be tried again."""
    rng: random.Random
    deliveries: Deliveries | None = field(init=False, default=None)
    """Of this life; None: it has not begun yet."""
    _progress: Progress = field(init=False)
    _queues: dict[str, deque[Event]] = field(init=False, factory=dict)
    _saved: int = field(init=False, default=0)
    _room: trio.Event = field(init=False, factory=trio.Event)
    _bell: trio.Event = field(init=False, factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Deliver until cancelled; returns when the webhook does not exist or is paused."""
        task_status.started()
        webhook = await patiently(lambda: self.reads.webhook(self.webhook_id), self.rng)
        if webhook is None or not webhook.active:
            return
        failing = await patiently(lambda: self.reads.failing(self.webhook_id), self.rng)
        self._progress = Progress.of(webhook)
        self._saved = webhook.cursor
        self._queues.clear()
        self.deliveries = self.begin(webhook, {each.event_id: each for each in failing})
        async with trio.open_nursery() as nursery:
            for session_id in tuple(self._progress.held):
                nursery.start_soon(self._catch_up, self.deliveries, session_id)
            if webhook.replay is not None:
                nursery.start_soon(
                    self._replay, self.deliveries, webhook.replay["position"], webhook.replay["until"]
                )
            await self._scan(self.deliveries, nursery)

    @property
    def session_id(self) -> str | None:
        """The one session whose events are delivered; None: of all, or not known yet."""
        return None if self.deliveries is None else self.deliveries.webhook.session_id

    @property
    def held(self) -> int:
        """How many sessions are behind the others because one of their events fails."""
        return 0 if self.deliveries is None else len(self._progress.held)

    def wake(self, events: Iterable[tuple[str, str]]) -> None:
        """Events were committed, of these sessions and names."""
        if self.deliveries is None or any(listens(self.deliveries.webhook, *event) for event in events):
            self._bell.set()

    async def _scan(self, deliveries: Deliveries, nursery: trio.Nursery) -> None:
        """Read the log and have each event delivered after those of its session."""
        webhook, progress = deliveries.webhook, self._progress
        while True:
            # Before the reads: what is committed after them rings again.
            self._bell = trio.Event()
            end = await patiently(self.reads.last_position, self.rng)
            events = await self._page(webhook, progress.scanned)
            for event in events:
                while progress.open >= _WINDOW:
                    self._room = trio.Event()
                    await self._room.wait()
                if not passes(webhook.filters, event):
                    progress.reached(event.position)
                elif progress.read(event):
                    self._enqueue(deliveries, event, nursery)
            if not events:
                progress.reached(end)
            if progress.cursor >= self._saved + _UNSAVED:
                await self._save()
            if not events:
                await self._bell.wait()

    def _enqueue(self, deliveries: Deliveries, event: Event, nursery: trio.Nursery) -> None:
        if (queue := self._queues.get(event.session_id)) is not None:
            queue.append(event)
        else:
            self._queues[event.session_id] = queue = deque([event])
            nursery.start_soon(self._deliver, deliveries, event.session_id, queue)

    async def _deliver(self, deliveries: Deliveries, session_id: str, queue: deque[Event]) -> None:
        """Deliver a session's queue until it is empty, or its first event fails."""
        while queue:
            wait = await deliveries.once(queue[0])
            if wait is None:
                self._progress.settled(queue.popleft().position)
                self._room.set()
                await self._save()
            elif len(self._progress.held) < _HELD:
                self._progress.hold(session_id, [event.position for event in queue])
                del self._queues[session_id]
                self._room.set()
                await self._save()
                await deliveries.rest(wait)
                await self._catch_up(deliveries, session_id)
                return
            else:
                await deliveries.rest(wait)
        del self._queues[session_id]

    async def _catch_up(self, deliveries: Deliveries, session_id: str) -> None:
        """Bring a held session what it lacks, from the log, until it is where the scan is."""
        lag = self._progress.held[session_id]
        while lag.position < (last := lag.last):
            page = await self._page(deliveries.webhook, lag.position, [session_id])
            events = [event for event in page if event.position <= last]
            for event in events:
                await self._settle(deliveries, event)
                lag.position = event.position
                await self._save()
            if len(events) < _PAGE:
                lag.position = last
        self._progress.release(session_id)
        await self._save()

    async def _replay(self, deliveries: Deliveries, position: int, until: int) -> None:
        """Deliver a stretch of the log again, one event after the other, beside what happens meanwhile."""
        while position < until:
            page = await self._page(deliveries.webhook, position)
            events = [event for event in page if event.position <= until]
            for event in events:
                await self._settle(deliveries, event)
                position = event.position
                await self._store({"replay": {"position": position, "until": until}})
            if len(events) < _PAGE:
                break
        await self._store({"replay": None})

    async def _settle(self, deliveries: Deliveries, event: Event) -> None:
        """Have an event acknowledged or given up, if the webhook wants it."""
        if passes(deliveries.webhook.filters, event):
            while (wait := await deliveries.once(event)) is not None:
                await deliveries.rest(wait)

    async def _page(self, webhook: Webhook, position: int, sessions: list[str] | None = None) -> list[Event]:
        """The next events past a position that the webhook listens to."""
        if sessions is None and webhook.session_id is not None:
            sessions = [webhook.session_id]
        return await patiently(
            lambda: self.reads.events_after(
                position, sessions=sessions, events=webhook.events or None, limit=_PAGE
            ),
            self.rng,
        )

    async def _save(self) -> None:
        self._saved = self._progress.cursor
        await self._store(self._progress.stored())

    async def _store(self, changes: dict[str, Any]) -> None:
        # Refused or lost, it only means that something is delivered again after a restart.
        with suppress(MailboxFull):
            await self.writer.cast(Update(Webhook, self.webhook_id, changes))


async def patiently(read: Callable[[], Awaitable[T]], rng: random.Random) -> T:
    """What `read` gives, tried again for as long as the database is away."""
    failures = 0
    while True:
        try:
            return await read()
        except DatabaseUnavailable:
            await trio.sleep(_DATABASE.delay(failures, rng))
            failures += 1
