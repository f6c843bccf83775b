"""`WS /api/ws`: the event log over a WebSocket: first what was missed, then live, each event once, in order.

The listener is registered before the table is read, and what comes from it is dropped up to the last position
that was sent from the table: nothing falls between the two, and nothing comes twice.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, frozen
from quart import Blueprint, websocket

from actors.envelope import cursor_of, encode
from actors.errors import SessionError
from actors.hub import Listener, Subscribe, Unsubscribe
from api.access import Scope, check_key, client_address, key_for
from api.bodies import parse_json, query_as
from api.converter import structure
from api.errors import problem_of
from api.eventlog import Selection, chosen_sessions, page_after, position_after
from api.fields import Names
from api.refusals import KeyMissing, Refusal
from api.services import services
from api.trace import trace
from runtime import SupervisionError
from storage.errors import StorageError
from storage.rows import Key, now

log = logging.getLogger("api.socket")

routes = Blueprint("socket", __name__)

HELLO_WAIT = 5.0  # seconds for the first message when the handshake had no key
KEY_CHECK = 30.0  # seconds between two looks whether the key is still good
PAGE = 500  # events read at once while catching up

# Close codes: RFC 6455's, and 4401 for a key that is refused.
GOING_AWAY, FAILED, TOO_SLOW, UNAUTHORISED = 1001, 1011, 1013, 4401


@frozen(kw_only=True)
class _Query:
    sessions: Names | None = None
    events: Names | None = None
    after: str | None = None


@frozen
class _Hello:
    api_key: str


@routes.websocket("/api/ws")
async def follow() -> None:
    """Events from `after` on, or from now on, as they are committed."""
    asked = query_as(_Query, websocket.args)
    given = websocket.headers.get("x-api-key")
    # Refused before the handshake ends, a client gets the problem document.
    follower = None if given is None else await _follower(given, asked)
    await websocket.accept()
    try:
        if follower is None:
            follower = await _follower(await _first_message(), asked)
        await follower.run()
        code, reason = follower.ending
    except (Refusal, SessionError, StorageError, SupervisionError) as error:
        problem = problem_of(error)
        code, reason = (UNAUTHORISED if problem.status in {401, 403} else FAILED), problem.code
    except Exception:
        await websocket.close(FAILED, "internal_error")
        raise
    trace().code = str(code)
    await websocket.close(code, reason)


async def _first_message() -> str:
    """The key that the client gives in its first message, where its handshake could carry no header."""
    with trio.move_on_after(HELLO_WAIT):
        return structure(parse_json(await websocket.receive()), _Hello).api_key
    raise KeyMissing


async def _follower(plain_key: str, asked: _Query) -> "_Follower":
    key = await key_for(plain_key, Scope.READ, client_address())
    sessions = chosen_sessions(key.session_id, asked.sessions)
    if asked.after is None:
        position = await services().reads.last_position()
    else:
        position = await position_after(asked.after, sessions)
    return _Follower(key, Selection(sessions=sessions, events=asked.events), position)


@define(eq=False)
class _Follower:
    """One client's way along the log. `position` is that of the last event it was sent."""

    key: Key
    selection: Selection
    position: int
    ending: tuple[int, str] = (FAILED, "internal_error")
    """The close code and reason, once `run` has returned."""

    async def run(self) -> None:
        """Send events until the key is refused, the server stops or the client is too slow.

        The client's own close cancels this from outside.
        """
        async with trio.open_nursery() as nursery:
            for watch in (self._drain, self._watch_key, self._watch_server):
                nursery.start_soon(watch, nursery.cancel_scope)
            try:
                self.ending = await self._send_all()
            except (StorageError, SupervisionError) as error:
                self.ending = (FAILED, problem_of(error).code)
            nursery.cancel_scope.cancel()

    async def _send_all(self) -> tuple[int, str]:
        # What is long past comes before the subscription, so that live events need not wait for it.
        await self._catch_up()
        async with self._subscription() as listener:
            await self._catch_up()
            async for published in listener.events:
                if published.position > self.position:
                    await websocket.send(published.body)
                    self.position = published.position
        return TOO_SLOW if listener.lagged else GOING_AWAY, cursor_of(self.position)

    async def _catch_up(self) -> None:
        """Send what the table has past our position."""
        while True:
            page = await page_after(self.position, self.selection, PAGE)
            for event in page:
                await websocket.send(encode(event))
                self.position = event.position
            if len(page) < PAGE:
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

    async def _drain(self, _: trio.CancelScope) -> None:
        """Take what the client says: its close and its pongs come behind it, and it has nothing to say."""
        while True:
            await websocket.receive()

    async def _watch_key(self, scope: trio.CancelScope) -> None:
        while True:
            await trio.sleep(KEY_CHECK)
            try:
                stored = await services().reads.key(self.key.id)
                check_key(stored, scope=Scope.READ, address=client_address(), at=now())
            except Refusal as refusal:
                return self._end_run(scope, UNAUTHORISED, problem_of(refusal).code)
            except StorageError:
                log.debug("key_not_checked key=%s", self.key.prefix)  # next time

    async def _watch_server(self, scope: trio.CancelScope) -> None:
        await websocket.scope["state"]["closing"].wait()
        self._end_run(scope, GOING_AWAY, cursor_of(self.position))

    def _end_run(self, scope: trio.CancelScope, code: int, reason: str) -> None:
        self.ending = (code, reason)
        scope.cancel()
