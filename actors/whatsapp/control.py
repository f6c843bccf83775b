"""What the gateway asks of a cell: starting a client (JSON) and calling a function (tagged values).

A call's payload is the function's name and its arguments, each `tag u8 | length u32 | bytes`.
"""

import json
import struct
from collections.abc import Sequence
from enum import IntEnum

from attrs import asdict, field, frozen

__all__ = [
    "Argument",
    "BadRequest",
    "Refusal",
    "Start",
    "decode_call",
    "decode_until",
    "encode_call",
    "encode_until",
]

Argument = bytes | str | bool | int | float
ITEM = struct.Struct("!cI")
_MOMENT = struct.Struct("!d")


class BadRequest(Exception):
    """The payload is no request."""


class Refusal(IntEnum):
    """The `kind` of an ERROR frame."""

    BAD_REQUEST = 1
    NOT_RUNNING = 2
    """The client is not running, or has not got as far as taking calls."""
    BUSY = 3
    """Another client holds the session's journal."""
    FAILED = 4
    """The text says what failed."""


@frozen
class Start:
    """How to start a client: it resumes the device in the store, or makes a new one and shows QR codes."""

    session: str
    """For log lines."""
    store: str = field(repr=False)  # may hold a password
    """A SQLite path with the library's options riding along, or a `postgres…` URL."""
    journal: str
    """A directory."""
    after: int
    """The last record that is stored in the database."""
    seen: int
    """The last that the gateway took over, stored or not: the next has a larger number."""
    device_props: bytes
    """A `waCompanionReg.DeviceProps`: how the device introduces itself when it pairs."""
    proxy: str | None
    paired: bool
    """Whether the store must hold a device: then a QR code means that it was lost."""
    until: float | None = None
    """As what a ping carries."""
    device: bytes = b""
    """A `neonize.JID`: which device of the store; empty: its only one, or a new one."""
    new: bool = False
    """Whether a new one is made although others are there."""

    def encode(self) -> bytes:
        binary = {"device_props": self.device_props.hex(), "device": self.device.hex()}
        return json.dumps({**asdict(self), **binary}).encode()

    @classmethod
    def decode(cls, payload: bytes) -> "Start":
        """Raises BadRequest."""
        try:
            values = json.loads(payload)
            return cls(**values | {name: bytes.fromhex(values[name]) for name in ("device_props", "device")})
        except (TypeError, ValueError, KeyError) as error:
            raise BadRequest(f"no start request: {error!r}") from None


def encode_until(until: float | None) -> bytes:
    """A PING frame's payload: when the cell is to end, by CLOCK_MONOTONIC, unless it is told another time."""
    return b"" if until is None else _MOMENT.pack(until)


def decode_until(payload: bytes) -> float | None:
    """Until when a ping lets the cell live; None: for ever."""
    return float(_MOMENT.unpack(payload)[0]) if payload else None


def encode_call(function: str, arguments: Sequence[Argument]) -> bytes:
    """The payload of a CALL frame."""
    return b"".join(_item(each) for each in (function, *arguments))


def decode_call(payload: bytes) -> tuple[str, list[Argument]]:
    """A CALL frame's function and arguments.

    Raises BadRequest.
    """
    items: list[Argument] = []
    offset = 0
    try:
        while offset < len(payload):
            tag, length = ITEM.unpack_from(payload, offset)
            offset += ITEM.size
            raw = payload[offset : offset + length]
            if len(raw) < length:
                raise BadRequest("a call's argument is cut off")
            offset += length
            items.append(_value(tag, raw))
    except (struct.error, ValueError) as error:
        raise BadRequest(f"no call: {error}") from None
    if not items or not isinstance(items[0], str):
        raise BadRequest("a call without a function")
    return items[0], items[1:]


def _item(value: Argument) -> bytes:
    match value:
        case bool():
            tag, raw = b"?", bytes([value])
        case bytes():
            tag, raw = b"b", value
        case str():
            tag, raw = b"s", value.encode()
        case int():
            tag, raw = b"i", value.to_bytes(8, signed=True)
        case float():
            tag, raw = b"f", struct.pack("!d", value)
    return ITEM.pack(tag, len(raw)) + raw


def _value(tag: bytes, raw: bytes) -> Argument:
    match tag:
        case b"?":
            return raw == b"\x01"
        case b"b":
            return raw
        case b"s":
            return raw.decode()
        case b"i":
            return int.from_bytes(raw, signed=True)
        case b"f":
            return float(struct.unpack("!d", raw)[0])
        case _:
            raise BadRequest(f"a call's argument of unknown sort {tag!r}")
