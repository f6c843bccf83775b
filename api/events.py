"""`GET /api/events`: the event log by pages, or waiting for what comes next."""

from contextlib import suppress
from datetime import datetime

import trio
from attrs import frozen
from quart import Blueprint, Response

from actors.envelope import cursor_of, envelope
from actors.hub import Listener, Subscribe, Unsubscribe
from api.access import caller
from api.answers import answer
from api.caller import Scope
from api.eventlog import Selection, chosen, page_after, position_after
from api.fields import DEFAULT_LIMIT, NO_WAIT, Limit, Names, Wait
from api.operation import Where, operation
from api.refusals import ValidationFailed
from api.services import services
from storage.errors import EventsExpired
from storage.rows import Json, Stretch

routes = Blueprint("events", __name__)


@frozen(kw_only=True)
class _Query:
    after: str = "0"
    """A cursor, or with one session a `seq`; absent: from the oldest that is kept."""
    sessions: Names | None = None
    """Of these sessions only: their ids between commas."""
    events: Names | None = None
    """Only events of these names, between commas."""
    limit: Limit = DEFAULT_LIMIT
    wait: Wait = NO_WAIT
    """Seconds to wait for something to tell of."""


@frozen(kw_only=True)
class EventView:
    """One entry of the log."""

    session_id: str
    event: str
    data: Json
    event_id: str
    seq: int
    """Grows without gaps within the session."""
    occurred_at: datetime
    cursor: str
    """Its place in the whole log."""


@frozen(kw_only=True)
class EventsView:
    events: list[EventView]
    cursor: str
    """Go on `after` it: nothing else that was asked for lies up to there."""


@operation(
    routes,
    "GET",
    "/events",
    across=True,
    where=Where.ANY,
    scope=Scope.READ,
    query=_Query,
    answers={200: EventsView},
    errors=(ValidationFailed, EventsExpired),
)
async def listing(sessions: frozenset[str] | None, query: _Query) -> Response:
    """Events past `after`; without any, those that come within `wait` seconds."""
    selection = chosen(caller(), sessions, sessions=query.sessions, events=query.events)
    position = await position_after(query.after, selection.sessions)
    found = await page_after(position, selection, query.limit)
    if not found.events and query.wait:
        found = await _awaited(found.end, selection, query)
    return answer({"events": [envelope(event) for event in found.events], "cursor": cursor_of(found.end)})


async def _awaited(position: int, selection: Selection, asked: _Query) -> Stretch:
    """What is in the table once the hub has told of something, or the time is over."""
    hub = services().hub
    listener: Listener = await hub.call(Subscribe(selection.sessions, selection.events))
    try:
        # Between the first look and the subscription something may have come.
        found = await page_after(position, selection, asked.limit)
        if not found.events:
            with trio.move_on_after(asked.wait):
                with suppress(trio.EndOfChannel):  # the hub stopped: look again and answer
                    while (await listener.events.receive()).event in selection.withheld:
                        pass
            found = await page_after(position, selection, asked.limit)
        return found
    finally:
        with trio.CancelScope(shield=True):
            await hub.cast(Unsubscribe(listener))
