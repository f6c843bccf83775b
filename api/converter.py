"""The one converter between JSON or query strings and attrs classes: strict, camelCase outside.

Nothing is coerced: a number is no string and `1` is no `true`. Unknown fields are refused. A failure names
every bad field with its path and what was expected there.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from api.checks import CHECKS, MismatchError
from api.refusals import FieldError, ValidationFailed

T = TypeVar("T", bound=attrs.AttrsInstance)

SOMETIMES = "sometimes"
"""In the metadata of a view's field: it is left out when it has its default."""

_UNIONS = (UnionType, Union)


def structure(value: Any, into: type[T]) -> T:
    """An instance of an attrs class from parsed JSON. Raises ValidationFailed."""
    try:
        return _converter.structure(value, into)
    except Exception as error:  # noqa: BLE001 - cattrs lets through whatever a check raised
        raise ValidationFailed(tuple(_field_errors(error, ""))) from None


def structure_given(value: Any, into: type[T]) -> dict[str, Any]:
    """Only what was given, by attribute name: for a PATCH, where absent means unchanged."""
    checked = structure(value, into)
    return {a.name: getattr(checked, a.name) for a in attrs.fields(into) if camel(a.name) in value}


def unstructure(view: Any) -> Any:
    """A view, or what holds views, as plain JSON values; times stay what they are for `answers.answer`."""
    return _converter.unstructure(view)


def camel(name: str) -> str:
    """`per_minute` → `perMinute`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _make_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind, check in CHECKS.items():
        converter.register_structure_hook(kind, _ignoring_the_type(check))
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(StrEnum, _member)
    converter.register_structure_hook_factory(_is_tuple, partial(_tuple_hook, converter))
    converter.register_structure_hook_factory(attrs.has, partial(_class_hook, converter))
    converter.register_structure_hook_factory(_is_tagged, partial(_tagged_hook, converter))
    converter.register_structure_hook_factory(_is_flag_or_class, partial(_flag_or_class_hook, converter))
    converter.register_unstructure_hook_factory(attrs.has, partial(_view_hook, converter))
    return converter


def _ignoring_the_type(check: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: check(value)


def _boolean(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise MismatchError("expected true or false")
    return value


def _is_tuple(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


def _tuple_hook(converter: Converter, kind: Any) -> Any:
    items: Any = list.__class_getitem__(get_args(kind)[0])

    def tuple_of(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise MismatchError("expected an array")
        return tuple(converter.structure(value, items))

    return tuple_of


def _member(value: Any, kind: type[StrEnum]) -> StrEnum:
    if not isinstance(value, str) or value not in set(kind):
        raise MismatchError(f"expected one of {', '.join(kind)}")
    return kind(value)


def _class_hook(converter: Converter, kind: type[attrs.AttrsInstance]) -> Any:
    names: Any = {a.name: override(rename=camel(a.name)) for a in attrs.fields(kind)}
    build = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **names)

    def instance(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise MismatchError("expected an object")
        return build(value, kind)

    return instance


def _is_tagged(kind: Any) -> bool:
    """Whether this is a union of attrs classes, each with its `TYPE`."""
    return get_origin(kind) in _UNIONS and all(hasattr(one, "TYPE") for one in get_args(kind))


def _tagged_hook(converter: Converter, kind: Any) -> Any:
    classes = {one.TYPE: one for one in get_args(kind)}

    def one_of(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise MismatchError("expected an object")
        tag = value.get("type")
        if not isinstance(tag, str) or tag not in classes:
            raise MismatchError(f"expected one of {', '.join(classes)}", path="type")
        return converter.structure({name: value[name] for name in value if name != "type"}, classes[tag])

    return one_of


def _is_flag_or_class(kind: Any) -> bool:
    """Whether this is `bool | Class`, or that and None."""
    choices = [one for one in get_args(kind) if one is not type(None)]
    return get_origin(kind) in _UNIONS and len(choices) == 2 and choices[0] is bool and attrs.has(choices[1])


def _flag_or_class_hook(converter: Converter, kind: Any) -> Any:
    (of_class,) = [one for one in get_args(kind) if attrs.has(one)]

    def flag_or_class(value: Any, _: Any) -> Any:
        if isinstance(value, bool) or (value is None and type(None) in get_args(kind)):
            return value
        if not isinstance(value, dict):
            raise MismatchError("expected true, false or an object")
        return converter.structure(value, of_class)

    return flag_or_class


def _view_hook(converter: Converter, kind: type[attrs.AttrsInstance]) -> Any:
    names: Any = {
        a.name: override(rename=camel(a.name.rstrip("_")), omit_if_default=SOMETIMES in a.metadata)
        for a in attrs.fields(kind)
    }
    return make_dict_unstructure_fn(kind, converter, **names)


def _field_errors(error: BaseException, path: str) -> Iterator[FieldError]:
    """Take a failure of cattrs apart into fields with their paths."""
    match error:
        case ClassValidationError():
            noted, bare = error.group_exceptions()
            for inner, note in noted:
                yield from _field_errors(inner, _below(path, camel(note.name)))
            for plain in bare:
                yield from _field_errors(plain, path)
        case IterableValidationError():
            noted_items, bare_items = error.group_exceptions()
            for inner, item in noted_items:
                where = (
                    f"{path}[{item.index}]" if isinstance(item.index, int) else _below(path, str(item.index))
                )
                yield from _field_errors(inner, where)
            for plain in bare_items:
                yield from _field_errors(plain, path)
        case ForbiddenExtraKeysError():
            for name in sorted(error.extra_fields):
                yield FieldError(_below(path, name), "unknown field")
        case KeyError():
            yield FieldError(path, "is required")
        case ExceptionGroup():  # what an instance found wrong with itself
            for inner in error.exceptions:
                yield from _field_errors(inner, path)
        case MismatchError():
            yield FieldError(_below(path, error.path) if error.path else path, str(error))
        case _:
            yield FieldError(path, "is not what was expected")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path and not name.startswith("[") else path + name


_converter = _make_converter()
