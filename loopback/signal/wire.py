"""As much of the protobuf wire format as Signal's messages need: integers and byte strings by number."""

from collections.abc import Iterable

from loopback.signal.errors import MalformedError

_VARINT = 0
_BYTES = 2
_FIXED = {1: 8, 5: 4}  # wire types that no field of ours has, skipped when met
_UINT32_MAX = 0xFFFFFFFF


def encode(fields: Iterable[tuple[int, int | bytes | None]]) -> bytes:
    """Encode (number, value) pairs in the order given, which should be by rising number; None is left out.

    Receivers check the code of a message over their own re-encoding of it, so the order is not free.
    """
    out = bytearray()
    for number, value in fields:
        match value:
            case None:
                continue
            case int():
                out += _varint(number << 3 | _VARINT) + _varint(value)
            case bytes():
                out += _varint(number << 3 | _BYTES) + _varint(len(value)) + value
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Fields:
    """The decoded fields of one message, asked for by number and kind; of repeated fields the last counts.

    Every error is a MalformedError.
    """

    def __init__(self, data: bytes) -> None:
        self._values: dict[int, int | bytes] = {}
        at = 0
        while at < len(data):
            key, at = _read_varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == _VARINT:
                self._values[number], at = _read_varint(data, at)
            elif kind == _BYTES:
                length, at = _read_varint(data, at)
                self._values[number], at = data[at : at + length], at + length
            elif kind in _FIXED:
                at += _FIXED[kind]
            else:
                raise MalformedError(f"field {number} has the unknown wire type {kind}")
        if at != len(data):
            raise MalformedError("the message ends inside a field")

    def integer(self, number: int, default: int | None = None) -> int:
        """An unsigned 32-bit integer; missing without a default is an error."""
        value = self._values.get(number, default)
        if not isinstance(value, int) or value > _UINT32_MAX:
            raise MalformedError(f"field {number} is not an unsigned 32-bit integer")
        return value

    def octets(self, number: int) -> bytes:
        """A byte string, which must be there."""
        value = self._values.get(number)
        if not isinstance(value, bytes):
            raise MalformedError(f"field {number} is not a byte string")
        return value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at == len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedError("a variable-length integer does not end")
