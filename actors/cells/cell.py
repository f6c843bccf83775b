"""One cell as an actor: it watches over its process and casts what its clients say to their sessions."""

import logging
import random
from contextlib import suppress
from typing import Any, Protocol

import trio
from attrs import define, evolve, field

from actors.cluster.leash import Leash
from actors.whatsapp.client import Client, ClientLost, ClientNotice
from actors.whatsapp.control import Start, encode_until
from actors.whatsapp.decode import decode
from actors.whatsapp.errors import CellDied, CellError
from actors.whatsapp.frames import FrameType
from actors.whatsapp.process import CellProcess, Route
from runtime import Actor, Exit, MailboxFull, Ref

from .config import MB, CellConfig
from .stats import CellStats

__all__ = ["Cell", "CellCrashed"]

log = logging.getLogger("actors.cells")

RETIRED = "retired"
READY_TIMEOUT = 20.0  # seconds; it takes 0.1 on an idle machine
END_TIMEOUT = 1.0  # seconds for a process to end by itself
LAG = 0.5  # seconds by which this loop itself may be late before a missing pong says nothing about the cell
FULL_RETRY = 0.05  # seconds until a session whose mailbox refused a notice is offered it again
FAREWELL = 10.0  # seconds for a dead cell's sessions to take what it had sent
HANDOVER = 2.0  # seconds over which a retiring cell's sessions are spread


class CellCrashed(Exception):
    """A cell's process ended by itself, or was killed for not answering."""


class Pool(Protocol):
    """Who is told how many clients a cell has room for."""

    rng: random.Random
    stats: CellStats
    leash: Leash | None

    def joined(self, cell: "Cell") -> None: ...

    def left(self, cell: "Cell") -> None: ...

    def forget(self, client: Client) -> None: ...

    def lingers(self, session_id: str, cell: "Cell") -> None: ...

    def has_spares_beyond(self, cell: "Cell") -> bool: ...


@define(eq=False)
class _Attached:
    """One session's client in a cell."""

    client: Client
    ref: Ref
    route: Route
    pumping: trio.CancelScope = field(factory=trio.CancelScope)
    stopping: bool = False
    stopped: trio.Event = field(factory=trio.Event)


class Cell(Actor):
    """One cell. It takes no messages: the pool and the clients call it, and it casts to the sessions."""

    def __init__(self, cell_id: str, config: CellConfig, pool: Pool, *, shared: bool) -> None:
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
        self._lingering = False  # a client that did not stop when asked

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def memory(self) -> int:
        """The process's resident memory in bytes, 0 when it is gone."""
        return self._process.memory()

    @property
    def room(self) -> int:
        """How many more clients it takes."""
        if self.retiring is not None or self._process.reason is not None or self._process.stopping:
            return 0
        most = self._config.sessions_per_cell if self.shared else 1
        return max(0, min(most - len(self._clients), self._config.max_starts - self.starts))

    # --- the actor -----------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        self._process = CellProcess(self.id, self._config.launch)
        self.nursery.start_soon(self._live)
        with trio.move_on_after(READY_TIMEOUT):
            await self._process.ready.wait()
        if not self._process.ready.is_set() or self._process.reason is not None:
            raise CellCrashed(f"{self.id}: {self._process.reason or 'not ready in time'}")
        self._joined = True
        self._pool.stats.started += 1
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
                self._pool.stats.died += 1
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
                    await self._process.ask(FrameType.PING, payload=encode_until(self._until()))
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

    @property
    def bound(self) -> bool:
        """Whether a client may be running in it, so that it is not to outlive a lease."""
        return bool(self._clients) or self._lingering

    def _until(self) -> float | None:
        leash = self._pool.leash
        return leash.until if leash is not None and self.bound else None

    # --- clients -------------------------------------------------------------------------------------------

    def reserve(self, client: Client, ref: Ref) -> None:
        """Keep a place for a client until `start` or `stop_client`."""
        self._clients[client.number] = _Attached(client, ref, self._process.route(client.number))
        self.starts += 1
        self._pool.stats.clients += 1

    async def start(self, client: Client, request: Start) -> None:
        """Start a client whose place was reserved; its notices begin after this has returned.

        Raises CellErrors, and the place is free again then; so it is when this is cancelled.
        """
        try:
            whole = evolve(request, until=self._until())
            await self._process.ask(FrameType.START, client.number, whole.encode())
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
        if attached is None:
            return
        if not attached.stopping:
            attached.stopping = True
            self.nursery.start_soon(self._stop_client, attached)
        await attached.stopped.wait()

    async def _stop_client(self, attached: _Attached, told: str | None = None) -> None:
        """Stop it; with `told` its session hears of its loss for that reason, before it is forgotten here."""
        client = attached.client
        with trio.move_on_after(self._config.stop_timeout) as patience, suppress(CellDied):
            await self._process.ask(FrameType.STOP, client.number)
        if patience.cancelled_caught:
            log.warning("client_not_stopped cell=%s session=%s", self.id, client.session_id)
            self._lingering = True
            self._pool.lingers(client.session_id, self)
            self.retire("a client did not stop")
        attached.pumping.cancel(reason="the client was stopped")
        if told is not None:
            await self._cast(attached, self._loss(attached, told))
        self._forget(client.number)

    async def ended(self) -> None:
        """Wait until the process is gone."""
        await self._process.ended.wait()

    async def kill(self, reason: str) -> None:
        """End the process at once; it is gone when this returns."""
        self._process.kill(reason)
        await self.ended()

    def retire(self, reason: str) -> None:
        """Hand the sessions over, one by one, and end."""
        if self.retiring is None:
            self.retiring = reason
            self._pool.stats.retired += 1
            log.warning("cell_retired cell=%s reason=%s sessions=%s", self.id, reason, len(self._clients))
            for attached in tuple(self._clients.values()):
                self.nursery.start_soon(self._hand_over, attached)
            self._end_if_done()

    async def _hand_over(self, attached: _Attached) -> None:
        await trio.sleep(self._pool.rng.uniform(0, HANDOVER))
        if not attached.stopping:
            attached.stopping = True
            await self._stop_client(attached, told=RETIRED)

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
            attached.stopped.set()
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
