"""Sortable ids with a prefix that says what they name: `evt_01JD…`, `msg_01JD…`."""

from __future__ import annotations

import os
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


_last = 0


def new_id(prefix: str) -> str:
    """A ULID behind `prefix_`: 48 bits of milliseconds and 80 random bits, in 26 characters of base 32.

    Ids sort by time, and those that one process makes sort in the order in which it made them.
    """
    global _last  # noqa: PLW0603 - the order is the process's
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    if number >> 80 <= _last >> 80:
        number = _last + 1
    _last = number
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
