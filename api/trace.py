"""What is noted of one request while it runs, for its log line and for the answer."""

import re
import uuid
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


def begin(scope: Any, given_id: str | None) -> Trace:
    """Start the notes of a request; the `x-request-id` that it came with is kept when it is a plain word."""
    sane = given_id is not None and _REQUEST_ID.fullmatch(given_id) is not None
    started = Trace(request_id=str(given_id) if sane else uuid.uuid4().hex)
    scope[_SCOPE_KEY] = started
    return started


def trace() -> Trace:
    """The notes of the request or WebSocket being handled."""
    scope: Any = websocket.scope if has_websocket_context() else request.scope
    found: Trace = scope[_SCOPE_KEY]
    return found
