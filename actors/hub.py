"""The hub: every committed event to every listener that wants it, without ever waiting for one.

    writer ── Publish(events) ──> Hub ──┬─ bounded channel ──> Listener (a WebSocket)
                                        ├─ bounded channel ──> Listener
                                        └─ full: closed, lagged

A listener that falls behind is cut off and goes on from the table, after the last position it was given.
"""

from collections.abc import Iterator

import trio
from attrs import define, field, frozen

from actors.envelope import encode
from runtime import Actor
from storage import Event


@frozen
class Published:
    """An event on its way to listeners; `body` is its envelope in JSON, encoded once for all of them."""

    position: int
    session_id: str
    event: str
    body: str = field(repr=False)


@define(eq=False)
class Listener:
    """What a subscription gives: the events from then on, in order, until the channel ends."""

    sessions: frozenset[str] | None
    names: frozenset[str] | None
    events: trio.MemoryReceiveChannel[Published]
    _put: trio.MemorySendChannel[Published]
    lagged: bool = False
    """Events are missing after the last one: it fell behind, or the hub did. Otherwise the hub stopped."""


@frozen
class Subscribe:
    """Listen to these sessions and event names; None: to all. Answers a Listener, whose events begin now."""

    sessions: frozenset[str] | None = None
    events: frozenset[str] | None = None


@frozen
class Unsubscribe:
    """Listen no longer. No harm in doing it twice, or after the hub closed the channel."""

    listener: Listener


@frozen
class Publish:
    """Events that were committed, in the order of the log."""

    events: tuple[Event, ...]


@define(eq=False)
class HubStats:
    """What the hub counted, over all its lives."""

    listeners: int = 0
    """Those that there are now."""
    cut_offs: int = 0
    """Listeners that fell behind, or had to because the hub missed events."""
    events: int = 0
    """Events that were published, whether anybody listened or not."""


class Hub(Actor):
    """Takes Subscribe, Unsubscribe and Publish. `capacity` is how many events a listener may be behind."""

    def __init__(self, *, capacity: int = 1000, stats: HubStats | None = None) -> None:
        self._capacity = capacity
        self._stats = stats or HubStats()
        # By session, so that an event looks at those listeners alone that may want it; None: of all sessions.
        self._listeners: dict[str | None, set[Listener]] = {}
        self._last_seq: dict[str, int] = {}

    async def on_start(self) -> None:
        await self.nursery.start(self._close_all_at_the_end)

    async def handle(self, message: Subscribe | Unsubscribe | Publish) -> Listener | None:
        match message:
            case Subscribe(sessions, names):
                put, events = trio.open_memory_channel[Published](self._capacity)
                listener = Listener(sessions, names, events, put)
                for session_id in _keys(listener):
                    self._listeners.setdefault(session_id, set()).add(listener)
                self._stats.listeners += 1
                return listener
            case Unsubscribe(listener):
                self._drop(listener)
            case Publish(events):
                for event in events:
                    self._publish(event)
                    await trio.lowlevel.checkpoint()
        return None

    def _publish(self, event: Event) -> None:
        self._stats.events += 1
        listeners = self._listening_to(event.session_id)
        # A commit may have gone unannounced when the writer died right after it. Its events are in the table.
        if event.seq > self._last_seq.get(event.session_id, event.seq) + 1:
            for listener in listeners:
                self._cut_off(listener)
            listeners = []
        self._last_seq[event.session_id] = event.seq
        wanting = [each for each in listeners if each.names is None or event.event in each.names]
        if not wanting:
            return
        published = Published(event.position, event.session_id, event.event, encode(event))
        for listener in wanting:
            try:
                listener._put.send_nowait(published)  # noqa: SLF001 - the other end of its channel
            except trio.WouldBlock:
                self._cut_off(listener)
            except trio.BrokenResourceError:
                self._drop(listener)  # it went away without a word

    def _listening_to(self, session_id: str) -> list[Listener]:
        return [*self._listeners.get(session_id, ()), *self._listeners.get(None, ())]

    def _cut_off(self, listener: Listener) -> None:
        listener.lagged = True
        self._stats.cut_offs += 1
        self._drop(listener)

    def _drop(self, listener: Listener) -> None:
        if listener._put.statistics().open_send_channels:  # noqa: SLF001 - and not dropped before
            self._stats.listeners -= 1
        listener._put.close()  # noqa: SLF001
        for session_id in _keys(listener):
            if session_id in self._listeners:
                self._listeners[session_id].discard(listener)
                if not self._listeners[session_id]:
                    del self._listeners[session_id]

    async def _close_all_at_the_end(self, *, task_status: trio.TaskStatus[None]) -> None:
        # A task: on_stop does not run for a hub that is killed, and its listeners would wait for ever.
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            for listener in {each for some in self._listeners.values() for each in some}:
                self._drop(listener)


def _keys(listener: Listener) -> Iterator[str | None]:
    yield from (None,) if listener.sessions is None else listener.sessions
