"""Albums: several pictures and videos, each a message of its own, shown as one below a header's."""

from typing import Literal

import attrs
from attrs import evolve, frozen
from quart import Blueprint

from actors import errors
from actors.errors import SessionError
from actors.session.messages import Send, Sent
from api.caller import Scope
from api.errors import problem_of
from api.media_drafts import AlbumDraft
from api.operation import Answer, operation
from api.sent import QueuedView, SentView, answer_of, queued_view, sent_view
from api.submission import FILES, addressed, ask, obtained, recipient_of, waiting

routes = Blueprint("albums", __name__)

_LATER = (errors.RateLimited, errors.QueueFull, errors.SessionRestarting, errors.SessionDisconnected)
"""Nothing was sent, and later it may be."""


@frozen(kw_only=True)
class AlbumItemView:
    """What became of one picture or video."""

    message_id: str | None
    """None where it failed before it was stored."""
    status: Literal["sent", "queued", "unknown", "failed"]
    error: str | None = None
    """A problem's code."""


@frozen(kw_only=True)
class AlbumSentView(SentView):
    """The album is begun, and its items have followed or wait to."""

    items: tuple[AlbumItemView, ...]


@frozen(kw_only=True)
class AlbumQueuedView(QueuedView):
    """The album and its items are stored and wait their turn."""

    items: tuple[AlbumItemView, ...]


@operation(
    routes,
    "POST",
    "/messages/album",
    scope=Scope.SEND,
    body=AlbumDraft,
    answers={200: AlbumSentView, 202: AlbumQueuedView},
    errors=FILES,
    derive=answer_of,
    tag="messages",
)
async def send_album(session_id: str, body: AlbumDraft) -> AlbumSentView | Answer:
    """Send pictures and videos as one.

    Once it is begun, items that may not be sent at once, because of the rate limit say, wait in the queue.
    """
    to = await recipient_of(session_id, body)
    files = [await obtained(session_id, item) for item in body.items]
    asked = addressed(body, to, body.header)
    begun = await ask(session_id, asked)
    items: list[AlbumItemView] = []
    asked = evolve(
        asked,
        queued=not isinstance(begun, Sent),
        options=evolve(asked.options, quoted_message_id=None, typing_ms=None),
    )
    for item, file in zip(body.items, files, strict=True):
        content = item.media(file.id, file.file_name, album_id=begun.message_id)
        asked, view = await _follow(session_id, evolve(asked, content=content))
        items.append(view)
    if isinstance(begun, Sent):
        view_of_all = attrs.asdict(sent_view(begun), recurse=False)
        return AlbumSentView(**view_of_all, items=tuple(items))
    return waiting(AlbumQueuedView(**attrs.asdict(queued_view(begun), recurse=False), items=tuple(items)))


async def _follow(session_id: str, asked: Send) -> tuple[Send, AlbumItemView]:
    """Send an item, now or else later; how it was asked for in the end, so that none overtakes another."""
    try:
        answer = await ask(session_id, asked)
    except _LATER as error:
        if asked.queued:
            return asked, _failed(error)
        return await _follow(session_id, evolve(asked, queued=True))
    except SessionError as error:
        return asked, _failed(error)
    status: Literal["sent", "queued"] = "sent" if isinstance(answer, Sent) else "queued"
    return asked, AlbumItemView(message_id=answer.message_id, status=status)


def _failed(error: SessionError) -> AlbumItemView:
    unknown = isinstance(error, errors.OutcomeUnknown)
    return AlbumItemView(
        message_id=getattr(error, "message_id", None) if unknown else None,
        status="unknown" if unknown else "failed",
        error=problem_of(error).code,
    )
