"""Answers in JSON: compact, in the order the fields were written, times in ISO 8601 and UTC."""

import json
from datetime import datetime
from typing import Any

from quart import Response

from actors.envelope import stamp


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response of this body."""
    encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return Response(encoded, status, headers, content_type="application/json")


def no_content() -> Response:
    """Done, and nothing to say about it."""
    return Response(b"", 204)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
