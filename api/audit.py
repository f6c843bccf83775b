"""The audit record: what was done to the gateway, with which key or by whom, from where, how it came out."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define

from api.access import caller, client_address
from api.caller import Caller, CallerKind
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

    Its caller must have been admitted. Raises what the block raises; after one that went well also what the
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
    who, request_id = caller(), trace().request_id
    entry = AuditEntry(
        id=new_id("aud"),
        **_named(who),
        address=client_address(),
        request_id=request_id,
        action=action,
        target=act.target and act.target[:200],
        outcome=outcome,
        detail=act.detail,
    )
    log.info(
        "act_done action=%s target=%s outcome=%s %s=%s request=%s",
        action,
        act.target or "-",
        outcome,
        who.kind,
        who.label,
        request_id,
    )
    # Shielded: who goes away now must not go unrecorded. The call has its own time-out.
    with trio.CancelScope(shield=True):
        await services().writer.call(Insert(entry))


def _named(who: Caller) -> dict[str, Any]:
    """The columns that say who it was."""
    match who.kind:
        case CallerKind.KEY:
            return {"key_id": who.id, "key_prefix": who.label}
        case CallerKind.USER:
            return {"user_id": who.id, "user_name": who.label}
