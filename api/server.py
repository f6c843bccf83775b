"""hypercorn's HTTP/1.1 and WebSocket server on Trio, with each connection kept from harming the others.

hypercorn 0.18 lets one connection reach further than itself in four ways, each closed here:

* an exception in a connection leaves the server (pgjones/hypercorn#225: one byte sent right after a WebSocket
  upgrade request is enough): it ends that connection, with one log line;
* a send waits for ever, shielded from cancellation, when the peer has stopped reading: after SEND_TIMEOUT the
  peer is dropped;
* a request body nobody reads any more (the answer was a refusal) leaves the reading task stuck: it is ended;
* what the server itself refuses is answered without a body: it gets problem+json like everything else.

HTTP/2 stays off: behind a proxy it brings nothing here, and it would double the protocol open to strangers.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import h11
import trio
from attrs import frozen
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import EventWrapper, WorkerContext

from api.errors import bare_problem
from api.failures import kinds, place

log = logging.getLogger("api.server")

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

KEEP_ALIVE = 20.0  # seconds an idle connection stays; also what a new one has to finish its first headers
MAX_HEADERS = 32 * 1024  # bytes of a request's line and headers
LINGER = 1.0  # seconds for a peer that is still sending to read our answer before the socket closes
LINGER_BYTES = 1 << 24  # and how much of it is taken and thrown away meanwhile


@frozen(kw_only=True)
class Server:
    """Serves an ASGI application on a TCP address; `start` is a plain child for a supervisor.

    Being cancelled is the orderly stop: nothing new is accepted, idle connections close, WebSocket handlers
    see `scope["state"]["closing"]` set, and requests in flight have `graceful_timeout` seconds.
    """

    app: ASGIApp
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    read_timeout: float = 60.0  # seconds for the next piece of a body, or of a WebSocket that answers no ping
    send_timeout: float = 10.0  # seconds a peer may refuse to take a piece of an answer
    graceful_timeout: float = 5.0
    websocket_max_message_bytes: int = 64 * 1024
    websocket_ping_interval: float = 20.0

    async def start(
        self, *, task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; ready with the bound (host, port). Raises OSError when it cannot bind."""
        listeners = await trio.open_tcp_listeners(self.port, host=self.host)
        host, port = listeners[0].socket.getsockname()[:2]
        config = self._hypercorn_config()
        terminated = EventWrapper()
        closing = trio.Event()

        async def serve_connection(stream: trio.SocketStream) -> None:
            connection = _Connection(
                ASGIWrapper(self.app), config, _Context(terminated), {"closing": closing}, cast("Any", stream)
            )
            await connection.run_guarded(self.read_timeout, self.send_timeout)

        async with trio.open_nursery() as nursery:
            connections: trio.Nursery = await nursery.start(_hold_connections, closing)
            await nursery.start(
                partial(trio.serve_listeners, serve_connection, listeners, handler_nursery=connections)
            )
            task_status.started((host, port))
            try:
                await trio.sleep_forever()
            finally:
                await terminated.set()
                connections.cancel_scope.deadline = trio.current_time() + self.graceful_timeout
                closing.set()

    def _hypercorn_config(self) -> Config:
        config = Config()
        config.keep_alive_timeout = KEEP_ALIVE
        config.h11_max_incomplete_size = MAX_HEADERS
        config.websocket_max_message_size = self.websocket_max_message_bytes
        config.websocket_ping_interval = self.websocket_ping_interval
        config.include_server_header = False
        config.accesslog = None  # the application writes its own
        config.errorlog = logging.getLogger("hypercorn.error")
        return config


async def _hold_connections(closing: trio.Event, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Keep the connections out of the reach of the server's own cancellation: they have until a deadline."""
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as connections:
            task_status.started(connections)
            await closing.wait()


class _Context(WorkerContext):
    """What hypercorn shares between connections, for one of them: its sleeps, between pings, end with it."""

    def __init__(self, terminated: EventWrapper) -> None:
        super().__init__(None)
        self.terminated = terminated
        self.over = trio.Event()

    async def sleep(self, wait: float) -> None:  # type: ignore[override] # static there
        with trio.move_on_after(wait):
            await self.over.wait()


class _Connection(TCPServer):
    """One client's connection. Whatever goes wrong in it ends it, and nothing else."""

    context: _Context

    async def run_guarded(self, read_timeout: float, send_timeout: float) -> None:
        """Serve the connection to its end. Raises nothing but cancellation."""
        self._read_timeout = read_timeout
        self._send_timeout = send_timeout
        self._reading = trio.CancelScope()
        try:
            await self.run()
        except* Exception as group:  # noqa: BLE001 - a stranger's bytes must not end the server
            log.warning("connection_failed error=%s at=%s", kinds(group), place(group))
        finally:
            await trio.aclose_forcefully(self.stream)

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            return await self._send(event.data)
        if isinstance(event, Closed) and trio.lowlevel.current_task() is not self._reader:
            # The application is done. The reader may wait for it to take more of a body, which it never will.
            self._reading.cancel()
            await trio.lowlevel.checkpoint()
        # The application's task says that the connection is idle, and quart-trio cancels that task at once:
        # unshielded, the watch over the idle connection would never begin.
        with trio.CancelScope(shield=isinstance(event, Updated)):
            await super().protocol_send(event)
        return None

    async def _send(self, data: bytes) -> None:
        async with self.send_lock:
            gone = False
            # Shielded as in hypercorn, so that half a frame is never followed by another; but not for ever.
            with trio.move_on_after(self._send_timeout, shield=True) as patience:
                try:
                    await self.stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    gone = True
            if patience.cancelled_caught:
                log.info("client_dropped reason=not_reading seconds=%s", self._send_timeout)
                await trio.aclose_forcefully(self.stream)
                gone = True
        if gone:
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        # Called once, with the protocol fresh: nothing was read yet with the one that hypercorn chose.
        chosen = self.protocol.protocol
        protocol = _Protocol(
            self.app,
            self.config,
            cast("WorkerContext", self.context),
            self._task_group,
            chosen.connection_state,
            ssl=False,
            client=chosen.client,
            server=chosen.server,
            send=self.protocol_send,
        )
        self.protocol = cast("Any", protocol)  # it is used through `handle` alone
        self._reader = trio.lowlevel.current_task()
        try:
            with self._reading:
                await self._read_until_closed(protocol)
        finally:
            self.context.over.set()

    async def _read_until_closed(self, protocol: "_Protocol") -> None:
        data: bytes | bytearray = b"?"
        while data:
            # hypercorn's own read_timeout would also cut off a client that waits for its answer.
            patience = math.inf if protocol.is_answering else self._read_timeout
            try:
                with trio.fail_after(patience):
                    data = await self.stream.receive_some(65536)
            except (trio.ClosedResourceError, trio.BrokenResourceError, trio.TooSlowError):
                break
            await protocol.handle(RawData(bytes(data)))
        await protocol.handle(Closed())

    async def _close(self) -> None:
        """Close so that the peer can still read our answer: unread input would reset the connection."""
        with trio.move_on_after(LINGER, shield=True):
            try:
                await self.stream.send_eof()
                taken = 0
                while taken < LINGER_BYTES and (data := await self.stream.receive_some(65536)):
                    taken += len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                pass  # the peer is gone already, or its last words are being read elsewhere
        await trio.aclose_forcefully(self.stream)


class _Protocol(H11Protocol):
    """HTTP/1.1 and WebSockets only, whose own refusals carry a problem document."""

    _refused = False

    @property
    def is_answering(self) -> bool:
        """Whether a whole request was read and its answer is under way, or nothing was asked yet.

        Then time is kept elsewhere: by the handler, or by the keep-alive time-out.
        """
        return self.connection.their_state in {h11.DONE, h11.MUST_CLOSE, h11.IDLE}

    async def _check_protocol(self, event: h11.Request) -> None:
        """No upgrade to HTTP/2: the request is answered as the HTTP/1.1 it came as."""

    async def _close_stream(self) -> None:
        """Tell the application that the client is gone; if it takes no more news, the connection is ended."""
        with trio.move_on_after(LINGER) as patience:
            await super()._close_stream()
        if patience.cancelled_caught:
            self.task_group._nursery.cancel_scope.cancel()  # type: ignore[attr-defined]  # noqa: SLF001

    async def _send_error_response(self, status_code: int) -> None:
        headers, body = bare_problem(status_code)
        await self._send_h11_event(
            h11.Response(status_code=status_code, headers=[*headers, *self.config.response_headers("h11")])
        )
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())

    async def stream_send(self, event: StreamEvent) -> None:
        # Only hypercorn's own refusals (a bad handshake, an application that fell silent) have no body.
        if (
            isinstance(event, Response)
            and event.status_code >= 400
            and (b"content-length", b"0") in event.headers
        ):
            headers, body = bare_problem(event.status_code)
            await super().stream_send(Response(STREAM_ID, headers, event.status_code))
            if self.stream is not None and self.stream.scope.get("method") != "HEAD":
                await super().stream_send(Body(STREAM_ID, body))
            self._refused = True
        elif isinstance(event, EndBody) and self._refused:
            await super().stream_send(event)
            await self.send(Closed())  # as the refusal said; after a bad handshake hypercorn would not
        elif isinstance(event, Response) and self.connection.their_state is h11.SEND_BODY:
            # An answer before the end of the request: hypercorn closes after it, so the client must know.
            headers = [*event.headers, (b"connection", b"close")]
            await super().stream_send(Response(STREAM_ID, headers, event.status_code))
        else:
            await super().stream_send(event)
