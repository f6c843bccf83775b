"""The pool: it gives each session a client in a cell, and starts cells as they are needed."""

import logging
import random
from functools import partial
from pathlib import Path

import trio

from actors.cluster.leash import Leash
from actors.keys import DeviceStore
from actors.whatsapp.client import Client
from actors.whatsapp.control import Start
from actors.whatsapp.devices import device_props
from actors.whatsapp.errors import StartRefused
from actors.whatsapp.jid import to_proto
from runtime import (
    AlreadyStarted,
    ChildNotFound,
    ChildSpec,
    DynamicSupervisor,
    Ref,
    Restart,
    SupervisionError,
)

from .cell import Cell
from .config import CellConfig
from .stats import CellStats

__all__ = ["CellPool"]

log = logging.getLogger("actors.cells")


class CellPool:
    """The cells under a supervisor, and which session has its client in which.

    `supervisor` must be running when it is used. Everything runs in the loop's own thread, the main one.
    """

    def __init__(
        self,
        config: CellConfig,
        supervisor: DynamicSupervisor,
        *,
        rng: random.Random | None = None,
        stats: CellStats | None = None,
        leash: Leash | None = None,
    ) -> None:
        """With a `leash` no client outlives the lease of this node."""
        self.rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self.stats = stats or CellStats()
        self.leash = leash
        self._config = config
        self._supervisor = supervisor
        self._cells: dict[str, Cell] = {}
        self._sessions: dict[str, Client] = {}
        self._lingering: dict[str, Cell] = {}  # by session, whose client did not stop when asked
        self._stored: dict[str, int] = {}  # by session, up to which record all are stored
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
        device_store: DeviceStore,
        jid: str | None,
        after: int,
        seen: int,
        journal_dir: Path,
        device_name: str,
        full_history: bool = False,
        proxy: str | None = None,
    ) -> Client:
        """Start the session's client: the device in the store, or with `jid` None a new one, to be paired.

        `after` is a record up to which all are stored, `seen` the last that was taken over. `ref` gets a
        ClientNotice for every record that is not known to be stored, those left by earlier clients first, and
        ClientLost if the client goes without being stopped. A client the session still has is stopped first.
        Takes up to a second; cancelled, it leaves no client behind. Raises DeviceMissing, SessionBusy,
        StartRefused, CellDied.
        """
        if (last := self._sessions.get(session_id)) is not None:
            await last.stop()
        if self.leash is not None and not self.leash.may_start():
            raise StartRefused("this node's lease is over")
        place = await device_store.place(session_id, jid)
        request = Start(
            session=session_id,
            store=place.name,
            journal=str(journal_dir),
            after=max(after, self._stored.get(session_id, 0)),
            seen=seen,
            device_props=device_props(device_name, full_history=full_history),
            proxy=proxy or self._config.proxy,
            paired=jid is not None,
            device=b"" if place.device is None else to_proto(place.device).SerializeToString(),
            new=place.new,
        )
        cell, client = await (self._own_cell if jid is None else self._shared_cell)(session_id, ref)
        await cell.start(client, request)
        if cell.shared and self._spares() < self._config.spare:
            cell.nursery.start_soon(self._refill)
        return client

    async def end(self, session_id: str) -> None:
        """End what may be left of a session's client; it is gone when this returns."""
        if (client := self._sessions.get(session_id)) is not None:
            await client.stop()
        if (cell := self._lingering.get(session_id)) is not None:
            await cell.ended()
            self._lingering.pop(session_id, None)

    async def kill_all(self, reason: str) -> None:
        """End all clients at once, with their cells; they are gone when this returns."""
        async with trio.open_nursery() as nursery:
            for cell in self.cells:
                if cell.bound:
                    nursery.start_soon(cell.kill, reason)

    def acknowledge(self, session_id: str, seq: int) -> None:
        """A session's records up to `seq` are stored; its journal may forget them. Never blocks."""
        self._stored[session_id] = max(seq, self._stored.get(session_id, 0))
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

    def lingers(self, session_id: str, cell: Cell) -> None:
        """A client of this session goes with its cell only."""
        self._lingering[session_id] = cell

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
