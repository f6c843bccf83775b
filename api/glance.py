"""Looks at the gateway for the overview: at most once a second, and over longer times less often."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from attrs import asdict, define, field

from actors.cells import Cell
from actors.session.state import SessionState
from actors.webhooks import Webhooks
from api.glances import (
    CellAtAGlanceView,
    CrashView,
    DatabaseAtAGlanceView,
    MessagesAtAGlanceView,
    QueueAtAGlanceView,
    RunningView,
    SessionsAtAGlanceView,
    TrafficView,
    TroubledSessionView,
    TroubledWebhookView,
    WebhooksAtAGlanceView,
)
from api.lookout import Lookout
from api.remembered import Remembered
from runtime import State, Supervisor
from storage import Reads, WriterStats
from storage.overview import Moved, OverviewReads, Told
from storage.rows import now

_GOOD = 1.0  # seconds
_SIZE_GOOD = 60.0
_MOST = 10
_STEPS: Mapping[int, timedelta] = {
    1: timedelta(minutes=1),
    24: timedelta(minutes=15),
    168: timedelta(hours=2),
}
_TROUBLED = (SessionState.FAILED, SessionState.LOGGED_OUT, SessionState.RESTRICTED)
_OUT_OF_ORDER = frozenset({State.BACKING_OFF, State.UNRESPONSIVE, State.FAILED})
_MB = 1024 * 1024

Sessions = frozenset[str] | None
"""Those that are looked at; None: all."""


@define(eq=False)
class Glance:
    """Each part of the overview. All may raise DatabaseUnavailable."""

    reads: Reads
    root: Supervisor
    lookout: Lookout
    cells: Callable[[], Iterable[Cell]]
    webhooks: Webhooks
    storage: WriterStats
    _found: Remembered = field(factory=Remembered, init=False)
    _commits: int = field(default=0, init=False)
    _seconds: float = field(default=0.0, init=False)
    _commit_ms: float | None = field(default=None, init=False)

    async def sessions(self, whose: Sessions) -> SessionsAtAGlanceView:
        """How many there are of each status, and which are in trouble."""

        async def look() -> SessionsAtAGlanceView:
            by_status = {each.status: each.count for each in await self._reads.by_state(whose)}
            page = await self.reads.sessions(among=whose, status=_TROUBLED, limit=_MOST)
            return SessionsAtAGlanceView(
                total=sum(by_status.values()),
                by_status=by_status,
                troubled=[
                    TroubledSessionView(
                        id=row.id,
                        name=row.name,
                        status=row.status,
                        status_since=row.status_since,
                        last_error=row.last_error,
                    )
                    for row in page.items
                ],
            )

        return await self._found.get(("sessions", whose), _GOOD, look)

    async def messages(self, whose: Sessions, hours: int) -> MessagesAtAGlanceView:
        """What came and went in the last hour, day or week (1, 24 or 168 hours)."""
        step = _STEPS[hours]

        async def look() -> MessagesAtAGlanceView:
            steps, seconds = round(timedelta(hours=hours) / step), round(step.total_seconds())
            last = datetime.fromtimestamp(now().timestamp() // seconds * seconds, UTC)
            times = [last - n * step for n in reversed(range(steps))]
            moved = {each.at: each for each in await self._reads.moved(whose, since=times[0], step=step)}
            nothing = Moved(at=last, received=0, sent=0, failed=0)
            return MessagesAtAGlanceView(
                step_seconds=seconds, traffic=[_traffic(at, moved.get(at, nothing)) for at in times]
            )

        # A longer time takes longer to go through, and changes as much less.
        return await self._found.get(("messages", whose, hours), step.total_seconds() / 60, look)

    async def queue(self, whose: Sessions) -> QueueAtAGlanceView:
        """What waits to be sent."""

        async def look() -> QueueAtAGlanceView:
            return QueueAtAGlanceView(**asdict(await self._reads.waiting(whose, now())))

        return await self._found.get(("queue", whose), _GOOD, look)

    async def told(self, whose: Sessions) -> WebhooksAtAGlanceView:
        """How many webhooks there are, and which are in trouble."""

        async def look() -> WebhooksAtAGlanceView:
            rows = await self._reads.told(whose)
            views = [_webhook(row, is_open=self._is_open(row)) for row in rows]
            troubled = [
                each for each in views if each.circuit == "open" or each.failing_since or each.dead_letters
            ]
            at = now()
            return WebhooksAtAGlanceView(
                active=sum(row.active for row in rows),
                paused=sum(not row.active for row in rows),
                circuits_open=sum(each.circuit == "open" for each in views),
                dead_letters=sum(row.dead for row in rows),
                troubled=sorted(troubled, key=lambda each: each.failing_since or at)[:_MOST],
            )

        return await self._found.get(("webhooks", whose), _GOOD, look)

    async def running(self) -> RunningView:
        """The gateway itself."""

        async def look() -> RunningView:
            return RunningView(
                cells=[
                    CellAtAGlanceView(
                        id=cell.id,
                        pid=cell.pid,
                        memory_mb=round(cell.memory / _MB),
                        sessions=cell.clients,
                        retiring=cell.retiring,
                    )
                    for cell in self.cells()
                ],
                crashes=self._crashes(),
                dead_letters=self.root.dead_letters.count,
                database=DatabaseAtAGlanceView(
                    reachable=self.storage.failures == 0,
                    waiting=self.storage.waiting,
                    commit_ms=self._commit_time(),
                    size_bytes=await self._found.get("size", _SIZE_GOOD, self._reads.size),
                ),
            )

        return await self._found.get("running", _GOOD, look)

    @property
    def started_at(self) -> datetime | None:
        """When the tree was started."""
        return _moment(self.lookout.look()[""]["since"])

    @property
    def _reads(self) -> OverviewReads:
        return self.reads.overview

    def _crashes(self) -> list[CrashView]:
        crashed = [
            view
            for view in self.lookout.look().values()
            if view["state"] in _OUT_OF_ORDER or (view["lastExit"] or "").startswith(("error", "killed"))
        ]
        crashed.sort(key=lambda view: view["since"] or "", reverse=True)
        return [
            CrashView(
                path=view["path"],
                state=view["state"],
                since=_moment(view["since"]),
                restarts=view["restarts"],
                last_exit=view["lastExit"],
            )
            for view in crashed[:_MOST]
        ]

    def _commit_time(self) -> float | None:
        """Of the commits since this was last asked, in milliseconds; without any, as it was then."""
        stats = self.storage
        if (commits := stats.commits - self._commits) > 0:
            self._commit_ms = round((stats.seconds.sum - self._seconds) / commits * 1000, 2)
            self._commits, self._seconds = stats.commits, stats.seconds.sum
        return self._commit_ms

    def _is_open(self, row: Told) -> bool:
        circuit = self.webhooks.circuit(row.id)
        return circuit is not None and circuit.is_open


def _moment(stamp: str | None) -> datetime | None:
    return None if stamp is None else datetime.fromisoformat(stamp)


def _traffic(at: datetime, moved: Moved) -> TrafficView:
    return TrafficView(at=at, received=moved.received, sent=moved.sent, failed=moved.failed)


def _webhook(row: Told, *, is_open: bool) -> TroubledWebhookView:
    return TroubledWebhookView(
        id=row.id,
        session_id=row.session_id,
        circuit="open" if is_open else "closed",
        failing_since=row.failing_since,
        dead_letters=row.dead,
    )
