"""The network's only door: an HTTP CONNECT proxy that ends TLS itself and is every host behind it.

Clients told to use it reach `web.whatsapp.com` as a WebSocket with Noise inside, which becomes a `Link`, and
the media hosts as HTTP/1.1. There is no way through it to anywhere else.
"""

import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import h11
import trio
from attrs import define

from loopback.wire.authority import CHAT_HOST, HOSTS, Authority
from loopback.wire.certificate import Identity, Root
from loopback.wire.errors import LinkClosed, WireError
from loopback.wire.gate import Delay, Gate, Hangup, Refuse, Stage, Stall
from loopback.wire.http import HttpResponse, OnHttp, next_event, respond, serve_http
from loopback.wire.link import Link
from loopback.wire.peer import Peer
from loopback.wire.websocket import WebSocket

__all__ = ["OnLink", "serve_proxy"]

_log = logging.getLogger(__name__)
_PATIENCE: Final = 30.0  # seconds for each step up to a link

OnLink = Callable[[Link], Awaitable[None]]


async def serve_proxy(
    *,
    ca: Authority,
    root: Root,
    on_link: OnLink,
    on_http: OnHttp,
    gate: Gate = lambda host, stage: None,  # noqa: ARG005
    port: int = 0,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on 127.0.0.1 until cancelled; the task is started with the port in use.

    `on_link` has a link to itself: the link is closed when it returns, and it may let LinkClosed out, also in
    groups. What else it raises, or `on_http` or `gate` do, is logged and ends that one connection. Raises
    OSError when the port cannot be had.
    """
    door = _Door(ca.context(), root.identity(), on_link, on_http, gate)
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(door.serve, listeners)


class _Ended(Exception):
    """The connection is over as it should be."""


@define(eq=False)
class _Door:
    _context: ssl.SSLContext
    _identity: Identity
    _on_link: OnLink
    _on_http: OnHttp
    _gate: Gate

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection from beginning to end. Raises nothing, whatever the client does."""
        try:
            host = await self._connect(stream)
            tls = await self._secure(stream, host)
            if host == CHAT_HOST:
                await self._chat(tls, Peer(stream.socket))
            else:
                await serve_http(tls, host, self._on_http)
        except _EXPECTED as end:
            _log.debug("connection_ended reason=%s", str(end) or type(end).__name__)
        except Exception:  # noqa: BLE001 - a bug met by one connection, in the gate say, is not the network's end
            _log.exception("connection_failed")

    async def _connect(self, stream: trio.SocketStream) -> str:
        """Read the CONNECT, answer it, and say to which host it was."""
        connection = h11.Connection(h11.SERVER)
        with trio.fail_after(_PATIENCE):
            request = await next_event(connection, stream)
        if not isinstance(request, h11.Request):
            raise _Ended("no request")
        host, _, port = request.target.decode().partition(":")
        refusal: Refuse | None
        if request.method != b"CONNECT":
            refusal = Refuse(405)
        elif host not in HOSTS or port != "443":
            refusal = Refuse(403)
        else:
            refusal = await self._ask(host, Stage.CONNECT, stream)
        if refusal is not None:
            await respond(connection, stream, HttpResponse(refusal.status, {"Connection": "close"}))
            raise _Ended(f"refused with {refusal.status}")
        if connection.trailing_data[0]:
            raise _Ended("the client did not wait for the answer")
        await stream.send_all(connection.send(h11.Response(status_code=200, headers=[])) or b"")
        return host

    async def _secure(self, stream: trio.SocketStream, host: str) -> trio.abc.Stream:
        if await self._ask(host, Stage.TLS, stream):
            raise _Ended("refused")
        tls = trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)
        with trio.fail_after(_PATIENCE):
            await tls.do_handshake()
        return tls

    async def _chat(self, stream: trio.abc.Stream, peer: Peer) -> None:
        with trio.fail_after(_PATIENCE):
            socket = await WebSocket.requested(stream, peer.close)
        if refusal := await self._ask(CHAT_HOST, Stage.UPGRADE, stream):
            await socket.refuse(refusal.status)
            raise _Ended(f"refused with {refusal.status}")
        await socket.accept()
        if await self._ask(CHAT_HOST, Stage.HANDSHAKE, stream):
            raise _Ended("refused")
        with trio.fail_after(_PATIENCE):
            link = await Link.accept(socket, self._identity, peer)
        try:
            await self._on_link(link)
        except* LinkClosed as closed:
            _log.debug("link_closed link=%s reason=%r", link.id, closed)
        except* Exception:  # noqa: BLE001 - the same for what is above the wire
            _log.exception("link_failed link=%s", link.id)

    async def _ask(self, host: str, stage: Stage, stream: trio.abc.Stream) -> Refuse | None:
        """Let happen what the gate wants; a refusal is the caller's to put into words."""
        match self._gate(host, stage):
            case Delay(seconds=seconds):
                await trio.sleep(seconds)
            case Stall():
                async for _ in stream:  # to notice when the client gives up
                    pass
                raise _Ended("stalled")
            case Hangup():
                raise _Ended("hung up")
            case Refuse() as refusal:
                return refusal
            case None:
                pass
        return None


_EXPECTED: Final = (
    _Ended,
    WireError,
    h11.RemoteProtocolError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)
