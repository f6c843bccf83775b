"""Sinks: the message brokers of the configuration that are told of events."""

from typing import Literal

from attrs import frozen
from quart import Blueprint

from actors.envelope import cursor_of
from actors.sinks import SinkSpec
from api.caller import Scope
from api.operation import At, Where, operation
from api.services import services

routes = Blueprint("sinks", __name__)


@frozen(kw_only=True)
class SinkView:
    """How far a broker has been told. Its URL is a secret."""

    name: str
    kind: str
    target: str
    """Where in the broker events go."""
    sessions: tuple[str, ...]
    """Empty: all."""
    events: tuple[str, ...]
    """Empty: all."""
    state: Literal["starting", "running", "away"]
    """`away`: it failed so often that it is only probed."""
    cursor: str | None
    """The broker has all up to it; null: not known yet."""
    lag: int | None
    """How many events wait for it; null: not known yet."""
    sessions_held: int
    """So many sessions wait for an event of theirs to be taken."""
    published: int
    """Since the gateway started."""
    failed: int
    """Tries that the broker did not acknowledge."""
    error: str | None
    """Why the last try failed; null: it did not."""


@frozen(kw_only=True)
class SinksView:
    sinks: list[SinkView]


@operation(
    routes, "GET", "/sinks", at=At.GATEWAY, where=Where.SINKS, scope=Scope.OPERATE, answers={200: SinksView}
)
async def listing() -> SinksView:
    """The message brokers that are told of events, and how far they have been told."""
    return SinksView(sinks=[_view(spec) for spec in services().sinks.specs])


def _view(spec: SinkSpec) -> SinkView:
    sinks = services().sinks
    stats, cursor = sinks.stats[spec.name], sinks.cursor(spec.name)
    state: Literal["starting", "running", "away"] = "starting" if cursor is None else "running"
    return SinkView(
        name=spec.name,
        kind=spec.kind,
        target=spec.target,
        sessions=spec.sessions,
        events=spec.events,
        state="away" if sinks.away(spec.name) else state,
        cursor=None if cursor is None else cursor_of(cursor),
        lag=sinks.lag(spec.name),
        sessions_held=sinks.held(spec.name),
        published=stats.published,
        failed=stats.failed,
        error=stats.error,
    )
