"""All sessions by id: made, found, changed and deleted; each is an actor under the `sessions` supervisor."""

import logging
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio
from attrs import define, field, frozen

from actors.apikeys import mint
from actors.errors import SessionError, SessionExists, SessionNotFound, SessionRestarting
from actors.session.messages import Leave, Reload
from actors.session.settings import SessionConfig
from actors.session.stats import AllSessionStats
from runtime import (
    AlreadyStarted,
    ChildNotFound,
    DynamicSupervisor,
    NotRunning,
    Ref,
    StartFailed,
    State,
    SupervisionError,
)
from storage.errors import StorageError, WriteRefused
from storage.fencing import Fence, FencedWriter
from storage.ids import new_id
from storage.reads import Reads
from storage.rows import Desired, Json, Session
from storage.writes import Delete, Insert, NewEvent, Update

log = logging.getLogger("session")

RETRY_AFTER = 2.0
"""Seconds until a session that is on its way to another node may be there."""
_LEAVING = 10.0
"""Seconds to end a client and store what it had received."""
LOADING = 8  # sessions that read their rows at once, when all are loaded

SESSION_SCOPES = ("read", "send", "control", "settings", "media", "delete")


@frozen(kw_only=True)
class NewSession:
    """What a session is made from; `settings` as `storage.rows.Session` has them."""

    id: str | None = None
    name: str
    settings: Json = field(factory=dict, repr=False)
    metadata: Json = field(factory=dict, repr=False)
    start: bool = True


@define(eq=False)
class Sessions:
    """The directory. Rows are the truth; the actors follow them."""

    supervisor: DynamicSupervisor
    writer: Ref
    reads: Reads
    config: SessionConfig
    stats: AllSessionStats = field(factory=AllSessionStats)
    node: Callable[[], str | None] | None = None
    """Under which this node is registered, where there are many: then only some of the sessions run here."""
    end: Callable[[str], Awaitable[None]] | None = None
    """Ends a session's client, whatever became of its actor."""
    epochs: dict[str, int] = field(init=False, factory=dict)
    """Of those that run here, where there are many nodes."""

    async def load(self) -> None:
        """Start an actor for every stored session, some at once; one that cannot start hinders no other."""
        limit = trio.CapacityLimiter(LOADING)

        async def start(session_id: str) -> None:
            async with limit:
                await self._start(session_id)

        cursor: str | None = None
        while True:
            page = await self.reads.sessions(cursor=cursor, limit=500)
            async with trio.open_nursery() as nursery:
                for row in page.items:
                    nursery.start_soon(start, row.id)
            if page.cursor is None:
                return
            cursor = page.cursor

    async def take(self, session_id: str, epoch: int) -> None:
        """Start the actor of a session that has come to this node; its writes count for this epoch alone.

        If it cannot start, or is ending yet, it is not among `epochs`.
        """
        if self.epochs.get(session_id) == epoch:
            return
        if await self._start(session_id, epoch=epoch, writer=self._fenced(session_id, epoch)):
            self.epochs[session_id] = epoch

    async def let_go(self, session_id: str, *, moving: bool = False) -> None:
        """Stop the actor of a session that is no longer this node's.

        With `moving` its client is certain to be gone when this returns. What it had received and nobody
        could store by then is in its journal.
        """
        if moving:
            try:
                await self.supervisor.ref(session_id).call(Leave(), timeout=_LEAVING)
            except (SupervisionError, SessionError, StorageError) as error:
                log.warning("session_left_late session=%s error=%s", session_id, type(error).__name__)
        self.epochs.pop(session_id, None)  # first: the actor's end goes on if this is cancelled
        with suppress(ChildNotFound, NotRunning):
            await self.supervisor.terminate_child(session_id)
        if moving and self.end is not None:
            await self.end(session_id)

    def writer_for(self, session_id: str) -> Ref:
        """For writes that count only while the session is this node's. Raises SessionRestarting."""
        if self.node is None:
            return self.writer
        epoch = self.epochs.get(session_id)
        if epoch is None:
            raise SessionRestarting(session_id=session_id, retry_after=RETRY_AFTER)
        return self._fenced(session_id, epoch)

    def _fenced(self, session_id: str, epoch: int) -> Ref:
        return FencedWriter(self.writer, Fence("sessions", session_id, epoch))

    async def create(self, new: NewSession) -> tuple[Session, str]:
        """A new session's row, and its API key, which is shown only now. Raises SessionExists."""
        node = None if self.node is None else self.node()
        row = Session(
            id=new.id or new_id("ses"),
            name=new.name,
            desired=Desired.RUNNING if new.start else Desired.STOPPED,
            settings=new.settings,
            metadata=new.metadata,
            node=node,
            epoch=0 if node is None else 1,
        )
        key = mint(name=new.name, session_id=row.id, scopes=SESSION_SCOPES)
        announced = NewEvent("session.status", {"status": row.status, "previous": None, "reason": None})
        try:
            await self.writer.call(Insert(row, (announced,)))
        except WriteRefused as error:
            if error.reason == "duplicate":
                raise SessionExists(session_id=row.id) from error
            if error.constraint == "sessions_node_fkey":  # this node has just lost its lease
                raise SessionRestarting(session_id=row.id, retry_after=RETRY_AFTER) from error
            raise
        await self.writer.call(Insert(key.row))
        if self.node is None:
            await self._start(row.id)
        elif node is not None:
            await self.take(row.id, row.epoch)
        return row, key.plain

    async def update(self, session_id: str, changes: dict[str, Any]) -> Session:
        """Change name, settings or metadata; each is replaced whole. Raises SessionNotFound."""
        written = await self.writer.call(Update(Session, session_id, changes))
        if not written.applied:
            raise SessionNotFound(session_id=session_id)
        await self.ref(session_id).cast(Reload())
        row: Session = written.row
        return row

    async def delete(self, session_id: str) -> None:
        """Stop the session and remove all of it here; its device stays linked on the phone until a logout.

        Raises SessionNotFound, DatabaseUnavailable.
        """
        row = await self.reads.session(session_id)
        self.epochs.pop(session_id, None)
        try:
            await self.supervisor.terminate_child(session_id)
        except ChildNotFound:
            if row is None:
                raise SessionNotFound(session_id=session_id) from None
        # Before the row, which names the device: whoever is refused can try again.
        await self.config.devices.forget(session_id, None if row is None else row.jid)
        await self.writer.call(Delete(Session, session_id))
        self.stats.forget(session_id)
        shutil.rmtree(self.config.journal(session_id), ignore_errors=True)

    def ref(self, session_id: str) -> Ref:
        """The session's actor. Raises SessionNotFound; with other nodes about, SessionRestarting."""
        try:
            return self.supervisor.ref(session_id)
        except ChildNotFound:
            raise self._not_here(session_id) from None

    async def revive(self, session_id: str) -> bool:
        """Start the session's actor if it does not run: given up, stopped by hand, or never come up.

        Gives whether it had to. Raises SessionNotFound, StartFailed.
        """
        try:
            if self.supervisor.which_child(session_id).state not in {State.FAILED, State.STOPPED}:
                return False
            await self.supervisor.restart_child(session_id)
        except ChildNotFound:
            if self.node is not None or await self.reads.session(session_id) is None:
                raise self._not_here(session_id) from None
            await self.supervisor.start_child(session_id, session_id)
        return True

    def _not_here(self, session_id: str) -> SessionError:
        if self.node is None:
            return SessionNotFound(session_id=session_id)
        return SessionRestarting(session_id=session_id, retry_after=RETRY_AFTER)

    async def _start(self, session_id: str, **more: Any) -> bool:
        try:
            await self.supervisor.start_child(session_id, session_id, **more)
        except AlreadyStarted:  # made here, and found in the table, at the same time; or not ended yet
            return False
        except StartFailed as error:
            log.error("session_not_started session=%s error=%s", session_id, type(error.__cause__).__name__)  # noqa: TRY400
            return False
        return True
