"""What is noted of one request while it runs, for its log line and for the answer."""

import re
import uuid
from contextlib import AsyncExitStack
from typing import Any

from attrs import define, field
from quart import has_websocket_context, request, websocket

from api.caller import Caller, CallerKind

_SCOPE_KEY = "terzetto.trace"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@define(eq=False)
class Trace:
    """One request's notes."""

    request_id: str
    address: str | None = None
    """Where it came from: the other end of the connection, or of the one to the node that passed it on."""
    forwarded_by: str | None = None
    """The node that passed it on."""
    kind: CallerKind | None = None
    """Whether a key was shown or somebody's cookie; None: nothing that is known."""
    label: str | None = None
    """The key's visible beginning, or the user's name."""
    caller: Caller | None = None
    """Who it is, once they were admitted."""
    claim_id: str | None = None
    """The claim of its Idempotency-Key, under which messages are stored."""
    code: str | None = field(default=None)
    """The problem it was answered with."""
    over: AsyncExitStack = field(factory=AsyncExitStack)
    """What is to be closed when the answer is out, or nobody waits for it."""


def begin(scope: Any, given_id: str | None) -> Trace:
    """Start the notes of a request; the `x-request-id` that it came with is kept when it is a plain word."""
    sane = given_id is not None and _REQUEST_ID.fullmatch(given_id) is not None
    client = scope.get("client")
    started = Trace(
        request_id=str(given_id) if sane else uuid.uuid4().hex,
        address=None if client is None else str(client[0]),
    )
    scope[_SCOPE_KEY] = started
    return started


async def end(scope: Any) -> None:
    """Close what is left open of a request that is over, if it had ever begun."""
    if (ended := scope.get(_SCOPE_KEY)) is not None:
        await ended.over.aclose()


def trace() -> Trace:
    """The notes of the request or WebSocket being handled."""
    scope: Any = websocket.scope if has_websocket_context() else request.scope
    found: Trace = scope[_SCOPE_KEY]
    return found
