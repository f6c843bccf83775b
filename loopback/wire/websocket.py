"""The server's side of one WebSocket: whole binary messages over a stream, read when asked for.

No task of its own: pings are answered while someone waits in `receive`, which a link's owner always does.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Self

import trio
from attrs import define, field
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    Request,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from loopback.wire.errors import WebSocketClosed
from loopback.wire.frames import FRAME_LIMIT

__all__ = ["WebSocket"]

_READ_SIZE: Final = 65536
_STREAM_ERRORS: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@define(eq=False)
class WebSocket:
    """Made by `requested`, then either accepted or refused.

    `abort` ends the stream under it at once, from any task; whoever waits in another method gets
    WebSocketClosed. `patience` is how many seconds a client may take nothing of what is written to it.
    """

    _stream: trio.abc.Stream
    abort: Callable[[], None]
    patience: float = 20.0
    _protocol: WSConnection = field(factory=lambda: WSConnection(ConnectionType.SERVER), init=False)
    _events: deque[Event] = field(factory=deque, init=False)
    _message: bytearray = field(factory=bytearray, init=False)
    _writing: trio.Lock = field(factory=trio.Lock, init=False)

    @classmethod
    async def requested(
        cls, stream: trio.abc.Stream, abort: Callable[[], None], *, patience: float = 20.0
    ) -> Self:
        """Wait for the client's request to upgrade. Raises WebSocketClosed when it asks for anything else."""
        socket = cls(stream, abort, patience)
        if not isinstance(await socket._next_event(), Request):
            raise WebSocketClosed("the client did not ask for a WebSocket")
        return socket

    async def accept(self) -> None:
        """Raises WebSocketClosed, as every method does when the stream breaks."""
        await self._write(AcceptConnection())

    async def refuse(self, status: int) -> None:
        """Answer the request with an HTTP error; nothing can follow."""
        await self._write(RejectConnection(status_code=status))

    async def send(self, data: bytes) -> None:
        """Send one binary message. Calls at the same time go out whole and in turn.

        Raises WebSocketClosed, after `patience` seconds without progress at the latest. A cancelled call ends
        the connection, since half a message may be out.
        """
        await self._write(BytesMessage(data=data))

    async def ping(self) -> None:
        """Send a ping, which clients answer by themselves. Raises WebSocketClosed like `send`."""
        await self._write(Ping())

    async def receive(self) -> bytes:
        """The next binary message, whole; for one task at a time. Raises WebSocketClosed."""
        while True:
            match await self._next_event():
                case BytesMessage(data=data, message_finished=finished):
                    self._message += data
                    if len(self._message) > FRAME_LIMIT:
                        self.abort()
                        raise WebSocketClosed("the client sent too large a message")
                    if finished:
                        message = bytes(self._message)
                        self._message.clear()
                        return message
                case Ping() as ping:
                    await self._write(ping.response())
                case CloseConnection() as close:
                    await self._write(close.response())
                    self.abort()
                    raise WebSocketClosed("the client closed")
                case Message():
                    self.abort()
                    raise WebSocketClosed("the client sent text")
                case _:  # a pong nobody asked for
                    pass

    async def _next_event(self) -> Event:
        while not self._events:
            try:
                data = await self._stream.receive_some(_READ_SIZE)
                if not data:
                    self.abort()
                    raise WebSocketClosed("the client hung up")
                self._protocol.receive_data(bytes(data))
                self._events.extend(self._protocol.events())
            except _STREAM_ERRORS as error:
                raise WebSocketClosed("the connection broke") from error
            except (RemoteProtocolError, LocalProtocolError, ValueError) as error:
                # wsproto decodes headers without a care: UnicodeError, a ValueError, comes out as it is.
                self.abort()
                raise WebSocketClosed("the client does not speak WebSocket") from error
        return self._events.popleft()

    async def _write(self, event: Event) -> None:
        try:
            with trio.move_on_after(self.patience):
                async with self._writing:
                    await self._stream.send_all(self._protocol.send(event))
                return
        except _STREAM_ERRORS as error:
            raise WebSocketClosed("the connection broke") from error
        except LocalProtocolError as error:
            raise WebSocketClosed("the client has closed") from error
        except trio.Cancelled:
            self.abort()
            raise
        self.abort()
        raise WebSocketClosed("the client does not read")
