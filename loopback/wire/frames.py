"""Frames: the client's four opening bytes, then in both directions 3-byte lengths each before its payload."""

from typing import Final

from attrs import define, field

from loopback.wire.errors import MalformedFrame

__all__ = ["FRAME_LIMIT", "PROLOGUE", "FrameReader", "frame"]

PROLOGUE: Final = (
    b"WA\x06\x03"  # protocol 6, token dictionary 3; sent once, and authenticated by the handshake
)
FRAME_LIMIT: Final = 1 << 24  # what three bytes can count; clients refuse larger websocket messages too


def frame(payload: bytes) -> bytes:
    """One payload as a frame, to be sent as one websocket message of its own.

    whatsmeow miscounts a frame that spans websocket messages, so the server must never split or join any.
    Raises ValueError when it is too large.
    """
    if len(payload) + 3 > FRAME_LIMIT:
        raise ValueError(f"a frame of {len(payload)} bytes is too large")
    return len(payload).to_bytes(3) + payload


@define(eq=False)
class FrameReader:
    """Takes the client's bytes apart into frames, however they are cut."""

    _buffer: bytearray = field(factory=bytearray, init=False)
    _opened: bool = field(default=False, init=False)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete with these bytes. Raises MalformedFrame for another protocol's."""
        self._buffer += data
        if not self._opened:
            if not PROLOGUE.startswith(self._buffer[: len(PROLOGUE)]):
                raise MalformedFrame("the client speaks another protocol")
            if len(self._buffer) < len(PROLOGUE):
                return []
            del self._buffer[: len(PROLOGUE)]
            self._opened = True
        payloads = []
        start = 0
        while len(self._buffer) - start >= 3:
            end = start + 3 + int.from_bytes(self._buffer[start : start + 3])
            if len(self._buffer) < end:
                break
            payloads.append(bytes(self._buffer[start + 3 : end]))
            start = end
        del self._buffer[:start]
        return payloads
