"""An event as the world sees it: the one JSON form that webhooks, WebSocket and `GET /api/events` share.

`{sessionId, event, data, eventId, seq, occurredAt, cursor}`. The cursor is an opaque word for the event's
place among all events of all sessions: whoever goes on after it has missed nothing before it.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from storage import Event

_VERSION = b"\x01"


def envelope(event: Event) -> dict[str, Any]:
    """The event's public form."""
    return {
        "sessionId": event.session_id,
        "event": event.event,
        "data": event.data,
        "eventId": event.event_id,
        "seq": event.seq,
        "occurredAt": stamp(event.occurred_at),
        "cursor": cursor_of(event.position),
    }


def encode(event: Event) -> str:
    """The event's public form as JSON."""
    return json.dumps(envelope(event), ensure_ascii=False, separators=(",", ":"))


def stamp(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cursor_of(position: int) -> str:
    """The word from which a client resumes after this position. It begins with a letter, as no `seq` does."""
    number = position.to_bytes(max(1, (position.bit_length() + 7) // 8))
    return base64.urlsafe_b64encode(_VERSION + number).decode().rstrip("=")


def position_of(cursor: str) -> int:
    """The position that a cursor stands for. Raises ValueError for any other text."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("not a cursor") from None
    position = int.from_bytes(content[1:9])
    # What is not written as we write it was not written by us.
    if content[:1] != _VERSION or cursor_of(position) != cursor or position >= 2**63:
        raise ValueError("not a cursor")
    return position
