"""A `multipart/form-data` body as an instance of the attrs class that JSON would give: its file and fields.

A field is text. Where its type asks for something else (a number, a flag, a list), the text is JSON. A list
may also come as parts of its name, a member each, as OpenAPI has it.
"""

from collections.abc import Container
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, NewType, TypeVar, get_args, get_origin

import attrs
import trio
from quart import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Field, File, MultipartDecoder, NeedData

from api.bodies import body_as, is_json, parse_json
from api.converter import camel, structure
from api.fields import Upload
from api.refusals import FieldError, InvalidJson, ValidationFailed

MULTIPART = "multipart/form-data"
MOST_PARTS = 100
FIELD_BYTES = 1 << 20
PIECE = 1 << 18

T = TypeVar("T", bound=attrs.AttrsInstance)


async def body_or_form_as(kind: type[T]) -> T:
    """The body, as JSON or, for a class with a `file`, as a form. Raises as `bodies.body_as` does.

    For a class with FILE_ALONE a body that is neither is the file.
    """
    alone = request.mimetype != MULTIPART and not is_json(request.mimetype)
    if alone and getattr(kind, "FILE_ALONE", False):
        return structure({"file": await _file_alone()}, kind)
    if request.mimetype != MULTIPART or not takes_file(kind):
        return await body_as(kind)
    raw: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    expected = parts_expected(kind)
    lists = {name for name, part in expected.items() if part is Part.LIST}
    texts, file = await parts_of(raw, request.mimetype_params.get("boundary", ""), lists)
    given: dict[str, Any] = {
        name: _read(expected.get(name, Part.TEXT), several) for name, several in texts.items()
    }
    if file is not None:
        given["file"] = file
    return structure(given, kind)


async def _file_alone() -> Upload:
    raw: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    _, said = parse_options_header(request.headers.get("content-disposition"))
    return Upload(raw, said.get("filename"), request.mimetype)


class Part(Enum):
    """What a part of a form holds."""

    TEXT = "text"
    JSON = "json"
    LIST = "list"
    """JSON too; or texts, in as many parts as it has members."""


def parts_expected(kind: Any) -> dict[str, Part]:
    """The parts of a form for a class, or for those of a union."""
    found = (item for one in _classes(kind) for item in _types(one).items())
    return {camel(name): _part(type_) for name, type_ in found}


def takes_file(kind: Any) -> bool:
    """Whether a body of this class, or of one in this union, may be a form."""
    return any("file" in _types(one) for one in _classes(kind))


async def parts_of(
    raw: bytes, boundary: str, lists: Container[str] = ()
) -> tuple[dict[str, list[str]], Upload | None]:
    """The text fields by name, one text each, but for `lists` any number, and the part called `file`.

    Raises ValidationFailed, RequestEntityTooLarge.
    """
    view = memoryview(raw)
    gathered: list[tuple[Field | File, bytearray]] = []
    try:
        decoder = MultipartDecoder(boundary.encode("ascii"), max_parts=MOST_PARTS)
        for start in range(0, len(raw), PIECE):
            await trio.lowlevel.checkpoint()  # a large form is taken apart beside all else
            decoder.receive_data(bytes(view[start : start + PIECE]))
            while not isinstance(event := decoder.next_event(), NeedData):
                match event:
                    case Field() | File():
                        gathered.append((event, bytearray()))
                    case Data(data=data):
                        gathered[-1][1].extend(data)
                    case _:  # what comes before the first part
                        continue
        decoder.receive_data(None)
        decoder.next_event()
        return _sorted(gathered, lists)
    except ValueError:  # UnicodeError is one
        raise ValidationFailed((FieldError("", f"is no {MULTIPART}"),)) from None


def _sorted(
    gathered: list[tuple[Field | File, bytearray]], lists: Container[str]
) -> tuple[dict[str, list[str]], Upload | None]:
    texts: dict[str, list[str]] = {}
    file: Upload | None = None
    wrong: list[FieldError] = []
    for part, data in gathered:
        name = str(part.name or "")
        if (name in texts and name not in lists) or (name == "file" and file is not None):
            wrong.append(FieldError(name, "is given more than once"))
        elif isinstance(part, File):
            if name == "file":
                said = part.headers.get("content-type") or ""
                file = Upload(bytes(data), part.filename or None, said.partition(";")[0].strip() or None)
            else:
                wrong.append(FieldError(name, "is a file; only the part named file may be one"))
        elif len(data) > FIELD_BYTES:
            raise RequestEntityTooLarge
        else:
            texts.setdefault(name, []).append(data.decode())
    if wrong:
        raise ValidationFailed(tuple(wrong))
    return texts, file


def _classes(kind: Any) -> tuple[type[attrs.AttrsInstance], ...]:
    """An attrs class, or those of a union."""
    return (kind,) if attrs.has(kind) else get_args(kind)


def _types(kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    return {each.name: each.type for each in attrs.fields(attrs.resolve_types(kind))}


def _part(kind: Any) -> Part:
    choices = {_part(each) for each in get_args(kind) if each not in (type(None), ...)}
    if isinstance(kind, NewType):
        return _part(kind.__supertype__)
    if get_origin(kind) is tuple:
        return Part.LIST if choices == {Part.TEXT} else Part.JSON
    if choices:
        return choices.pop() if len(choices) == 1 else Part.JSON
    return Part.TEXT if kind in (str, datetime, bytes) or _is_named(kind) else Part.JSON


def _is_named(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _read(part: Part, texts: list[str]) -> Any:
    """What these texts are in JSON; where they are none, themselves, for the field's own check to judge."""
    match part, texts:
        case Part.TEXT, [text]:
            return text
        case Part.JSON, [text]:
            return _as_json(text)
        case _, [text]:
            value = _as_json(text)
            return value if value is None or isinstance(value, list) else texts
        case _:
            return texts


def _as_json(text: str) -> Any:
    try:
        return parse_json(text)
    except InvalidJson:
        return text
