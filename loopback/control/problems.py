"""What a control call gets instead of an answer (RFC 9457), and the reading of its body that leads there."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import Factory, define, evolve, frozen

__all__ = [
    "ANY_TEXT",
    "FLAG",
    "NUMBER",
    "OBJECT",
    "OPTIONAL",
    "PEOPLE",
    "PHONE_NUMBER",
    "TEXT",
    "Field",
    "Invalid",
    "Problem",
    "one_of",
    "read",
]

_PHONE: Final = re.compile(r"[1-9]\d{5,14}")


@define
class Problem(Exception):
    """A call is refused; `code` is for programs, `detail` for people."""

    status: int
    code: str
    title: str
    detail: str = ""
    errors: list[dict[str, str]] = Factory(list)

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return shown | ({"errors": self.errors} if self.errors else {})


class Invalid(ValueError):
    """A field's value is not what it should be."""


@frozen
class Field:
    """What a field must hold."""

    kind: type | tuple[type, ...]
    says: str
    required: bool = True
    pattern: re.Pattern[str] | None = None
    negative: bool = False  # whether a number may be
    of: "Field | None" = None  # of each item, for a list

    def check(self, value: Any) -> None:
        """Raises Invalid."""
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise Invalid(self.says)
        if isinstance(value, int | float) and value < 0 and not self.negative:
            raise Invalid(self.says)
        if isinstance(value, str) and self.pattern is not None and not self.pattern.fullmatch(value):
            raise Invalid(self.says)
        if isinstance(value, list) and self.of is not None:
            for item in value:
                self.of.check(item)


TEXT: Final = Field(str, "must be text")
PHONE_NUMBER: Final = Field(str, "must be a phone number: 6 to 15 digits with country code", pattern=_PHONE)
NUMBER: Final = Field((int, float), "must be a number that is not negative")
FLAG: Final = Field(bool, "must be true or false")
ANY_TEXT: Final = Field(str, "must be text, which may be empty")
OBJECT: Final = Field(dict, "must be an object")
PEOPLE: Final = Field(list, PHONE_NUMBER.says, of=PHONE_NUMBER)


def OPTIONAL(field: Field) -> Field:  # noqa: N802 - reads as a kind of field in a route
    """The same, but it may be missing or null."""
    return evolve(field, required=False)


def one_of(words: Iterable[str]) -> Field:
    """One of these words."""
    known = list(words)
    pattern = re.compile("|".join(map(re.escape, known)))
    return Field(str, f"must be one of {', '.join(known)}", pattern=pattern)


def read(body: object, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The body's fields, missing ones None. Raises Problem naming every field that is wrong."""
    if not isinstance(body, dict):
        raise Problem(400, "malformed-body", "The body must be a JSON object")
    errors = [{"path": name, "message": "is not known here"} for name in body if name not in fields]
    for name, field in fields.items():
        value = body.get(name)
        if value is None:
            if field.required:
                errors.append({"path": name, "message": "is required"})
            continue
        try:
            field.check(value)
        except Invalid as invalid:
            errors.append({"path": name, "message": str(invalid)})
    if errors:
        raise Problem(422, "invalid-fields", "Some fields are not right", errors=errors)
    return {name: body.get(name) for name in fields}
