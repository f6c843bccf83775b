"""What the pool and a worker say to each other: frames of a JSON head and a raw body.

    head length u32 | body length u32 | head | body

The worker begins with an empty frame: it is ready. Then each request is answered by one reply. A worker may
have been taken over by a file, so a reply is as hostile as that: it is bounded and checked, or it is none.
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .errors import DecoderFailed, DecodingError, TooLarge, Undecodable
from .jobs import Audio, Converted, Document, Image, Job, Portrait, Sticker, Thumbnail, Video, Voice

__all__ = ["HEADER", "MAX_BODY", "MAX_HEAD", "BadReply", "reply_of", "request_of", "to_reply", "to_request"]

HEADER = struct.Struct("!II")
MAX_HEAD = 4096
MAX_BODY = 256 * 1024 * 1024
TEXT = 300  # characters of a reason

_JOBS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Audio, Document, Image, Portrait, Sticker, Thumbnail, Video, Voice)
}
TYPES = frozenset({
    "audio/aac",
    "audio/amr",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg; codecs=opus",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
})  # fmt: skip


class BadReply(Exception):
    """The worker does not keep to the protocol."""


def _frame(head: dict[str, Any], *body: bytes) -> tuple[bytes, ...]:
    """A frame in parts, so that a large body is not copied."""
    text = json.dumps(head).encode()
    return HEADER.pack(len(text), sum(map(len, body))) + text, *body


def to_request(job: Job, data: bytes) -> tuple[bytes, ...]:
    return _frame({"job": type(job).__name__} | attrs.asdict(job), data)


def request_of(head: bytes) -> Job:
    told = json.loads(head)
    job: Job = _JOBS[told.pop("job")](**told)
    return job


def to_reply(result: Converted | DecodingError, data: bytes) -> tuple[bytes, ...]:
    """The reply to a request with this data, which is not sent back when it is the result's."""
    match result:
        case Converted():
            told = attrs.asdict(result)
            same = told.pop("data") is data
            parts = [
                b"" if same else result.data,
                *(told.pop(name) or b"" for name in ("thumbnail", "waveform")),
            ]
            return _frame({"same": same, "lengths": [len(part) for part in parts]} | told, *parts)
        case TooLarge(what, limit):
            return _frame({"too_large": what, "limit": limit})
        case Undecodable(reason):
            return _frame({"undecodable": reason[:TEXT]})
        case _:
            return _frame({"failed": str(result)[:TEXT]})


def reply_of(head: bytes, body: bytes | bytearray, data: bytes) -> Converted:
    """What became of this data. Raises what the worker answered (a DecodingError), or BadReply."""
    try:
        told = json.loads(head)
        match told:
            case {"too_large": str(what), "limit": int(limit)}:
                raise TooLarge(_printable(what), limit)
            case {"undecodable": str(reason)}:
                raise Undecodable(_printable(reason))
            case {"failed": str(reason)}:
                raise DecoderFailed(_printable(reason))
        return _converted(told, body, data)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadReply(f"{type(error).__name__}: {error}") from error


def _converted(told: Mapping[str, Any], body: bytes | bytearray, data: bytes) -> Converted:
    first, second, third = told["lengths"]
    lengths = [_number(each, most=len(body)) for each in (first, second, third)]
    if sum(lengths) != len(body):
        raise ValueError("lengths that are not the body's")
    view = memoryview(body)
    made, thumbnail, waveform = view[:first], view[first : first + second], view[first + second :]
    if len(waveform) not in {0, 64} or (len(waveform) and max(waveform) > 100):
        raise ValueError("no waveform")
    if told["mime_type"] not in TYPES:
        raise ValueError("a type that is never made")
    return Converted(
        data=data if told["same"] is True else bytes(made),
        mime_type=told["mime_type"],
        width=_optional(_number, told["width"]),
        height=_optional(_number, told["height"]),
        seconds=_optional(_number, told["seconds"]),
        waveform=bytes(waveform) or None,
        thumbnail=bytes(thumbnail) or None,
        animated=told["animated"] is True,
    )


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:TEXT])


def _number(value: object, *, most: int = 2**31 - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a number out of range")
    return value


def _optional(check: Callable[[object], int], value: object) -> int | None:
    return None if value is None else check(value)
