"""Batches: many messages that were asked for at once, how far they are, and whether they go on."""

from datetime import datetime

from attrs import frozen
from quart import Blueprint

from api.caller import Scope
from api.fields import DEFAULT_LIMIT, Limit
from api.operation import Where, operation
from api.queue import cancel_all, queue_changed
from api.refusals import BatchCancelled, NotFound
from api.services import services
from storage.rows import Batch, BatchState, MessageStatus
from storage.writes import Update

routes = Blueprint("batches", __name__)


@frozen(kw_only=True)
class CountsView:
    """How many of a batch's messages there are of each status."""

    queued: int = 0
    sending: int = 0
    unknown: int = 0
    failed: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    played: int = 0


@frozen(kw_only=True)
class BatchView:
    """A batch of messages."""

    batch_id: str
    state: BatchState
    """What is wanted of it: running, paused or cancelled."""
    done: bool
    """Nothing of it waits or is being sent."""
    total: int
    counts: CountsView
    created_at: datetime
    updated_at: datetime


@frozen(kw_only=True)
class BatchesPage:
    """Batches, the newest first."""

    batches: tuple[BatchView, ...]
    cursor: str | None


@frozen(kw_only=True)
class _Paged:
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@operation(
    routes, "GET", "/batches", where=Where.ANY, scope=Scope.READ, query=_Paged, answers={200: BatchesPage}
)
async def listing(session_id: str, query: _Paged) -> BatchesPage:
    """A session's batches, newest first."""
    page = await services().reads.queue.batches(session_id, cursor=query.cursor, limit=query.limit)
    return BatchesPage(batches=await _views(page.items), cursor=page.cursor)


@operation(
    routes,
    "GET",
    "/batches/<batch_id>",
    where=Where.ANY,
    scope=Scope.READ,
    answers={200: BatchView},
    errors=(NotFound,),
)
async def get(session_id: str, batch_id: str) -> BatchView:
    """How far a batch is."""
    return await _view(session_id, batch_id)


@operation(
    routes,
    "POST",
    "/batches/<batch_id>/pause",
    scope=Scope.SEND,
    answers={200: BatchView},
    errors=(NotFound, BatchCancelled),
)
async def pause(session_id: str, batch_id: str) -> BatchView:
    """Send no more of it for now; what is being sent is sent."""
    return await _become(session_id, batch_id, BatchState.PAUSED)


@operation(
    routes,
    "POST",
    "/batches/<batch_id>/resume",
    scope=Scope.SEND,
    answers={200: BatchView},
    errors=(NotFound, BatchCancelled),
)
async def resume(session_id: str, batch_id: str) -> BatchView:
    """Go on with a paused batch."""
    return await _become(session_id, batch_id, BatchState.RUNNING)


@operation(
    routes,
    "POST",
    "/batches/<batch_id>/cancel",
    scope=Scope.SEND,
    answers={200: BatchView},
    errors=(NotFound,),
)
async def cancel(session_id: str, batch_id: str) -> BatchView:
    """Send no more of it for ever; what waits becomes `failed` with the error `cancelled`."""
    await _batch(session_id, batch_id)
    await services().writer.call(Update(Batch, batch_id, {"state": BatchState.CANCELLED}))
    await cancel_all(session_id, batch_id)
    return await _view(session_id, batch_id)


async def _become(session_id: str, batch_id: str, state: BatchState) -> BatchView:
    batch = await _batch(session_id, batch_id)
    if batch.state is BatchState.CANCELLED:
        raise BatchCancelled
    await services().writer.call(Update(Batch, batch_id, {"state": state}))
    await queue_changed(session_id)
    return await _view(session_id, batch_id)


async def _batch(session_id: str, batch_id: str) -> Batch:
    batch = await services().reads.queue.batch(session_id, batch_id)
    if batch is None:
        raise NotFound("batch", batch_id)
    return batch


async def _view(session_id: str, batch_id: str) -> BatchView:
    (view,) = await _views([await _batch(session_id, batch_id)])
    return view


async def _views(batches: list[Batch]) -> tuple[BatchView, ...]:
    counts = await services().reads.queue.batch_counts([batch.id for batch in batches])
    return tuple(
        BatchView(
            batch_id=batch.id,
            state=batch.state,
            done=not {MessageStatus.QUEUED, MessageStatus.SENDING} & counts[batch.id].keys(),
            total=batch.total,
            counts=CountsView(**{str(status): count for status, count in counts[batch.id].items()}),
            created_at=batch.created_at,
            updated_at=batch.updated_at,
        )
        for batch in batches
    )
