"""State as JSON text: attrs values with plain fields, bytes as base64."""

import base64
from typing import TypeVar

from cattrs.preconf.json import make_converter

T = TypeVar("T")

_converter = make_converter()
_converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode())
_converter.register_structure_hook(bytes, lambda text, _: base64.b64decode(text, validate=True))


def to_json(state: object) -> str:
    """The text holds private keys: it belongs in a file of the owner's only."""
    return _converter.dumps(state)


def from_json(text: str, kind: type[T]) -> T:
    """The inverse of `to_json`, for text that it has written."""
    return _converter.loads(text, kind)
