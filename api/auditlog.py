"""What was done to the gateway, page by page."""

from datetime import datetime

from attrs import frozen
from quart import Blueprint

from api.caller import Scope
from api.fields import DEFAULT_LIMIT, Limit, Names
from api.operation import At, operation
from api.services import services
from storage.rows import AuditEntry, Json

routes = Blueprint("audit", __name__)


@frozen(kw_only=True)
class _Listing:
    action: Names | None = None
    target: str | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@frozen(kw_only=True)
class KeyUsedView:
    """The key may be gone since."""

    id: str
    prefix: str


@frozen(kw_only=True)
class ActingUserView:
    """Who it was; they may be gone since."""

    id: str
    name: str
    """As it was then."""


@frozen(kw_only=True)
class EntryView:
    """Something that was done to the gateway."""

    id: str
    at: datetime
    """When it was over."""
    key: KeyUsedView | None
    """Null: a user did it."""
    user: ActingUserView | None
    """Null: it was done with a key."""
    address: str | None
    """At the other end of the connection."""
    action: str
    """Such as `session.stop`."""
    target: str | None
    """The id of a session, key, user, webhook or node, or a path in the supervision tree."""
    outcome: str
    """`ok`, `client_gone`, or the code of the problem that was the answer."""
    detail: Json
    request_id: str


@frozen(kw_only=True)
class EntriesView:
    entries: list[EntryView]
    cursor: str | None
    """Leads to the next page; null: this was the last."""


@operation(
    routes, "GET", "/audit", at=At.GATEWAY, scope=Scope.OPERATE, query=_Listing, answers={200: EntriesView}
)
async def listing(query: _Listing) -> EntriesView:
    """What was done, newest first, a page at a time."""
    page = await services().reads.audit(
        action=query.action, target=query.target, cursor=query.cursor, limit=query.limit
    )
    return EntriesView(entries=[_view(entry) for entry in page.items], cursor=page.cursor)


def _view(entry: AuditEntry) -> EntryView:
    return EntryView(
        id=entry.id,
        at=entry.at,
        key=None if entry.key_id is None else KeyUsedView(id=entry.key_id, prefix=entry.key_prefix or ""),
        user=None if entry.user_id is None else ActingUserView(id=entry.user_id, name=entry.user_name or ""),
        address=entry.address,
        action=entry.action,
        target=entry.target,
        outcome=entry.outcome,
        detail=entry.detail,
        request_id=entry.request_id,
    )
