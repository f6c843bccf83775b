"""The audit record: what was done to the gateway, by whose key and from where, and how it came out."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define

from api.access import client_address
from api.errors import problem_of
from api.services import services
from api.trace import trace
from runtime import SupervisionError
from storage.errors import StorageError
from storage.ids import new_id
from storage.rows import AuditEntry, Json
from storage.writes import Insert

log = logging.getLogger("api.audit")

CLIENT_GONE = "client_gone"
"""The outcome of what went on when the client did not wait for it any more."""


@define
class Act:
    """What is being done. Its target may become known on the way."""

    target: str | None
    detail: Json


@asynccontextmanager
async def recorded(action: str, target: str | None = None, **detail: Any) -> AsyncIterator[Act]:
    """Record what is done in this block, whatever becomes of it, before its request is answered.

    The key must have been admitted. Raises what the block raises; after one that went well also what the
    writer raises, when the act was done and could only be logged.
    """
    act = Act(target, detail)
    try:
        yield act
    except trio.Cancelled:
        await _record_at_last(action, act, CLIENT_GONE)
        raise
    except Exception as error:
        await _record_at_last(action, act, problem_of(error).code)
        raise
    await _record(action, act, "ok")


async def _record_at_last(action: str, act: Act, outcome: str) -> None:
    """Record what has a failure of its own to tell."""
    try:
        await _record(action, act, outcome)
    except (SupervisionError, StorageError) as error:
        log.error("act_not_recorded action=%s error=%s", action, type(error).__name__)  # noqa: TRY400


async def _record(action: str, act: Act, outcome: str) -> None:
    notes = trace()
    assert notes.key is not None
    entry = AuditEntry(
        id=new_id("aud"),
        key_id=notes.key.id,
        key_prefix=notes.key.prefix,
        address=client_address(),
        request_id=notes.request_id,
        action=action,
        target=act.target and act.target[:200],
        outcome=outcome,
        detail=act.detail,
    )
    log.info(
        "act_done action=%s target=%s outcome=%s key=%s request=%s",
        action,
        act.target or "-",
        outcome,
        notes.key.prefix,
        notes.request_id,
    )
    # Shielded: who goes away now must not go unrecorded. The call has its own time-out.
    with trio.CancelScope(shield=True):
        await services().writer.call(Insert(entry))
