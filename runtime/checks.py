"""The one way a wrong argument is refused: InvalidSpec with the field's name and its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import Attribute

from runtime.errors import InvalidSpec

Validator: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]


def require(field: str, value: object, holds: bool) -> None:
    """Raises InvalidSpec(field, value) unless it holds."""
    if not holds:
        raise InvalidSpec(field, value)


def is_number(value: object, *, least: float = 0.0) -> bool:
    """True for an int or float (not a bool, not NaN) of at least `least`; infinity is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def is_count(value: object, *, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def valid(holds: Callable[[Any], bool]) -> Validator:
    """An attrs validator that asks `holds` of the value."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        require(attribute.name, value, holds(value))

    return check


def a(kind: type | tuple[type, ...]) -> Validator:
    return valid(lambda value: isinstance(value, kind))
