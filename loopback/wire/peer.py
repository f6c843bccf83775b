"""Who is at the other end of a connection, and when the kernel last got anything from there."""

import socket
import struct
import time
from typing import Final

import trio
from attrs import define, field, frozen

__all__ = ["Heard", "Peer"]

# struct tcp_info of linux/tcp.h: milliseconds since the last data, and how much came since the beginning.
_LAST_DATA_RECEIVED: Final = struct.Struct("@52xI")
_BYTES_RECEIVED: Final = struct.Struct("@128xQ")


@frozen
class Heard:
    """What had come over a connection at some moment, read by the program or not.

    `size` is in bytes, to which the orderly end of a connection adds one; `at` is the Unix time of the last.
    """

    size: int
    at: float


@define(eq=False)
class Peer:
    """The other end of a socket; once it is closed here, `heard` stays what it was then."""

    _socket: trio.socket.SocketType
    address: str = field(init=False)  # HOST:PORT
    _last: Heard = field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            host, port = self._socket.getpeername()[:2]
        except OSError:  # it has gone already
            host, port = "", 0
        self.address = f"{host}:{port}"
        self._last = Heard(0, time.time())

    def heard(self) -> Heard:
        """What came until now; on systems other than Linux nothing is known of it."""
        if self._socket.fileno() >= 0 and hasattr(socket, "TCP_INFO"):
            told = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            if len(told) >= _BYTES_RECEIVED.size:
                (ago,), (size,) = _LAST_DATA_RECEIVED.unpack_from(told), _BYTES_RECEIVED.unpack_from(told)
                self._last = Heard(size, time.time() - ago / 1000)
        return self._last

    def close(self) -> None:
        """Close the socket at once; again is harmless."""
        self.heard()
        self._socket.close()
