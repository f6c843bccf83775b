"""The event log as clients read it: where to go on from and pages of it."""

import re

from attrs import frozen

from actors.envelope import position_of
from actors.errors import SessionNotFound
from api.caller import Caller, Scope
from api.checks import is_session_id
from api.refusals import FieldError, ValidationFailed
from api.services import services
from storage.errors import EventsExpired
from storage.rows import Stretch

_SEQ = re.compile(r"[0-9]{1,15}")
_FOR_CONTROL = frozenset({"session.qr"})
"""A QR code links whichever phone sees it first."""


@frozen(kw_only=True)
class Selection:
    """Which events a client wants; None: all."""

    sessions: frozenset[str] | None
    events: frozenset[str] | None
    withheld: frozenset[str] = frozenset()
    """Of no session, whatever was asked for."""


async def position_after(after: str, sessions: frozenset[str] | None) -> int:
    """The position that a cursor, or a `seq` of a single session, stands for.

    A `seq` of 0 is the beginning of what is kept. Raises ValidationFailed, and EventsExpired where what comes
    next is no longer kept.
    """
    reads = services().reads
    start = await reads.log_start()
    if _SEQ.fullmatch(after) is None:
        try:
            position = position_of(after)
        except ValueError:
            raise ValidationFailed(
                (FieldError("after", "expected a cursor, or a seq of one session"),)
            ) from None
        if position < start:
            raise EventsExpired(start)
        return position
    seq = int(after)
    if seq == 0:
        return start
    if sessions is None or len(sessions) != 1:
        raise ValidationFailed((FieldError("after", "a seq needs exactly one session; use a cursor"),))
    (session_id,) = sessions
    found = await reads.session_events_after(session_id, seq - 1, limit=1)
    if found and found[0].seq == seq:
        return found[0].position
    session = await reads.session(session_id)
    if session is None or seq > session.seq:
        raise ValidationFailed((FieldError("after", "lies beyond the end of the session's log"),))
    if seq < (found[0].seq - 1 if found else session.seq):
        raise EventsExpired(start)
    return start


async def page_after(position: int, selection: Selection, limit: int) -> Stretch:
    """The next events past a position, in order; fewer than `limit` when there are no more for now.

    Raises EventsExpired when some that came before them are no longer kept.
    """
    return await services().reads.events_after(
        position,
        sessions=selection.sessions,
        events=selection.events,
        without=selection.withheld,
        limit=limit,
    )


def chosen(
    caller: Caller,
    own: frozenset[str] | None,
    *,
    sessions: frozenset[str] | None,
    events: frozenset[str] | None,
) -> Selection:
    """What a caller may see of what it asks for; `own` are the sessions this is about, None: all.

    Raises SessionNotFound for what cannot be a session's id, or is none of these.
    """
    for name in sessions or ():
        if not is_session_id(name) or (own is not None and name not in own):
            raise SessionNotFound(session_id=name[:64])
    withheld = frozenset[str]() if Scope.CONTROL in caller.scopes else _FOR_CONTROL
    return Selection(sessions=own if sessions is None else sessions, events=events, withheld=withheld)
