"""The application: every route, and round each request its id, its log line and a problem for every error."""

import logging
import time
from collections.abc import Callable
from typing import Any

import trio
from quart import Response, has_websocket_context, request, websocket
from quart.routing import QuartRule
from quart.wrappers import Request, Websocket
from quart_trio import QuartTrio
from werkzeug.wrappers import Response as WerkzeugResponse

from api import (
    account,
    albums,
    auditlog,
    batches,
    calls,
    channels,
    chats,
    cluster,
    contacts,
    dashboard,
    events,
    faults,
    groups,
    health,
    invitations,
    keys,
    labels,
    lifecycle,
    loopback,
    media,
    messages,
    overview,
    pairing,
    participants,
    presence,
    privacy,
    profile,
    queue,
    receipts,
    reference,
    sending,
    sessions,
    signin,
    sinks,
    socket,
    supervision,
    users,
    webhooks,
)
from api.bulk import BulkConnection
from api.errors import is_foreseen, problem_of
from api.failures import kinds, place
from api.metrics import endpoint as metrics
from api.refusals import NodeSilent
from api.services import EXTENSION, Services
from api.trace import Trace, begin, end, trace

log = logging.getLogger("api.requests")

BODY_TIMEOUT = 30  # seconds for a body to arrive
LEAVING = 1.0  # seconds to close what is left of a request
CLIENT_GONE = 499  # in the log only: nobody was left to answer

_ROUTES = (
    account,
    albums,
    auditlog,
    batches,
    calls,
    channels,
    chats,
    cluster,
    contacts,
    dashboard,
    events,
    faults,
    groups,
    health,
    invitations,
    keys,
    labels,
    lifecycle,
    loopback,
    media,
    messages,
    metrics,
    overview,
    pairing,
    participants,
    presence,
    privacy,
    profile,
    queue,
    receipts,
    reference,
    sending,
    sessions,
    signin,
    sinks,
    socket,
    supervision,
    users,
    webhooks,
)


def create_app(services: Services) -> "App":
    """The application over these services. It starts nothing: every task belongs to the supervision tree."""
    app = App("terzetto", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.max_body_bytes
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT
    app.config["RESPONSE_TIMEOUT"] = None  # the server drops a peer that does not read
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = services
    for module in _ROUTES:
        app.register_blueprint(module.routes)
    app.register_error_handler(Exception, _explain)
    return app


class OneWayRule(QuartRule):
    """A route that is found by its URL, and whose URL nobody asks for: what makes one takes long to make."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        made = super()._compile_builder

        def build(rule: "OneWayRule", **values: Any) -> tuple[str, str]:
            built: tuple[str, str] = made(append_unknown)(rule, **values)
            return built

        return build


class App(QuartTrio):
    """Quart on Trio; requests and WebSockets get their Trace, and nothing they raise goes unanswered."""

    asgi_http_class = BulkConnection
    url_rule_class = OneWayRule  # type: ignore[assignment]  # its two bases disagree

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith("/"):
            scope["path"] = _path_in(scope["path"])
            scope["raw_path"] = _path_in(scope["raw_path"].decode()).encode()
        try:
            await super().asgi_app(scope, receive, send)
        finally:
            with trio.move_on_after(LEAVING, shield=True):
                await end(scope)

    async def handle_request(self, request: Request) -> Response | WerkzeugResponse:
        notes = begin(request.scope, request.headers.get("x-request-id"))
        started = time.perf_counter()
        status = CLIENT_GONE
        try:
            try:
                response = await self._answer(request, notes)
            except Exception as error:  # noqa: BLE001 - what broke before there was a request context
                response = _respond(error, notes, request.path)
            status = response.status_code
            response.headers["x-request-id"] = notes.request_id
            return response
        finally:
            self._account(request.method, request, status, started, notes)

    async def _answer(self, request: Request, notes: Trace) -> Response | WerkzeugResponse:
        """The answer to a client; or to the node that it asked, for as long as it waits there."""
        services: Services = self.extensions[EXTENSION]
        forwarded = await services.forwarding.received(request)
        if forwarded is None:
            return await super().handle_request(request)
        notes.forwarded_by = forwarded.node or "-"
        notes.request_id, notes.address = forwarded.request_id, forwarded.address
        with trio.move_on_after(forwarded.deadline - time.time()):
            return await super().handle_request(request)
        raise NodeSilent

    async def handle_websocket(self, websocket: Websocket) -> Response | WerkzeugResponse | None:
        notes = begin(websocket.scope, websocket.headers.get("x-request-id"))
        started = time.perf_counter()
        status = 101
        try:
            try:
                response = await super().handle_websocket(websocket)
            except Exception as error:  # noqa: BLE001 - as above
                response = _respond(error, notes, websocket.path)
            if response is not None:
                status = response.status_code
                response.headers["x-request-id"] = notes.request_id
            return response
        finally:
            self._account("WS", websocket, status, started, notes)

    def _account(self, method: str, handled: Any, status: int, started: float, notes: Trace) -> None:
        """Count and log a request or WebSocket that is over."""
        services: Services = self.extensions[EXTENSION]
        rule = getattr(handled, "url_rule", None)
        route = "-" if rule is None else rule.rule
        seconds = time.perf_counter() - started
        services.metrics.stats.http.count(method, route, status, seconds)
        log.info(
            "request_handled method=%s path=%s status=%d code=%s ms=%.1f request=%s %s=%s",
            method if method.isalpha() and len(method) < 10 else "?",
            route,
            status,
            notes.code or "-",
            seconds * 1000,
            notes.request_id,
            notes.kind or "key",
            notes.label or "-",
        )


def _path_in(target: str) -> str:
    """The path in a request target of another form: `http://host/path`, `*`, nothing at all."""
    return "/" + target.partition("://")[2].partition("/")[2]


async def _explain(error: Exception) -> Response:
    path = websocket.path if has_websocket_context() else request.path
    return _respond(error, trace(), path)


def _respond(error: Exception, notes: Trace, path: str) -> Response:
    problem = problem_of(error)
    notes.code = problem.code
    if not is_foreseen(error):
        log.error("request_failed request=%s error=%s at=%s", notes.request_id, kinds(error), place(error))
    return Response(
        problem.document(instance=path, request_id=notes.request_id), problem.status, problem.headers
    )
