"""How well an account is: what WhatsApp, or a limit, keeps it from just now."""

from datetime import datetime

from attrs import frozen
from quart import Blueprint

from actors.errors import SessionNotFound
from actors.session.health import Health, HealthState, Trouble
from api.caller import Scope
from api.operation import At, Where, operation
from api.services import services
from storage.rows import now

routes = Blueprint("account", __name__)


@frozen(kw_only=True)
class TroubleView:
    """Something that the account may not do."""

    state: HealthState
    reason: str | None
    since: datetime
    until: datetime | None
    """When it is over by itself; null: nobody said."""


@frozen(kw_only=True)
class HealthView:
    """The account's state is the worst of its troubles; `ok` without any.

    new_chat_cap: it has begun as many chats as it may in a day. restricted: it may not begin any, as WhatsApp
    has said; known chats go on. banned: WhatsApp lets it not log in. logged_out: it has to be paired again.
    """

    state: HealthState
    reason: str | None
    until: datetime | None
    troubles: tuple[TroubleView, ...]


@operation(
    routes,
    "GET",
    "/health",
    at=At.ON_SESSION,
    where=Where.ANY,
    scope=Scope.STATUS,
    answers={200: HealthView},
    tag="sessions",
)
async def health(session_id: str) -> HealthView:
    """What the account is kept from, and until when."""
    row = await services().reads.session(session_id)
    if row is None:
        raise SessionNotFound(session_id=session_id)
    found = Health.from_json(row.health).at(now())
    worst = found.worst()
    return HealthView(
        state=worst.state if worst else HealthState.OK,
        reason=worst.reason if worst else None,
        until=worst.until if worst else None,
        troubles=tuple(map(_trouble, found.troubles.values())),
    )


def _trouble(trouble: Trouble) -> TroubleView:
    return TroubleView(state=trouble.state, reason=trouble.reason, since=trouble.since, until=trouble.until)
