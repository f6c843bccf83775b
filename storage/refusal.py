"""Which failures are a write's own fault, and what its sender is told: the cause, never the values."""

from __future__ import annotations

import math
from datetime import datetime

import attrs
import psycopg
from psycopg import errors

from storage.errors import WriteRefused
from storage.writes import Insert, StoreMessage, Update, Write

_OWN_FAULT = ("22", "23", "54")
"""SQLSTATE classes: bad data, broken constraints, too large for an index or a nesting too deep.

Whatever else happens (no connection, no space, a server that is read-only for now, a privilege taken away)
may pass, and the write is kept for then.
"""


def refusal(error: Exception, write: Write) -> WriteRefused | None:
    """What to answer to the one write that failed with this error; None: it is not to blame, try again."""
    match error:
        case WriteRefused(reason="invalid_value", field=None) | UnicodeEncodeError():
            return WriteRefused("invalid_value", field=_unstorable(write))
        case WriteRefused():
            return error
        case errors.UniqueViolation():
            return WriteRefused("duplicate", constraint=error.diag.constraint_name)
        case errors.ForeignKeyViolation():
            return WriteRefused("unknown_session", constraint=error.diag.constraint_name)
        case psycopg.Error():
            own_fault = error.sqlstate is not None and error.sqlstate[:2] in _OWN_FAULT
            # Without a state it is psycopg's own, before anything was sent.
            if not own_fault and not (error.sqlstate is None and isinstance(error, psycopg.DataError)):
                return None
            return WriteRefused(
                "invalid_value",
                field=error.diag.column_name or _unstorable(write),
                constraint=error.diag.constraint_name,
            )
        case _:
            return None


def _unstorable(write: Write) -> str | None:
    """The field with a value that PostgreSQL or JSON cannot hold."""
    match write:
        case Insert(row=row):
            fields = attrs.asdict(row, recurse=False)
        case StoreMessage(message=message):
            fields = attrs.asdict(message, recurse=False)
        case Update(changes=changes):
            fields = dict(changes)
        case _:
            fields = attrs.asdict(write, recurse=False)
    events = getattr(write, "events", ())
    fields["events"] = [(event.event, event.data) for event in events]
    return next((name for name, value in fields.items() if not _is_storable(value)), None)


def _is_storable(value: object) -> bool:
    match value:
        case str():
            return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case float():
            return math.isfinite(value)
        case dict():
            return all(_is_storable(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return all(_is_storable(part) for part in value)
        case _:
            return value is None or isinstance(value, int | datetime | bytes)
