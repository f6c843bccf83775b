"""One node among those that share the database: it holds its lease, and what it has is what the tables say.

    heartbeat   renew the lease; not renewed in time, everything stops before another node can have it
    look        forget nodes whose lease is over, take free sessions, run what the table says, give some away

It never decides by what it remembers: each look compares what runs here with what the table says is here.
"""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio
from attrs import define, field

from actors.cluster.leash import Leash
from actors.cluster.leftovers import hand_in
from actors.cluster.placement import Member, plan, spread
from actors.cluster.reconciliation import reconcile
from actors.cluster.tenure import Tenure
from actors.directory import Sessions
from actors.errors import SessionError
from actors.session.messages import TakeLeftovers
from runtime import MailboxFull
from storage.errors import StorageError
from storage.nodes import WAKE, Holding, Load, Node, Nodes, Owner
from storage.notices import listen

__all__ = ["DUTIES", "Cluster", "Duty"]

log = logging.getLogger("cluster")

DUTIES = ("webhooks", "sinks", "retention")
"""What one node at a time does for all."""
_PACE = 1.0
"""Seconds between two steps of taking or giving, a little more or less."""
_TELLING = 1.0
"""Seconds to tell a session of what was handed in for it."""
_AT_ONCE = 8
"""Sessions on their way to other nodes at once."""


@define(eq=False)
class Duty:
    """What is started when this node gets a duty, and stopped when it loses it."""

    begin: Callable[[int], Awaitable[None]]
    """Given the epoch."""
    end: Callable[[], Awaitable[None]]
    epoch: int | None = None
    """None while this node does not have it."""


@define(eq=False, kw_only=True)
class Cluster:
    """The node that we are. `run` goes into the tree after the API; the rest may be called by anyone."""

    nodes: Nodes
    dsn: str = field(repr=False)
    sessions: Sessions
    duties: dict[str, Duty]
    leash: Leash
    name: str
    url: Callable[[], str]
    process: str
    """As the connections of this one are called."""
    version: str
    lease: float
    """Seconds."""
    file: Path
    """Where this data directory's node leaves its id: who starts on it again is its successor."""
    load: Callable[[], Load]
    kill: Callable[[str], Awaitable[None]]
    """End all clients at once, for this reason; none is left when it returns."""
    rng: random.Random = field(factory=random.Random)
    drained: trio.Event = field(init=False, factory=trio.Event)
    """Set once all is handed over."""
    _id: str | None = field(init=False, default=None)
    unowned: int = field(init=False, default=0)
    """Sessions that no node had when this one looked last."""
    _given: dict[str, int] = field(init=False, factory=dict)
    """The epochs from which sessions were perhaps given away: never started again, as `reconcile` says."""
    _wake: trio.Event = field(init=False, factory=trio.Event)
    _draining: bool = field(init=False, default=False)

    @property
    def node_id(self) -> str | None:
        """Under which it is registered; None while it is not."""
        return self._id

    @property
    def unready(self) -> str | None:
        """Why this node is no place for requests."""
        if self._draining:
            return "draining"
        return None if self.leash.may_start() else "no lease"

    def owns(self, session_id: str) -> bool:
        """Whether the session's actor runs here, under a lease that is good."""
        return session_id in self.sessions.epochs and self.leash.may_start()

    async def owner(self, session_id: str) -> Owner | None:
        """Who has a session, as the table says. Raises DatabaseUnavailable."""
        return await self.nodes.owner(session_id)

    async def holder(self, duty: str) -> Owner | None:
        """Who does a duty, as the table says. Raises DatabaseUnavailable."""
        return await self.nodes.holder(duty)

    async def listing(self) -> list[Node]:
        """All nodes. Raises DatabaseUnavailable."""
        return await self.nodes.nodes()

    async def ask_to_drain(self, node_id: str) -> bool:
        """Ask any node to hand all over and end; False: there is no such node. Raises DatabaseUnavailable."""
        return await self.nodes.drain(node_id)

    def drain(self) -> None:
        """Hand all over from now on; `drained` says when that is done."""
        if not self._draining:
            log.info("draining node=%s sessions=%s", self._id, len(self.sessions.epochs))
        self._draining = True
        self._wake.set()

    async def leave(self) -> None:
        """Give up the lease: to be called when nothing runs any more."""
        if self._id is None:
            return
        try:
            await self.nodes.leave(self._id)
            self.file.unlink(missing_ok=True)
        except StorageError as error:
            log.warning("lease_left_to_run_out node=%s error=%s", self._id, error)

    # --- the lease -----------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold the lease until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(partial(listen, self.dsn, (WAKE,), self._heard, f"cluster {self.name}"))
            nursery.start_soon(self._guard)
            nursery.start_soon(self._keep_looking)
            while True:
                await trio.sleep(await self._heartbeat() * self.rng.uniform(0.8, 1))

    def _heard(self, channel: str, payload: str) -> None:  # noqa: ARG002 - it listens to one
        if payload in {"", self._id}:
            self._wake.set()

    async def _heartbeat(self) -> float:
        """Renew the lease, or get one; the seconds until the next time."""
        sent_at = time.monotonic()
        try:
            with trio.fail_after(self.lease / 6):
                held = await self._held()
        except (StorageError, trio.TooSlowError) as error:
            log.warning("no_heartbeat node=%s error=%s", self._id, type(error).__name__)
            return self.lease / 15
        if not held:
            await self._lose()
            return 0
        self.leash.tenure = Tenure(sent_at, self.lease)
        return self.lease / 3

    async def _held(self) -> bool:
        if self._id is None:
            await self._register()
            return True
        return await self.nodes.renew(self._id, self.lease, self.load())

    async def _register(self) -> None:
        self._id = await self.nodes.register(
            name=self.name,
            url=self.url(),
            process=self.process,
            version=self.version,
            lease=self.lease,
            predecessor=self._predecessor(),
        )
        self.file.write_text(self._id)
        self._wake.set()
        log.info("node_registered node=%s name=%s", self._id, self.name)

    def _predecessor(self) -> str | None:
        """Who ran on this data directory before, and runs no more: we have its lock."""
        try:
            return self.file.read_text().strip() or None
        except FileNotFoundError:
            return None

    async def _lose(self) -> None:
        """It was too late: another node may have all that was ours. None of it is left when this returns."""
        log.error("lease_lost node=%s sessions=%s", self._id, len(self.sessions.epochs))
        self.leash.tenure = None
        await self.kill("the lease is lost")
        await self._stop_all()
        self._id = None
        self._given.clear()

    async def _guard(self) -> None:
        """Stop everything in time when the lease is not renewed."""
        while True:
            tenure = self.leash.tenure
            now = time.monotonic()
            if tenure is None or now < tenure.stop_at:
                await trio.sleep(self.lease / 30 if tenure is None else tenure.stop_at - now)
                continue
            if self.leash.tenure is tenure:
                log.error("lease_not_renewed node=%s sessions=%s", self._id, len(self.sessions.epochs))
                with trio.move_on_after(max(0, tenure.deadline - now)):
                    await self._stop_all()
                await self.kill("the lease was not renewed")
            while self.leash.tenure is tenure:
                await trio.sleep(self.lease / 30)

    async def _stop_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for session_id in tuple(self.sessions.epochs):
                nursery.start_soon(self.sessions.let_go, session_id)
            for duty in self.duties.values():
                nursery.start_soon(_end, duty)

    # --- what is here --------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            self._wake = trio.Event()
            pause = self.lease / 3
            if self._id is not None and self.leash.may_start():
                try:
                    pause = await self._look(self._id)
                except (StorageError, OSError) as error:
                    log.warning("not_looked node=%s error=%s", self._id, error)
            elif self._draining and not self.sessions.epochs:
                self.drained.set()
            with trio.move_on_after(pause * self.rng.uniform(0.8, 1)):
                await self._wake.wait()

    async def _look(self, me: str) -> float:
        """Make true what the table says, and plan; the seconds until the next look."""
        await self.nodes.reap()
        before = set(self.sessions.epochs)
        holding = await self.nodes.holding(me)
        asked = any(node.id == me and node.draining for node in holding.nodes)
        if asked:
            self.drain()
        elif self._draining:
            await self.nodes.drain(me)  # so that nobody gives us anything
        self.unowned = holding.free
        members = [_member(node) for node in holding.nodes]
        if self._draining:
            await self._reconcile(me, before, holding.sessions)
            await self._hand_all_over(me, members)
            return _PACE
        planned = plan(me, members, holding.free)
        if planned.take:
            holding.sessions.update(await self.nodes.claim(me, planned.take))
        await self._reconcile(me, before, holding.sessions)
        await self._reconcile_duties(me, holding)
        await self._bring_leftovers(holding)
        for move in planned.moves:
            mine = sorted(self.sessions.epochs)
            chosen = self.rng.sample(mine, min(move.count, len(mine)))
            await self._hand_over(me, [(session_id, move.to) for session_id in chosen])
        return _PACE if planned.take or planned.moves else self.lease / 3

    async def _reconcile(self, me: str, before: set[str], mine: dict[str, int]) -> None:
        """Have an actor for each session of ours, under its epoch, and for none else.

        What began after `before` was looked at may be newer than the table as it was read.
        """
        running = self.sessions.epochs
        found = reconcile(mine, running, self._given)
        for session_id in found.stop & before:
            log.warning("session_elsewhere session=%s", session_id)
            await self.sessions.let_go(session_id)
            self._wake.set()  # it may be ours again, under another epoch
        for session_id, epoch in found.retake.items():
            await self.nodes.hand_over(session_id, node_id=me, epoch=epoch, to=me)
        for session_id, epoch in found.start.items():
            if session_id not in running and self._id == me and self.leash.may_start():
                await self.sessions.take(session_id, epoch)

    async def _bring_leftovers(self, holding: Holding) -> None:
        """Hand in what sessions left here that are elsewhere now; have ours take what others handed in."""
        await hand_in(self.nodes, self.sessions.config.journals, self.sessions.epochs)
        for session_id in holding.leftovers & self.sessions.epochs.keys():
            # One that is ending, or has too much to do, is told by a later look.
            with suppress(SessionError, MailboxFull), trio.move_on_after(_TELLING):
                await self.sessions.ref(session_id).cast(TakeLeftovers())

    async def _reconcile_duties(self, me: str, holding: Holding) -> None:
        held = dict(holding.duties)
        if missing := self.duties.keys() - held.keys():
            held |= await self.nodes.claim_duties(me, missing)
        for name, duty in self.duties.items():
            if duty.epoch is not None and duty.epoch != held.get(name):
                await _end(duty)
            if duty.epoch is None and name in held and self._id == me and self.leash.may_start():
                duty.epoch = held[name]
                log.info("duty_begun duty=%s", name)
                await duty.begin(duty.epoch)

    # --- to other nodes ------------------------------------------------------------------------------------

    async def _hand_all_over(self, me: str, members: Sequence[Member]) -> None:
        sessions = sorted(self.sessions.epochs)
        places = spread(len(sessions), me, members)
        await self._hand_over(me, list(zip(sessions, places, strict=False)))
        for name, duty in self.duties.items():
            if (epoch := duty.epoch) is not None:
                await _end(duty)
                await self.nodes.release_duty(name, node_id=me, epoch=epoch)
        await hand_in(self.nodes, self.sessions.config.journals, self.sessions.epochs)
        if not self.sessions.epochs or not places:
            self.drained.set()

    async def _hand_over(self, me: str, moves: Sequence[tuple[str, str]]) -> None:
        """Each stops here, then starts there; a few at once."""
        limit = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for session_id, to in moves:
                nursery.start_soon(self._hand_one_over, me, session_id, to, limit)

    async def _hand_one_over(self, me: str, session_id: str, to: str, limit: trio.CapacityLimiter) -> None:
        async with limit:
            epoch = self.sessions.epochs.get(session_id)
            if epoch is None or self._id != me or not self.leash.may_start():
                return
            await self.sessions.let_go(session_id, moving=True)
            self._given[session_id] = epoch
            try:
                given = await self.nodes.hand_over(session_id, node_id=me, epoch=epoch, to=to)
            except StorageError as error:  # whether it was, the next look sees
                log.warning("session_perhaps_handed_over session=%s error=%s", session_id, error)
            else:
                log.info("session_handed_over session=%s to=%s given=%s", session_id, to, given)


async def _end(duty: Duty) -> None:
    if duty.epoch is not None:
        duty.epoch = None
        await duty.end()


def _member(node: Node) -> Member:
    return Member(
        id=node.id,
        sessions=node.sessions,
        memory=node.load.get("memory", 0),
        memory_total=node.load.get("memoryTotal", 0),
        draining=node.draining,
    )
