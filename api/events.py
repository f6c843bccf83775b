"""`GET /api/events`: the event log by pages, or waiting for what comes next."""

from contextlib import suppress

import trio
from attrs import frozen
from quart import Blueprint, Response, request

from actors.envelope import cursor_of, envelope
from actors.hub import Listener, Subscribe, Unsubscribe
from api.access import Scope, acting_on, admit
from api.answers import answer
from api.bodies import query_as
from api.eventlog import Selection, chosen_sessions, page_after, position_after
from api.fields import DEFAULT_LIMIT, NO_WAIT, Limit, Names, Wait
from api.routing import in_session
from api.services import services
from storage.rows import Event

routes = Blueprint("events", __name__)


@frozen(kw_only=True)
class _Query:
    after: str = "0"
    sessions: Names | None = None
    events: Names | None = None
    limit: Limit = DEFAULT_LIMIT
    wait: Wait = NO_WAIT


@in_session(routes, "GET", "/events")
async def listing(session_id: str | None = None) -> Response:
    """Events past `after`; without any, those that come within `wait` seconds."""
    key = await admit(Scope.READ)
    asked = query_as(_Query)
    named = session_id or request.headers.get("x-session-id")
    own = key.session_id if named is None else acting_on(key, session_id, request.headers.get("x-session-id"))
    selection = Selection(sessions=chosen_sessions(own, asked.sessions), events=asked.events)
    position = await position_after(asked.after, selection.sessions)
    found = await page_after(position, selection, asked.limit)
    if not found and asked.wait:
        found = await _awaited(position, selection, asked)
    reached = found[-1].position if found else position
    return answer({"events": [envelope(event) for event in found], "cursor": cursor_of(reached)})


async def _awaited(position: int, selection: Selection, asked: _Query) -> list[Event]:
    """What is in the table once the hub has told of something, or the time is over."""
    hub = services().hub
    listener: Listener = await hub.call(Subscribe(selection.sessions, selection.events))
    try:
        # Between the first look and the subscription something may have come.
        found = await page_after(position, selection, asked.limit)
        if not found:
            with trio.move_on_after(asked.wait):
                with suppress(trio.EndOfChannel):  # the hub stopped: look again and answer
                    await listener.events.receive()
            found = await page_after(position, selection, asked.limit)
        return found
    finally:
        with trio.CancelScope(shield=True):
            await hub.cast(Unsubscribe(listener))
