"""Cells, each a child process under supervision, and the pool that gives sessions their clients in them.

    DynamicSupervisor "cells"
    ├─ cell-1             shared by up to `sessions_per_cell` paired sessions
    ├─ cell-2             the warm spare
    └─ pairing-SESSION    of its own for a session that pairs, gone when that moves to a shared one

A cell that dies takes its sessions' clients with it: each session gets ClientLost, after all that was
received, and attaches again. One that has outgrown its memory hands its sessions over and ends; one that has
started its share of clients takes no more and ends when the last has left.
"""

import logging
import random
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import define, field, frozen

from runtime import (
    Actor,
    AlreadyStarted,
    Backoff,
    ChildNotFound,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    MailboxFull,
    OnExhausted,
    Ref,
    Restart,
    SupervisionError,
)

from .whatsapp.client import Client, ClientLost, ClientNotice
from .whatsapp.control import Start
from .whatsapp.decode import decode
from .whatsapp.devices import device_in, device_props, store_name
from .whatsapp.errors import CellDied, CellError, DeviceMissing, StartRefused
from .whatsapp.frames import FrameType
from .whatsapp.process import CellProcess, Launch, Route

__all__ = ["Cell", "CellConfig", "CellCrashed", "CellPool"]

log = logging.getLogger(__name__)

RETIRED = "retired"
MB = 1024 * 1024
READY_TIMEOUT = 20.0  # seconds; it takes 0.1 on an idle machine
END_TIMEOUT = 1.0  # seconds for a process to end by itself
LAG = 0.5  # seconds by which this loop itself may be late before a missing pong says nothing about the cell
FULL_RETRY = 0.05  # seconds until a session whose mailbox refused a notice is offered it again
FAREWELL = 10.0  # seconds for a dead cell's sessions to take what it had sent
HANDOVER = 2.0  # seconds over which a retiring cell's sessions are spread


class CellCrashed(Exception):
    """A cell's process ended by itself, or was killed for not answering."""


def _forever() -> Backoff:
    # To give up, after no number of failures: never, and crashes do not count towards the tree's intensity.
    return Backoff(0.2, 30.0, on_exhausted=OnExhausted.GIVE_UP)


@frozen(kw_only=True)
class CellConfig:
    """Limits as in supervisor.toml, [cells], [whatsapp] and [supervision.cells]; durations in seconds."""

    sessions_per_cell: int = 32
    spare: int = 1
    memory_limit_mb: int = 512
    max_starts: int = 200
    ping_interval: float = 1.0
    ping_timeout: float = 1.0
    stop_timeout: float = 2.0
    window: int = 256
    """Records of a session on their way to it or not yet stored; less than its mailbox holds."""
    journal_bound_mb: int = 64
    proxy: str | None = field(default=None, repr=False)
    """For sessions that have none of their own."""
    ca_file: str | None = None
    root_key: str | None = None
    """In hexadecimal."""
    backoff: Backoff = field(factory=_forever)
    shutdown: float = 5.0

    @property
    def launch(self) -> Launch:
        return Launch(
            window=self.window,
            journal_bound=self.journal_bound_mb * MB,
            root_key=self.root_key,
            ca_file=self.ca_file,
        )


@define(eq=False)
class _Attached:
    """One session's client in a cell."""

    client: Client
    ref: Ref
    route: Route
    pumping: trio.CancelScope = field(factory=trio.CancelScope)
    stopping: bool = False


class Cell(Actor):
    """One cell. It takes no messages: the pool and the clients call it, and it casts to the sessions."""

    def __init__(self, cell_id: str, config: CellConfig, pool: "CellPool", *, shared: bool) -> None:
        self.id = cell_id
        self.shared = shared
        self.starts = 0
        self.retiring: str | None = None
        """Why its clients are being moved away; None while they are not."""
        self._config = config
        self._pool = pool
        self._clients: dict[int, _Attached] = {}
        self._process: CellProcess
        self._joined = False
        self._emptied = trio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def room(self) -> int:
        """How many more clients it takes."""
        if self.retiring is not None or self._process.reason is not None or self._process.stopping:
            return 0
        most = self._config.sessions_per_cell if self.shared else 1
        return max(0, min(most - len(self._clients), self._config.max_starts - self.starts))

    # --- the actor -----------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        self._process = CellProcess.spawn(self.id, self._config.launch)
        self.nursery.start_soon(self._live)
        with trio.move_on_after(READY_TIMEOUT):
            await self._process.ready.wait()
        if not self._process.ready.is_set() or self._process.reason is not None:
            raise CellCrashed(f"{self.id}: {self._process.reason or 'not ready in time'}")
        self._joined = True
        self._pool.joined(self)
        self.nursery.start_soon(self._watch)
        log.info("cell_started cell=%s pid=%s", self.id, self._process.pid)

    async def handle(self, message: Any) -> Any:
        raise NotImplementedError(f"a cell takes no {type(message).__name__}")

    async def on_stop(self, exit: Exit) -> None:  # noqa: A002 - the runtime's
        self._pool.left(self)
        if exit.kind != "error":
            self._process.close()
            with trio.move_on_after(END_TIMEOUT):
                await self._process.ended.wait()
            self._process.kill("it did not end when asked")
            await self._process.ended.wait()
            await self._farewell()

    async def _live(self) -> None:
        """Serve the process to its end; a death that nobody asked for is this actor's crash."""
        try:
            await self._process.run()
            unasked = self._joined and not self._process.stopping
            reason = self._process.reason
            if unasked:
                self._pool.left(self)
                log.error("cell_died cell=%s reason=%s sessions=%s", self.id, reason, len(self._clients))
            await self._farewell()
            if unasked:
                raise CellCrashed(f"{self.id}: {reason}")
        finally:
            self._pool.left(self)
            # This actor was killed, or its sessions would not take their notices: at least they shall know.
            for attached in tuple(self._clients.values()):
                attached.ref.put_from_thread(self._loss(attached))
                self._forget(attached.client.number)

    async def _farewell(self) -> None:
        """Wait until the sessions have taken what the process had sent."""
        if self._clients:
            with trio.move_on_after(FAREWELL):
                await self._emptied.wait()

    async def _watch(self) -> None:
        """Ask for a sign of life and look at the memory, at intervals."""
        config = self._config
        while self._process.reason is None:
            await trio.sleep(config.ping_interval)
            asked = trio.current_time()
            with trio.move_on_after(config.ping_timeout) as patience:
                try:
                    await self._process.ask(FrameType.PING)
                except CellDied:
                    return
            if patience.cancelled_caught:
                late = trio.current_time() - asked > config.ping_timeout + LAG
                await trio.lowlevel.checkpoint()  # an answer may have come in the same turn of the loop
                if self._process.heard < asked and not late:
                    self._process.kill(f"no answer to a ping within {config.ping_timeout:g} s")
                    return
            memory = self._process.memory() // MB
            if memory > 2 * config.memory_limit_mb:
                self._process.kill(f"it took {memory} MB, twice its limit")
            elif memory > config.memory_limit_mb:
                self.retire(f"it took {memory} MB")

    # --- clients -------------------------------------------------------------------------------------------

    def reserve(self, client: Client, ref: Ref) -> None:
        """Keep a place for a client until `start` or `stop_client`."""
        self._clients[client.number] = _Attached(client, ref, self._process.route(client.number))
        self.starts += 1

    async def start(self, client: Client, request: Start) -> None:
        """Start a client whose place was reserved; its notices begin after this has returned.

        Raises CellErrors, and the place is free again then; so it is when this is cancelled.
        """
        try:
            await self._process.ask(FrameType.START, client.number, request.encode())
        except CellError:
            self._forget(client.number)
            raise
        except trio.Cancelled:
            self.nursery.start_soon(self.stop_client, client.number)
            raise
        self.nursery.start_soon(self._pump, self._clients[client.number])

    async def call(self, client: int, payload: bytes) -> bytes:
        """The raw answer to an encoded call. Raises CellErrors."""
        return await self._process.call(client, payload)

    def acknowledge(self, client: int, seq: int) -> None:
        self._process.acknowledge(client, seq)

    async def stop_client(self, client: int) -> None:
        """Stop a client cleanly, or leave it to the end of this cell when that takes too long."""
        attached = self._clients.get(client)
        if attached is None or attached.stopping:
            return
        attached.stopping = True
        try:
            with trio.move_on_after(self._config.stop_timeout) as patience:
                await self._process.ask(FrameType.STOP, client)
            if patience.cancelled_caught:
                log.warning("client_not_stopped cell=%s session=%s", self.id, attached.client.session_id)
                self.retire("a client did not stop")
        except CellDied:
            pass  # which stopped it as well
        finally:
            attached.pumping.cancel(reason="the client was stopped")
            self._forget(client)

    def retire(self, reason: str) -> None:
        """Hand the sessions over, one by one, and end."""
        if self.retiring is None:
            self.retiring = reason
            log.warning("cell_retired cell=%s reason=%s sessions=%s", self.id, reason, len(self._clients))
            for attached in tuple(self._clients.values()):
                self.nursery.start_soon(self._hand_over, attached)
            self._end_if_done()

    async def _hand_over(self, attached: _Attached) -> None:
        await trio.sleep(self._pool.rng.uniform(0, HANDOVER))
        if not attached.stopping:
            await self.stop_client(attached.client.number)
            await self._cast(attached, self._loss(attached, RETIRED))

    async def _pump(self, attached: _Attached) -> None:
        """Cast a client's records to its session, as fast as that takes them, and in the end its loss."""
        client = attached.client
        with attached.pumping:
            async for frame in attached.route.take:
                event = decode(frame.kind, frame.payload)
                await self._cast(attached, ClientNotice(client, frame.number, frame.at / 1e6, event))
            # The process ended. When its stop was under way, that is what was wanted.
            if not attached.stopping:
                await self._cast(attached, self._loss(attached))
                self._forget(client.number)

    def _loss(self, attached: _Attached, reason: str | None = None) -> ClientLost:
        client = attached.client
        return ClientLost(client.session_id, client, reason or self._process.reason or "killed")

    async def _cast(self, attached: _Attached, message: ClientNotice | ClientLost) -> None:
        while True:
            try:
                return await attached.ref.cast(message)
            except MailboxFull:
                await trio.sleep(FULL_RETRY)

    def _forget(self, client: int) -> None:
        attached = self._clients.pop(client, None)
        if attached is not None:
            self._process.unroute(client)
            self._pool.forget(attached.client)
            self._end_if_done()

    def _end_if_done(self) -> None:
        """End when empty and of no more use; a spare is kept."""
        if self._clients:
            return
        if self._process.reason is not None:
            self._emptied.set()
        elif not self.shared or self.room == 0 or self._pool.has_spares_beyond(self):
            self._pool.left(self)  # now, so that it is given no client any more
            self.stop(Exit.normal)


class CellPool:
    """Gives each session a client in a cell, and starts cells as they are needed.

    `supervisor` must be running when it is used. Everything runs in the loop's own thread, the main one.
    """

    def __init__(
        self, config: CellConfig, supervisor: DynamicSupervisor, *, rng: random.Random | None = None
    ) -> None:
        self.rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._config = config
        self._supervisor = supervisor
        self._cells: dict[str, Cell] = {}
        self._sessions: dict[str, Client] = {}
        self._placing = trio.Lock()
        self._cell_number = 0
        self._client_number = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Those that run."""
        return tuple(self._cells.values())

    async def warm(self) -> None:
        """Start as many spare cells as there should be. Raises StartRefused."""
        async with self._placing:
            while self._spares() < self._config.spare:
                await self._start_shared()

    async def attach(
        self,
        session_id: str,
        ref: Ref,
        *,
        device_store: Path,
        jid: str | None,
        after: int,
        journal_dir: Path,
        device_name: str,
        proxy: str | None = None,
    ) -> Client:
        """Start the session's client: the device in the store, or with `jid` None a new one, to be paired.

        `ref` gets a ClientNotice for every record beyond `after`, those left by earlier clients first, and
        ClientLost if the client goes without being stopped. A client the session still has is stopped first.
        Takes up to a second; cancelled, it leaves no client behind. Raises DeviceMissing, SessionBusy,
        StartRefused, CellDied.
        """
        if (last := self._sessions.get(session_id)) is not None:
            await last.stop()
        if jid is not None and await trio.to_thread.run_sync(device_in, device_store) is None:
            raise DeviceMissing(f"the keys of {jid} are not in the device store any more")
        device_store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        request = Start(
            session=session_id,
            store=store_name(device_store),
            journal=str(journal_dir),
            after=after,
            device_props=device_props(device_name),
            proxy=proxy or self._config.proxy,
            paired=jid is not None,
        )
        cell, client = await (self._own_cell if jid is None else self._shared_cell)(session_id, ref)
        await cell.start(client, request)
        if cell.shared and self._spares() < self._config.spare:
            cell.nursery.start_soon(self._refill)
        return client

    def acknowledge(self, session_id: str, seq: int) -> None:
        """A session's records up to `seq` are stored; its journal may forget them. Never blocks."""
        if (client := self._sessions.get(session_id)) is not None:
            client.acknowledge(seq)

    # --- for cells -----------------------------------------------------------------------------------------

    def joined(self, cell: Cell) -> None:
        self._cells[cell.id] = cell

    def left(self, cell: Cell) -> None:
        if self._cells.get(cell.id) is cell:
            del self._cells[cell.id]

    def forget(self, client: Client) -> None:
        if self._sessions.get(client.session_id) is client:
            del self._sessions[client.session_id]

    def has_spares_beyond(self, cell: Cell) -> bool:
        """Whether there are spare cells enough without this one."""
        return self._spares(besides=cell) >= self._config.spare

    # --- placing -------------------------------------------------------------------------------------------

    def _spares(self, besides: Cell | None = None) -> int:
        return sum(
            cell.shared and cell.clients == 0 and cell.room > 0 and cell is not besides for cell in self.cells
        )

    async def _shared_cell(self, session_id: str, ref: Ref) -> tuple[Cell, Client]:
        """A place in the fullest cell that has room; one at a time, or each of many would start a cell."""
        async with self._placing:
            with_room = [cell for cell in self.cells if cell.shared and cell.room > 0]
            cell = max(with_room, key=lambda each: each.clients, default=None)
            return self._reserve(cell or await self._start_shared(), session_id, ref)

    async def _own_cell(self, session_id: str, ref: Ref) -> tuple[Cell, Client]:
        cell_id = f"pairing-{session_id}"
        spec = self._spec(cell_id, shared=False)
        try:
            cell = await self._start(spec)
        except AlreadyStarted:
            # The last one is on its way out.
            try:
                await self._supervisor.terminate_child(cell_id)
            except ChildNotFound:
                log.debug("cell_gone_meanwhile cell=%s", cell_id)
            cell = await self._start(spec)
        return self._reserve(cell, session_id, ref)

    def _reserve(self, cell: Cell, session_id: str, ref: Ref) -> tuple[Cell, Client]:
        self._client_number += 1
        client = self._sessions[session_id] = Client(session_id, self._client_number, cell)
        cell.reserve(client, ref)
        return cell, client

    async def _start_shared(self) -> Cell:
        self._cell_number += 1
        return await self._start(self._spec(f"cell-{self._cell_number}", shared=True))

    def _spec(self, cell_id: str, *, shared: bool) -> ChildSpec:
        return ChildSpec(
            cell_id,
            partial(Cell, cell_id, self._config, self, shared=shared),
            restart=Restart.TRANSIENT if shared else Restart.TEMPORARY,
            backoff=self._config.backoff if shared else None,
            shutdown=self._config.shutdown,
        )

    async def _start(self, spec: ChildSpec) -> Cell:
        try:
            await self._supervisor.start_child(spec)
        except AlreadyStarted:
            raise
        except SupervisionError as error:
            raise StartRefused(f"no cell could be started: {error.__cause__ or error}") from error
        cell = self._cells.get(spec.id)
        if cell is None:
            raise StartRefused(f"{spec.id} ended as soon as it was started")
        return cell

    async def _refill(self) -> None:
        try:
            await self.warm()
        except StartRefused as error:
            log.warning("no_spare_cell error=%s", error)
