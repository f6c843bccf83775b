"""Messages that wait to be sent: looked at, put off, reworded, called off; and those to be sent again."""

import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from attrs import frozen
from quart import Blueprint

from actors.errors import SessionNotFound
from actors.session.messages import GetPace, QueueChanged, QueuePace
from actors.session.queued import CANCELLED, give_up, put_off, reword, send_again
from api.caller import Scope
from api.draft import RANKS, Priority
from api.fields import DEFAULT_LIMIT, Limit, MessageText
from api.messages import MessageView, message_view
from api.operation import Where, operation
from api.refusals import FieldError, NotFound, NotQueued, NotRetryable, ValidationFailed
from api.services import services
from api.submission import stored
from runtime import SupervisionError
from storage.queue import Placed
from storage.rows import Json, Message, MessageStatus, now
from storage.together import write_together
from storage.writes import UpdateMessage, Written

routes = Blueprint("queue", __name__)

_NAMES = {rank: priority for priority, rank in RANKS.items()}
_PACE_WAIT = 2.0  # seconds for the session to say how fast it sends


@frozen(kw_only=True)
class WaitingView:
    """A message that waits to be sent."""

    message_id: str
    chat: str
    type: str
    text: str | None
    priority: Priority
    position: int
    """So many go before it, as it looks now."""
    eta_ms: int | None
    """About when it is sent, in milliseconds, if its session stays connected; null: nobody can tell."""
    held: bool
    """Its batch is paused."""
    send_at: datetime | None
    expires_at: datetime | None
    batch_id: str | None
    client_ref: str | None
    created_at: datetime


@frozen(kw_only=True)
class QueueView:
    """A session's queue, in the order in which it will be sent."""

    queued: int
    """All messages that wait, those on other pages too."""
    messages: tuple[WaitingView, ...]
    cursor: str | None


@frozen(kw_only=True)
class CancelledView:
    """How many messages are not sent any more."""

    cancelled: int


@frozen(kw_only=True)
class ScheduledView:
    """A message that is to be sent at a certain time."""

    message_id: str
    chat: str
    type: str
    text: str | None
    priority: Priority
    send_at: datetime
    expires_at: datetime | None
    batch_id: str | None
    client_ref: str | None
    created_at: datetime


@frozen(kw_only=True)
class ScheduledPage:
    """Messages with a time to be sent at, the next first."""

    messages: tuple[ScheduledView, ...]
    cursor: str | None


@frozen(kw_only=True)
class _Paged:
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


# --- The queue -------------------------------------------------------------------------------------------


@operation(routes, "GET", "/queue", scope=Scope.READ, query=_Paged, answers={200: QueueView})
async def queue(session_id: str, query: _Paged) -> QueueView:
    """What waits to be sent, scheduled messages included."""
    reads, at = services().reads.queue, now()
    page = await reads.listing(session_id, at, cursor=query.cursor, limit=query.limit)
    pace = await _pace(session_id) if page.items else None
    return QueueView(
        queued=await reads.count(session_id),
        messages=tuple(_waiting(placed, at, pace) for placed in page.items),
        cursor=page.cursor,
    )


@operation(routes, "DELETE", "/queue", scope=Scope.SEND, answers={200: CancelledView})
async def clear(session_id: str) -> CancelledView:
    """Send nothing of what waits; each message becomes `failed` with the error `cancelled`."""
    return CancelledView(cancelled=await cancel_all(session_id))


async def cancel_all(session_id: str, batch_id: str | None = None) -> int:
    """Give up all that waits, or what waits of a batch; how many messages they were."""
    count, after = 0, ""
    while rows := await services().reads.queue.queued(session_id, batch_id=batch_id, after=after):
        written = await write_together(services().writer, [give_up(row, CANCELLED) for row in rows])
        count += sum(each.applied for each in written)
        after = rows[-1].id
    await queue_changed(session_id)
    return count


async def queue_changed(session_id: str) -> None:
    """Have the session look at its queue again."""
    with suppress(SessionNotFound):  # it could not be started: it looks when it is
        await services().sessions.ref(session_id).cast(QueueChanged())


async def _pace(session_id: str) -> QueuePace | None:
    try:
        pace: QueuePace = await services().sessions.ref(session_id).call(GetPace(), timeout=_PACE_WAIT)
    except (SessionNotFound, SupervisionError):
        return None
    return pace


def _waiting(placed: Placed, at: datetime, pace: QueuePace | None) -> WaitingView:
    message, eta = placed.message, None
    if pace is not None and not placed.held:
        own = (message.send_at - at).total_seconds() if message.send_at else 0.0
        eta = math.ceil(max(own, pace.wait(placed.position)) * 1000)
    return WaitingView(
        message_id=message.id,
        chat=message.chat,
        type=message.type,
        text=message.text,
        priority=_NAMES[message.priority],
        position=placed.position,
        eta_ms=eta,
        held=placed.held,
        send_at=message.send_at,
        expires_at=message.expires_at,
        batch_id=message.batch_id,
        client_ref=message.client_ref,
        created_at=message.created_at,
    )


# --- One message -----------------------------------------------------------------------------------------


@operation(
    routes,
    "POST",
    "/messages/<message_id>/cancel",
    scope=Scope.SEND,
    answers={200: MessageView},
    errors=(NotFound, NotQueued),
    tag="messages",
)
async def cancel(session_id: str, message_id: str) -> MessageView:
    """Do not send a message that waits; it becomes `failed` with the error `cancelled`."""
    return message_view(await _cancelled(await stored(session_id, message_id)))


@operation(
    routes,
    "POST",
    "/messages/<message_id>/retry",
    scope=Scope.SEND,
    answers={200: MessageView},
    errors=(NotFound, NotRetryable),
    tag="messages",
)
async def retry(session_id: str, message_id: str) -> MessageView:
    """Queue a message again that failed, or whose outcome is unknown: that one may arrive twice."""
    message = await stored(session_id, message_id)
    refusal = NotRetryable(str(message.status))
    if not message.from_me or message.intent is None:
        raise refusal
    if message.status not in {MessageStatus.FAILED, MessageStatus.UNKNOWN}:
        raise refusal
    return message_view(await _changed(message, send_again(message), refusal))


async def _cancelled(message: Message) -> Message:
    return await _changed(message, give_up(message, CANCELLED), NotQueued(str(message.status)))


async def _changed(message: Message, change: UpdateMessage, refusal: Exception) -> Message:
    """The message as it is after a change; raises `refusal` where that does not apply (any more)."""
    written: Written = await services().writer.call(change)
    if not written.applied:
        raise refusal
    await queue_changed(message.session_id)
    return await stored(message.session_id, message.id)


# --- Scheduled messages ----------------------------------------------------------------------------------


@frozen(kw_only=True)
class _Rescheduled:
    send_at: datetime | None = None
    """A time that has passed: as soon as may be."""
    message: MessageText | None = None
    """Of a text."""

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        text = {"type": "string"}
        given = [{"required": [name], "properties": {name: text}} for name in ("sendAt", "message")]
        yield {"anyOf": given}


@operation(
    routes, "GET", "/scheduled", where=Where.ANY, scope=Scope.READ, query=_Paged, answers={200: ScheduledPage}
)
async def scheduled(session_id: str, query: _Paged) -> ScheduledPage:
    """Messages that wait for their time, the next first."""
    page = await services().reads.queue.scheduled(session_id, cursor=query.cursor, limit=query.limit)
    return ScheduledPage(messages=tuple(map(_scheduled, page.items)), cursor=page.cursor)


@operation(
    routes,
    "GET",
    "/scheduled/<message_id>",
    where=Where.ANY,
    scope=Scope.READ,
    answers={200: ScheduledView},
    errors=(NotFound,),
)
async def get_scheduled(session_id: str, message_id: str) -> ScheduledView:
    """A message that waits for its time."""
    message = await _of_schedule(session_id, message_id)
    if message.status is not MessageStatus.QUEUED:
        raise NotFound("message", message_id)
    return _scheduled(message)


@operation(
    routes,
    "PATCH",
    "/scheduled/<message_id>",
    scope=Scope.SEND,
    body=_Rescheduled,
    patch=True,
    answers={200: ScheduledView},
    errors=(NotFound, NotQueued),
)
async def reschedule(session_id: str, message_id: str, body: dict[str, object]) -> ScheduledView:
    """Send it at another time, or another text."""
    message = await _of_schedule(session_id, message_id)
    given = _Rescheduled(**body)  # type: ignore[arg-type]
    refusal = NotQueued(str(message.status))
    if message.status is not MessageStatus.QUEUED:
        raise refusal
    if given.message is not None:
        try:
            change = reword(message, given.message, given.send_at)
        except ValueError:
            raise ValidationFailed((FieldError("message", "is for texts only"),)) from None
    elif given.send_at is not None:
        change = put_off(message, given.send_at)
    else:
        raise ValidationFailed((FieldError("", "give sendAt or message"),))
    return _scheduled(await _changed(message, change, refusal))


@operation(
    routes,
    "DELETE",
    "/scheduled/<message_id>",
    scope=Scope.SEND,
    answers={204: None},
    errors=(NotFound, NotQueued),
)
async def unschedule(session_id: str, message_id: str) -> None:
    """Do not send it."""
    await _cancelled(await _of_schedule(session_id, message_id))


async def _of_schedule(session_id: str, message_id: str) -> Message:
    message = await stored(session_id, message_id)
    if message.send_at is None:
        raise NotFound("message", message_id)
    return message


def _scheduled(message: Message) -> ScheduledView:
    assert message.send_at is not None  # it is scheduled
    return ScheduledView(
        message_id=message.id,
        chat=message.chat,
        type=message.type,
        text=message.text,
        priority=_NAMES[message.priority],
        send_at=message.send_at,
        expires_at=message.expires_at,
        batch_id=message.batch_id,
        client_ref=message.client_ref,
        created_at=message.created_at,
    )
