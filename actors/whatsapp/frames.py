"""The frames between the gateway and a cell: a fixed header and a raw payload, on both of their sockets.

    length u32 | type u8 | kind u8 | client u32 | number u64 | at u64 | payload

Control socket: requests carry `number`, which their reply repeats. Event socket: `number` is a record's
sequence number and `at` when it was received, in microseconds since 1970.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

from attrs import define, field, frozen

__all__ = ["MAX_PAYLOAD", "Frame", "FrameError", "FrameReader", "FrameType"]

HEADER = struct.Struct("!IBBIQQ")
MAX_PAYLOAD = 128 * 1024 * 1024  # a large document, with room


class FrameError(Exception):
    """The bytes are no frames; the connection cannot be used any more."""


class FrameType(IntEnum):
    """What a frame is; the comments say who sends it with which payload."""

    READY = 1  # cell: it has loaded the library; empty
    PING = 2  # gateway: empty
    STATS = 3  # gateway: empty; answered with JSON
    START = 4  # gateway: JSON
    STOP = 5  # gateway: empty
    CALL = 6  # gateway: function and arguments
    OK = 7  # cell, to any request: its answer
    ERROR = 8  # cell, to any request: a text, its sort in `kind`
    RECORD = 9  # cell, on the event socket: what the library delivered
    ACK = 10  # gateway, on the event socket: stored up to `number`


_TYPES = {int(each): each for each in FrameType}


@frozen
class Frame:
    type: FrameType
    client: int = 0
    number: int = 0
    payload: bytes = field(default=b"", repr=False)
    kind: int = 0
    at: int = 0

    def encode(self) -> bytes:
        return self.header() + self.payload

    def header(self) -> bytes:
        """The frame without its payload, to be written before it without copying that."""
        return HEADER.pack(len(self.payload), self.type, self.kind, self.client, self.number, self.at)


@define(eq=False)
class FrameReader:
    """Cuts a stream of bytes into frames, however they are split.

    Raises FrameError for an unknown type or a payload above `limit`, as soon as its header is complete.
    """

    limit: int = MAX_PAYLOAD
    _buffer: bytearray = field(factory=bytearray, init=False, repr=False)

    def feed(self, data: bytes | bytearray) -> Iterator[Frame]:
        """The frames completed by these bytes; take all of them before feeding more."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEADER.size:
                length, number_of_type, kind, client, number, at = HEADER.unpack_from(self._buffer, start)
                type_ = _TYPES.get(number_of_type)
                if type_ is None or length > self.limit:
                    raise FrameError(f"no frame: type {number_of_type}, {length} bytes")
                end = start + HEADER.size + length
                if end > len(self._buffer):
                    break
                payload = bytes(memoryview(self._buffer)[start + HEADER.size : end])
                start = end
                yield Frame(type_, client, number, payload, kind, at)
        finally:
            del self._buffer[:start]

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)
