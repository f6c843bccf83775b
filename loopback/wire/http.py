"""HTTP/1.1 for the media hosts: whole requests in, whole responses out."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import h11
import trio
from attrs import field, frozen

__all__ = ["HttpRequest", "HttpResponse", "OnHttp", "next_event", "respond", "serve_http"]

_log = logging.getLogger(__name__)
_READ_SIZE: Final = 65536
_BODY_LIMIT: Final = 1 << 28  # bytes


@frozen
class HttpRequest:
    """A request to a media host. Header names are in lower case; the body is whole, and never shown."""

    host: str
    method: str
    target: str  # path and query, as sent
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@frozen
class HttpResponse:
    """The answer to one. The length is added to the headers."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)


OnHttp = Callable[[HttpRequest], Awaitable[HttpResponse]]


async def serve_http(stream: trio.abc.Stream, host: str, on_http: OnHttp) -> None:
    """Answer the connection's requests until the client leaves.

    Raises h11.RemoteProtocolError for what is not HTTP, and the stream's errors. An error in `on_http` is
    logged and answered with 500.
    """
    connection = h11.Connection(h11.SERVER)
    while True:
        head = await next_event(connection, stream)
        if not isinstance(head, h11.Request):
            return
        if connection.they_are_waiting_for_100_continue:
            await stream.send_all(_sent(connection, h11.InformationalResponse(status_code=100, headers=[])))
        body = bytearray()
        while isinstance(data := await next_event(connection, stream), h11.Data):
            body += data.data
            if len(body) > _BODY_LIMIT:
                await respond(connection, stream, HttpResponse(413))
                return
        request = HttpRequest(
            host,
            head.method.decode(),
            head.target.decode(),
            {name.decode(): value.decode("latin-1") for name, value in head.headers},
            bytes(body),
        )
        try:
            response = await on_http(request)
        except Exception:  # noqa: BLE001 - the handler's own bug must cost this answer only
            _log.exception("media_request_failed host=%s method=%s", host, request.method)
            response = HttpResponse(500)
        await respond(connection, stream, response, bodiless=head.method == b"HEAD")
        if connection.our_state is h11.MUST_CLOSE:
            return
        connection.start_next_cycle()


async def respond(
    connection: h11.Connection, stream: trio.abc.Stream, response: HttpResponse, *, bodiless: bool = False
) -> None:
    """Send the answer to the request that was read. Raises the stream's errors."""
    headers = [*response.headers.items(), ("Content-Length", str(len(response.body)))]
    answer = _sent(connection, h11.Response(status_code=response.status, headers=headers))
    if response.body and not bodiless:
        answer += _sent(connection, h11.Data(data=response.body))
    await stream.send_all(answer + _sent(connection, h11.EndOfMessage()))


def _sent(connection: h11.Connection, event: h11.Event) -> bytes:
    return connection.send(event) or b""


async def next_event(
    connection: h11.Connection, stream: trio.abc.Stream
) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
    """The next thing the client says. Raises h11.RemoteProtocolError and the stream's errors."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(bytes(await stream.receive_some(_READ_SIZE)))
    return event
