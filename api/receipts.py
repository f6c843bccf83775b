"""Who has received, read and played a message of ours."""

from datetime import datetime

from attrs import frozen
from quart import Blueprint

from api.caller import Scope
from api.operation import Where, operation
from api.refusals import NotFound
from api.services import services
from api.submission import stored

routes = Blueprint("receipts", __name__)


@frozen(kw_only=True)
class ReceiptView:
    """What one receiver's devices told; null: not (yet)."""

    participant: str
    delivered_at: datetime | None
    read_at: datetime | None
    played_at: datetime | None


@frozen(kw_only=True)
class ReceiptsView:
    """The receipts of a message, by receiver."""

    message_id: str
    receipts: tuple[ReceiptView, ...]


@operation(
    routes,
    "GET",
    "/messages/<message_id>/receipts",
    where=Where.ANY,
    scope=Scope.READ,
    answers={200: ReceiptsView},
    errors=(NotFound,),
    tag="messages",
)
async def receipts(session_id: str, message_id: str) -> ReceiptsView:
    """Who received, read and played a message: in a group, each participant of whom it is known."""
    message = await stored(session_id, message_id)
    return ReceiptsView(
        message_id=message.public_id,
        receipts=tuple(
            ReceiptView(
                participant=row.participant,
                delivered_at=row.delivered_at,
                read_at=row.read_at,
                played_at=row.played_at,
            )
            for row in await services().reads.queue.receipts(session_id, message.id)
        ),
    )
