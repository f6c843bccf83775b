"""The kinds of values in supervisor.toml: each checks one, and says what it expects with ValueError."""

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from attrs import field

from actors import passwords

CHECK = "check"
"""Under which a field's metadata has its check."""
_MOST_DAYS = 36500  # a hundred years


def refuse(expected: str, got: object) -> ValueError:
    shown = json.dumps(got, default=str)
    return ValueError(f"expected {expected}, got {shown}")


def whole(default: int | None, *, least: int = 0) -> Any:
    def check(value: object) -> int | None:
        if value is None and default is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise refuse(f"an integer ≥ {least}", value)
        return value

    return field(default=default, metadata={CHECK: check})


def days(default: int) -> Any:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_DAYS:
            raise refuse(f"a number of days from 0 to {_MOST_DAYS}", value)
        return value

    return field(default=default, metadata={CHECK: check})


def number(default: float, *, unit: str = "", least: float = 0, above: bool = False) -> Any:
    def check(value: object) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or value < least or (above and value == least):  # type: ignore[operator]
            raise refuse(f"a number {unit}{'>' if above else '≥'} {least:g}", value)
        return float(value)  # type: ignore[arg-type]

    return field(default=float(default), metadata={CHECK: check})


def seconds(default: float, *, above: bool = True) -> Any:
    return number(default, unit="of seconds ", above=above)


def text(default: str = "", *, secret: bool = False) -> Any:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise refuse("a text", "a value of another kind" if secret else value)
        return value

    return field(default=default, repr=not secret, metadata={CHECK: check})


def password() -> Any:
    def check(value: object) -> str:
        if isinstance(value, str) and (not value or passwords.LEAST <= len(value) <= passwords.MOST):
            return value
        raise ValueError(f"expected a text of {passwords.LEAST} to {passwords.MOST} characters")

    return field(default="", repr=False, metadata={CHECK: check})


def flag(*, default: bool) -> Any:
    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise refuse("true or false", value)
        return value

    return field(default=default, metadata={CHECK: check})


def one_of(default: StrEnum) -> Any:
    kind = type(default)

    def check(value: object) -> StrEnum:
        try:
            return kind(value)  # type: ignore[arg-type]
        except ValueError:
            raise refuse(" or ".join(f'"{member.value}"' for member in kind), value) from None

    return field(default=default, metadata={CHECK: check})


def networks() -> Any:
    def check(value: object) -> tuple[str, ...]:
        try:
            if isinstance(value, list | tuple):
                return tuple(str(ip_network(network)) for network in value)
        except ValueError:
            pass
        raise refuse('a list of networks such as "10.0.0.0/8"', value)

    return field(default=(), metadata={CHECK: check})


def address(default: str) -> Any:
    def check(value: object) -> str:
        if isinstance(value, str):
            host, colon, port = value.rpartition(":")
            if host and colon and port.isdecimal() and int(port) < 65536:
                return value
        raise refuse('"HOST:PORT"', value)

    return field(default=default, metadata={CHECK: check})


def broker_url(*schemes: str) -> Any:
    """Empty: it must come from the environment. It may hold a password, so that no message shows it."""

    def check(value: object) -> str:
        if isinstance(value, str) and (not value or urls(value, schemes)):
            return value
        raise ValueError(f"expected {' or '.join(f'{scheme}://…' for scheme in schemes)}")

    return field(default="", repr=False, metadata={CHECK: check})


def urls(text: str, schemes: Sequence[str]) -> bool:
    try:
        parts = [urlsplit(url) for url in text.split(",")]
        return all(part.scheme in schemes and part.hostname and (part.port or 1) for part in parts)
    except ValueError:
        return False


def template(default: str) -> Any:
    """A text with `{sessionId}` and `{event}`."""

    def check(value: object) -> str:
        if isinstance(value, str):
            plain = value.replace("{sessionId}", "s").replace("{event}", "e")
            if plain and plain.isascii() and plain.isprintable() and not set(plain) & set(" *>{}"):
                return value
        raise refuse("a text with {sessionId} and {event}, without spaces and wildcards", value)

    return field(default=default, metadata={CHECK: check})


def texts() -> Any:
    def check(value: object) -> tuple[str, ...]:
        if isinstance(value, list | tuple) and all(isinstance(text, str) and text for text in value):
            return tuple(value)
        raise refuse("a list of texts", value)

    return field(default=(), metadata={CHECK: check})
