"""What a request carries, checked: its JSON body or its query, as an instance of an attrs class."""

import json
from typing import Any, NoReturn, TypeVar

import attrs
from quart import request
from werkzeug.datastructures import MultiDict

from api.converter import camel, structure, structure_given
from api.refusals import ContentTypeUnsupported, FieldError, InvalidJson, ValidationFailed

T = TypeVar("T", bound=attrs.AttrsInstance)


async def body_as(kind: type[T]) -> T:
    """The body; an empty one counts as `{}`. Raises InvalidJson, ContentTypeUnsupported, ValidationFailed."""
    return structure(await _json_body(), kind)


async def given_in_body(kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    """Only the fields that the body names, by attribute name. Raises like body_as."""
    return structure_given(await _json_body(), kind)


def not_null(name: str, value: Any) -> Any:
    """A value given in a PATCH that has no default to be set back to. Raises ValidationFailed."""
    if value is None:
        raise ValidationFailed((FieldError(camel(name), "must not be null"),))
    return value


def query_as(kind: type[T], args: MultiDict[str, str] | None = None) -> T:
    """The query string. Raises ValidationFailed, also for a parameter given twice or unknown."""
    args = request.args if args is None else args
    twice = tuple(
        FieldError(name, "is given more than once") for name, values in args.lists() if len(values) > 1
    )
    if twice:
        raise ValidationFailed(twice)
    return structure(args.to_dict(), kind)


async def _json_body() -> Any:
    mimetype = request.mimetype
    raw: bytes = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    if not raw:
        return {}
    if not is_json(mimetype):
        raise ContentTypeUnsupported(mimetype[:100])
    return parse_json(raw)


def is_json(mimetype: str) -> bool:
    """Whether a media type is JSON's or one built on it, or none is given."""
    return not mimetype or mimetype == "application/json" or mimetype.endswith("+json")


def parse_json(raw: bytes | str) -> Any:
    """Strict JSON: no NaN, nothing after the end. Raises InvalidJson."""
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError:
        raise InvalidJson("The body is not UTF-8.") from None
    except RecursionError:
        raise InvalidJson("The body is nested too deep.") from None
    except ValueError:
        raise InvalidJson("The body holds a number that is none in JSON, or one too long.") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
