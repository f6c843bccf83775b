"""A WebSocket on which the gateway tells and the client listens: who may, and what ends it.

A key or a cookie comes in the handshake, or a key in the first message. From then on three things are watched
while the teller sends: what the client says (its close and its pongs come behind it), whether the key or
sign-in is still good, and whether the server stops.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

import trio
from attrs import define, field, frozen
from quart import websocket

from actors.errors import SessionError
from api.access import admit, admit_again, caller, client_address, key_for, shows_who
from api.bodies import parse_json
from api.caller import Caller, Scope
from api.converter import structure
from api.errors import problem_of
from api.refusals import KeyMissing, Refusal, ScopeDenied
from api.trace import trace
from runtime import SupervisionError
from storage.errors import StorageError

log = logging.getLogger("api.following")

HELLO_WAIT = 5.0  # seconds for the first message when the handshake had no key
CHECK = 30.0  # seconds between two looks whether the key or sign-in is still good

# Close codes: RFC 6455's, and 4401 for a key or sign-in that is refused.
GOING_AWAY, EXPIRED, FAILED, TOO_MUCH, UNAUTHORISED = 1001, 1008, 1011, 1013, 4401

Ending = tuple[int, str]
"""A close code and its reason."""


@frozen
class _Hello:
    api_key: str


@define(eq=False)
class Teller(ABC):
    """What one client is told. The client's own close cancels it."""

    caller: Caller

    @abstractmethod
    async def tell(self) -> Ending:
        """Send until there is nothing more to send."""

    @abstractmethod
    def last_word(self) -> str:
        """The reason of the close when the server stops."""


async def follow(scope: Scope, teller_for: Callable[[Caller], Awaitable[Teller]]) -> None:
    """Serve the WebSocket of this request: a teller for whoever may do what needs `scope`.

    Refused before the handshake ends, a client gets the problem document; after it, a close with its code.
    """
    teller = await teller_for(await admit(scope)) if shows_who() else None
    await websocket.accept()
    try:
        if teller is None:
            await key_for(await _first_message(), scope, client_address())
            teller = await teller_for(caller())
        code, reason = await _Watched(teller, scope).run()
    except (Refusal, SessionError, StorageError, SupervisionError) as error:
        code, reason = _ending_of(error)
    except Exception:
        await websocket.close(FAILED, "internal_error")
        raise
    trace().code = str(code)
    await websocket.close(code, reason)


def _ending_of(error: Exception) -> Ending:
    problem = problem_of(error)
    match problem.status:
        case 401 | 403:
            return UNAUTHORISED, problem.code
        case 410:
            return EXPIRED, problem.code
        case 429:
            return TOO_MUCH, problem.code
        case _:
            return FAILED, problem.code


async def _first_message() -> str:
    """The key that the client gives in its first message, where its handshake could carry no header."""
    with trio.move_on_after(HELLO_WAIT):
        return structure(parse_json(await websocket.receive()), _Hello).api_key
    raise KeyMissing


@define(eq=False)
class _Watched:
    """A teller at work."""

    teller: Teller
    scope: Scope
    ending: Ending = field(default=(FAILED, "internal_error"), init=False)

    async def run(self) -> Ending:
        async with trio.open_nursery() as nursery:
            for watch in (self._drain, self._watch_caller, self._watch_server):
                nursery.start_soon(watch, nursery.cancel_scope)
            try:
                self.ending = await self.teller.tell()
            except (Refusal, StorageError, SupervisionError) as error:
                self.ending = _ending_of(error)
            nursery.cancel_scope.cancel()
        return self.ending

    async def _drain(self, _: trio.CancelScope) -> None:
        """Take what the client says; it has nothing to say."""
        while True:
            await websocket.receive()

    async def _watch_caller(self, scope: trio.CancelScope) -> None:
        admitted = self.teller.caller
        while True:
            await trio.sleep(CHECK)
            try:
                again = await admit_again(admitted, self.scope)
                if not again.sees_all_of(admitted):
                    raise ScopeDenied("Some of these sessions are no longer for you.")
            except Refusal as refusal:
                return self._end(scope, UNAUTHORISED, problem_of(refusal).code)
            except StorageError:
                log.debug("caller_not_checked %s=%s", admitted.kind, admitted.label)  # next time

    async def _watch_server(self, scope: trio.CancelScope) -> None:
        await websocket.scope["state"]["closing"].wait()
        self._end(scope, GOING_AWAY, self.teller.last_word())

    def _end(self, scope: trio.CancelScope, code: int, reason: str) -> None:
        self.ending = (code, reason)
        scope.cancel()
