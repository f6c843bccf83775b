"""What the overview tells, part by part. No message and no chat: it is for all who may know the states."""

from datetime import datetime
from typing import Literal

from attrs import frozen

from runtime import State


@frozen(kw_only=True)
class TroubledSessionView:
    """A session that will not come back by itself, or not for a time."""

    id: str
    name: str
    status: str
    status_since: datetime
    last_error: str | None


@frozen(kw_only=True)
class SessionsAtAGlanceView:
    total: int
    by_status: dict[str, int]
    """Statuses without any are left out."""
    troubled: list[TroubledSessionView]
    """The first ten that are failed, logged out or restricted."""


@frozen(kw_only=True)
class TrafficView:
    """Messages in a stretch of time, which begins `at`. A history that a phone hands over is none of them."""

    at: datetime
    received: int
    sent: int
    """By us, or on the phone."""
    failed: int


@frozen(kw_only=True)
class MessagesAtAGlanceView:
    step_seconds: int
    """How long each stretch is."""
    traffic: list[TrafficView]
    """Oldest first; the last has only begun."""


@frozen(kw_only=True)
class QueueAtAGlanceView:
    waiting: int
    """Due."""
    scheduled: int
    """To be sent later."""
    held: int
    """Of paused batches."""
    oldest_due: datetime | None
    """Since when the first that is due has been."""


@frozen(kw_only=True)
class TroubledWebhookView:
    id: str
    session_id: str | None
    circuit: Literal["open", "closed"]
    failing_since: datetime | None
    """When an event that it has not acknowledged yet was first tried."""
    dead_letters: int


@frozen(kw_only=True)
class WebhooksAtAGlanceView:
    active: int
    paused: int
    circuits_open: int
    """Of endpoints that failed so often that they are tried now and then only."""
    dead_letters: int
    """Events that were given up, as far as they are kept."""
    troubled: list[TroubledWebhookView]
    """Ten at most, those furthest behind first."""


@frozen(kw_only=True)
class CellAtAGlanceView:
    id: str
    pid: int
    memory_mb: int
    sessions: int
    retiring: str | None
    """Why another process is to take its place."""


@frozen(kw_only=True)
class CrashView:
    """A part of the supervision tree that died last by an error, or is out of order."""

    path: str
    state: State
    since: datetime | None
    """When it came to be in that state: after a crash, when it was started again."""
    restarts: int
    last_exit: str | None


@frozen(kw_only=True)
class DatabaseAtAGlanceView:
    reachable: bool
    """Whether the writer's last try was a success."""
    waiting: int
    """Writes taken in and not committed yet."""
    commit_ms: float | None
    """How long commits took of late, on average; null: there was none yet."""
    size_bytes: int


@frozen(kw_only=True)
class RunningView:
    """The gateway itself."""

    cells: list[CellAtAGlanceView]
    crashes: list[CrashView]
    """The last ten."""
    dead_letters: int
    """Messages between actors that reached nobody, since the start."""
    database: DatabaseAtAGlanceView


@frozen(kw_only=True)
class OverviewView:
    version: str
    node: str
    """The name of the machine."""
    started_at: datetime | None
    sessions: SessionsAtAGlanceView
    messages: MessagesAtAGlanceView
    queue: QueueAtAGlanceView
    webhooks: WebhooksAtAGlanceView
    running: RunningView | None
    """Null for who may not operate the gateway."""
