"""Pages by keyset: a page costs the same however deep it lies. A cursor is the key of its last row."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import TypeVar

from storage.errors import BadQuery
from storage.rows import Page

T = TypeVar("T")


def page(rows: list[T], limit: int, key: Callable[[T], list[str]]) -> Page[T]:
    """A page of `limit` from one row more, whose presence says that there is a next one."""
    more = len(rows) > limit
    return Page(rows[:limit], _encode(key(rows[limit - 1])) if more else None)


def decode(cursor: str, parts: int) -> list[str]:
    """The key in a cursor. Raises BadQuery."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise BadQuery("cursor") from None
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, str) for part in key):
        raise BadQuery("cursor")
    return key


def literal(text: str) -> str:
    """The text with nothing in it that LIKE takes for a wildcard."""
    return re.sub(r"([%_\\])", r"\\\1", text)


def _encode(key: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
