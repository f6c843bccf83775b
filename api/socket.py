"""`WS /api/ws`: the event log over a WebSocket: first what was missed, then live, each event once, in order.

The listener is registered before the table is read, and what comes from it is dropped up to the last position
that was sent from the table: nothing falls between the two, and nothing comes twice.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, frozen
from quart import Blueprint, websocket

from actors.envelope import cursor_of, encode
from actors.hub import Listener, Subscribe, Unsubscribe
from api.bodies import query_as
from api.caller import Caller, Scope
from api.eventlog import Selection, chosen, page_after, position_after
from api.fields import Names
from api.following import GOING_AWAY, TOO_MUCH, Ending, Teller, follow
from api.services import services

routes = Blueprint("socket", __name__)

PAGE = 500  # events read at once while catching up


@frozen(kw_only=True)
class _Query:
    sessions: Names | None = None
    events: Names | None = None
    after: str | None = None


@routes.websocket("/api/ws")
async def events() -> None:
    """Events from `after` on, or from now on, as they are committed."""
    asked = query_as(_Query, websocket.args)

    async def teller_for(caller: Caller) -> Teller:
        services().listeners.check(caller.id)
        selection = chosen(caller, caller.sessions, sessions=asked.sessions, events=asked.events)
        if asked.after is None:
            position = await services().reads.last_position()
        else:
            position = await position_after(asked.after, selection.sessions)
        return _EventTeller(caller, selection, position)

    await follow(Scope.READ, teller_for)


@define(eq=False)
class _EventTeller(Teller):
    """One client's way along the log. `position` is how far it was told of all that it wants."""

    selection: Selection
    position: int

    def last_word(self) -> str:
        return cursor_of(self.position)

    async def tell(self) -> Ending:
        with services().listeners.one_more(self.caller.id):
            return await self._tell()

    async def _tell(self) -> Ending:
        # What is long past comes before the subscription, so that live events need not wait for it.
        await self._catch_up()
        async with self._subscription() as listener:
            await self._catch_up()
            async for published in listener.events:
                if published.position > self.position:
                    if published.event not in self.selection.withheld:
                        await websocket.send(published.body)
                    self.position = published.position
        return TOO_MUCH if listener.lagged else GOING_AWAY, cursor_of(self.position)

    async def _catch_up(self) -> None:
        """Send what the table has past our position."""
        while True:
            page = await page_after(self.position, self.selection, PAGE)
            for event in page.events:
                await websocket.send(encode(event))
                self.position = event.position
            self.position = page.end
            if len(page.events) < PAGE:
                return

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[Listener]:
        hub = services().hub
        listener = await hub.call(Subscribe(self.selection.sessions, self.selection.events))
        try:
            yield listener
        finally:
            with trio.CancelScope(shield=True):
                await hub.cast(Unsubscribe(listener))
