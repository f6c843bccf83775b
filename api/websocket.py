"""A client's WebSocket whose connection is closed whatever ends it.

trio-websocket leaves the socket of a connection that was refused, or that the server closed, to the garbage
collector.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream
from wsproto.utilities import LocalProtocolError

LARGEST = 64 * 1024 * 1024  # bytes: a history's events can be long, and so can a tree
PATIENCE = 30.0  # seconds for the connection, and as many for the handshake


@asynccontextmanager
async def open_websocket(
    url: str, headers: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[WebSocketConnection]:
    """Connect to a ws or wss URL.

    Raises OSError, trio.TooSlowError, and trio_websocket's HandshakeError, ConnectionRejected and
    ConnectionClosed.
    """
    parts = urlsplit(url)
    resource = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    extra = [(name.encode(), value.encode()) for name, value in headers]
    try:
        async with await _dial(parts) as stream, trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE):
                connection = await wrap_client_stream(
                    nursery, stream, parts.netloc, resource, extra_headers=extra, max_message_size=LARGEST
                )
            async with connection:
                yield connection
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery's own doing: nothing but the connection's reader runs in it. That raises one thing only:
        # it would answer a ping that comes in while we close.
        if len(group.exceptions) != 1:
            raise
        if isinstance(group.exceptions[0], LocalProtocolError):
            raise ConnectionClosed(None) from None
        raise group.exceptions[0] from None


async def _dial(parts: SplitResult) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    host = parts.hostname or ""
    with trio.fail_after(PATIENCE):
        if parts.scheme == "wss":
            return await trio.open_ssl_over_tcp_stream(host, parts.port or 443)
        return await trio.open_tcp_stream(host, parts.port or 80)
