"""What the tests of cells stand on: a pool under its supervisor, sessions that only take notes, a network."""

import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio

from actors.cells import Cell, CellConfig, CellPool
from actors.keys import DeviceStore, FileDevices
from actors.whatsapp.client import Client, ClientLost, ClientNotice
from actors.whatsapp.events import Connected, Identified, MessageArrived, Paired, QrCode
from runtime import Actor, ChildSpec, DynamicSupervisor, Ref, Restart

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0  # seconds for anything at all to happen
NOWHERE = "http://127.0.0.1:9"  # a proxy that is not there


class Session:
    """A session that keeps what its client tells, and acknowledges it unless told not to."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.notices: list[ClientNotice] = []
        self.lost: list[ClientLost] = []
        self.acknowledging = True
        self.ref: Ref
        self._news = trio.Event()

    @property
    def events(self) -> list[Any]:
        return [notice.event for notice in self.notices]

    @property
    def seqs(self) -> list[int]:
        return [notice.seq for notice in self.notices]

    @property
    def stored(self) -> int:
        """What a database would hold: the last of the records without a gap."""
        return max(self.seqs, default=0)

    def texts(self) -> list[str]:
        """Of all messages, in order, each sequence number once."""
        unique = {notice.seq: notice.event for notice in self.notices}
        messages = [unique[seq] for seq in sorted(unique) if isinstance(unique[seq], MessageArrived)]
        found = [each.message.conversation or each.message.extendedTextMessage.text for each in messages]
        return [text for text in found if text]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """The condition's value, once it is true."""
        with trio.fail_after(PATIENCE):
            while not (value := condition()):
                await self._news.wait()
        return value

    async def until_event(self, kind: type, *, after: int = 0) -> Any:
        """The first event of a kind among notices from position `after` on."""
        return await self.until(lambda: next((e for e in self.events[after:] if isinstance(e, kind)), None))

    def take(self, message: ClientNotice | ClientLost) -> None:
        if isinstance(message, ClientLost):
            self.lost.append(message)
        else:
            self.notices.append(message)
            if self.acknowledging:
                message.client.acknowledge(message.seq)
        self._news.set()
        self._news = trio.Event()


class _Taker(Actor):
    def __init__(self, session: Session) -> None:
        self._session = session

    async def handle(self, message: Any) -> None:
        self._session.take(message)


class Stand:
    """A pool, and sessions attached through it."""

    def __init__(
        self, directory: Path, config: CellConfig, cells: DynamicSupervisor, sessions: DynamicSupervisor
    ) -> None:
        self.directory = directory
        self.devices: DeviceStore = FileDevices(directory / "devices")
        self.cells = cells
        self.pool = CellPool(config, cells, rng=random.Random(1))
        self._sessions = sessions

    async def session(self, session_id: str) -> Session:
        session = Session(session_id)
        spec = ChildSpec(session_id, partial(_Taker, session), restart=Restart.TEMPORARY)
        await self._sessions.start_child(spec)
        session.ref = self._sessions.ref(session_id)
        return session

    async def attach(self, session: Session, jid: str | None = None, **changes: Any) -> Client:
        return await self.pool.attach(
            session.id,
            session.ref,
            **{
                "device_store": self.devices,
                "jid": jid,
                "after": session.stored,
                "seen": session.stored,
                "journal_dir": self.journal(session),
                "device_name": "Test",
                **changes,
            },
        )

    def store(self, session: Session) -> Path:
        """Its device's file."""
        return self.directory / "devices" / f"{session.id}.db"

    def journal(self, session: Session) -> Path:
        return self.directory / session.id / "journal"

    def cell_of(self, client: Client) -> Cell:
        return next(cell for cell in self.pool.cells if cell.id == client.cell_id)

    def pid_of(self, client: Client) -> int:
        return self.cell_of(client).pid


@asynccontextmanager
async def stand(directory: Path, **config: Any) -> AsyncIterator[Stand]:
    """A pool whose clients find no network, unless `config` says where one is."""
    config = dict[str, Any](proxy=NOWHERE, spare=0) | config
    cells, sessions = DynamicSupervisor(id="cells"), DynamicSupervisor(id="sessions")
    async with trio.open_nursery() as nursery:
        await nursery.start(cells.run)
        await nursery.start(sessions.run)
        try:
            yield Stand(directory, CellConfig(**config), cells, sessions)
        finally:
            with trio.CancelScope(shield=True):
                await sessions.stop()
                await cells.stop()
        nursery.cancel_scope.cancel()


class Network:
    """The loopback network in a process of its own, and its phones."""

    def __init__(self, where: dict[str, Any], http: httpx.AsyncClient) -> None:
        self.config = {"proxy": where["proxy"], "ca_file": where["caFile"], "root_key": where["rootKey"]}
        self._http = http

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self._http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self._http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def lift(self) -> None:
        """End all faults."""
        (await self._http.delete("/faults")).raise_for_status()

    async def phone(self, number: str, name: str) -> str:
        await self.post("/phones", phone=number, name=name)
        return number

    async def write(self, sender: str, to: str, text: str) -> str:
        """Have a phone write; the message's id."""
        return str((await self.post(f"/phones/{sender}/messages", to=to, message=text))["messageId"])

    async def inbox(self, number: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/phones/{number}/messages"))["messages"])

    async def pair(self, stand: Stand, session: Session, number: str) -> Client:
        """Pair a session with a phone and move it to a shared cell; its client there, connected."""
        client = await stand.attach(session)
        code = await session.until_event(QrCode)
        await self.post(f"/phones/{number}/scan", qr=code.code)
        await session.until_event(Paired)
        await session.until_event(Connected)
        await client.stop()
        jid = next(e.jid for e in session.events if isinstance(e, Identified))
        before = len(session.events)
        client = await stand.attach(session, jid)
        await session.until_event(Connected, after=before)
        return client


@asynccontextmanager
async def network(directory: Path) -> AsyncIterator[Network]:
    """A network with no phones yet."""
    process = subprocess.Popen(  # noqa: ASYNC220 - in the main thread, and at once
        [sys.executable, "-m", "loopback", "--data", str(directory), "--parent", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await trio.to_thread.run_sync(process.stdout.readline)
        where = json.loads(line)
        headers = {"Authorization": f"Bearer {where['token']}"}
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(base_url=where["control"], headers=headers, limits=limits) as http:
            yield Network(where, http)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)
