"""What the fields of a body must be beside each other, in JSON Schema.

A class that checks more than single fields says so in `constraints`, a class method that yields these; the
description of the API is made of them.
"""

from collections.abc import Iterable

from storage.rows import Json


def exactly_one(*names: str) -> Json:
    """One of these texts is given, and the others are not, or null."""
    return {"oneOf": [_given(name, besides=names) for name in names]}


def at_most_one(*names: str) -> Json:
    """Of two fields one is not given, or null."""
    return {"anyOf": [{"properties": {name: {"type": "null"}}} for name in names]}


def sized(name: str, least: int, most: int | None = None) -> Json:
    """An array has so many items."""
    size: Json = {"minItems": least}
    return {"properties": {name: size if most is None else size | {"maxItems": most}}}


def some_of(name: str, names: Iterable[str]) -> Json:
    """A text with some of these between commas."""
    one = rf"\s*({'|'.join(names)})\s*"
    return {"properties": {name: {"pattern": f"^{one}(,{one})*$"}}}


def never_null(*names: str) -> Json:
    """What may be left out is not null when it is given."""
    return {"properties": {name: {"not": {"type": "null"}} for name in names}}


def _given(name: str, *, besides: Iterable[str]) -> Json:
    others = {other: {"type": "null"} for other in besides if other != name}
    return {"required": [name], "properties": {name: {"type": "string"}, **others}}
