"""What is swept, by the name it has in the log, as the configuration says."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from actors.sweeper import Sweep
from api.caller import UNUSED
from api.config import Retention
from api.idempotency import LIFETIME
from storage.expiry import Expiry
from storage.media import MediaStore
from storage.rows import now

_PARTS = 30
"""Partitions of the event log: events are kept longer than asked for by one of them at most."""

_LONGEST = 30
"""Days of a partition."""

_HEARD = timedelta(days=40)
"""WhatsApp keeps what it could not deliver for 30 days."""


def sweeps(retention: Retention, expiry: Expiry, media: MediaStore) -> dict[str, Sweep]:
    """All that a gateway deletes by age. Days of 0 mean: kept until it is deleted by somebody."""
    found: dict[str, Sweep] = {
        "media": lambda most: media.sweep(now(), most),
        "sign-ins": _older(UNUSED, expiry.sign_ins),
        "claims": _older(LIFETIME, expiry.claims),
        "heard": _older(_HEARD, expiry.heard),
        "events": partial(_events, expiry, retention.events_days),
    }
    if retention.messages_days:
        age = timedelta(days=retention.messages_days)
        found |= {"messages": _older(age, expiry.messages), "batches": _older(age, expiry.batches)}
    if retention.audit_days:
        found["audit"] = _older(timedelta(days=retention.audit_days), expiry.audit)
    return found


def partition_days(kept: int) -> int:
    """Days of each partition of the event log, when it is kept for so many; 0: for ever."""
    return min(max(kept // _PARTS, 1), _LONGEST) if kept else _LONGEST


def _older(age: timedelta, delete: Callable[[datetime, int], Awaitable[int]]) -> Sweep:
    return lambda most: delete(now() - age, most)


async def _events(expiry: Expiry, kept: int, most: int) -> int:
    await expiry.extend_events(partition_days(kept))
    return await expiry.events(now() - timedelta(days=kept), most) if kept else 0
