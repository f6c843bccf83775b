"""The processes of the whole: a loopback network and a gateway, as their users start them."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define, field
from trio_websocket import WebSocketConnection

from api.websocket import open_websocket

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


async def until(is_so: Callable[[], Awaitable[Any]], what: str, *, within: float = 20.0) -> Any:
    """Ask again and again until the answer is true, and return it."""
    with trio.move_on_after(within):
        while not (answer := await is_so()):
            await trio.sleep(0.01)
        return answer
    raise AssertionError(f"waited {within:g} s in vain for: {what}")


@define(eq=False)
class Running:
    """A program of ours in a process of its own, whose output goes to a file."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @classmethod
    def start(
        cls,
        output: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        through: tuple[str, ...] = (),
    ) -> "Running":
        """Start it, `through` another command maybe that turns into it."""
        with output.open("ab") as file:
            process = subprocess.Popen(
                [*through, sys.executable, "-m", *arguments],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            )
        return cls(process, output)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal it, and give its exit code once it has ended."""
        self.process.send_signal(number)
        return await trio.to_thread.run_sync(self.process.wait)


@define(eq=False)
class Network:
    """A loopback network."""

    control: httpx.AsyncClient
    environment: dict[str, str]  # points a gateway at it

    async def phone(self, number: str, *, auto_read: bool = False) -> None:
        body = {"phone": number, "name": f"Phone {number[-2:]}", "autoRead": auto_read}
        (await self.control.post("/phones", json=body)).raise_for_status()

    async def write(self, number: str, to: str, text: str) -> str:
        body = {"to": to, "message": text}
        answer = (await self.control.post(f"/phones/{number}/messages", json=body)).raise_for_status()
        return str(answer.json()["messageId"])

    async def inbox(self, number: str) -> list[Json]:
        answer = (await self.control.get(f"/phones/{number}/messages")).raise_for_status()
        return list(answer.json()["messages"])

    async def texts(self, number: str) -> list[str]:
        """What others wrote to this phone, in order."""
        return [message["text"] for message in await self.inbox(number) if not message["fromMe"]]

    async def fault(self, kind: str, **more: Any) -> Json:
        answer = await self.control.post("/faults", json={"kind": kind, **more})
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def lift(self) -> None:
        (await self.control.delete("/faults")).raise_for_status()


def fixed_port() -> int:
    """A free port below those that the kernel hands out: nobody else gets it while nobody listens there."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", random.randrange(20_000, 30_000)))
            except OSError:
                continue
            return int(probe.getsockname()[1])


@asynccontextmanager
async def network(folder: Path, port: int = 0, keys: Path | None = None) -> AsyncIterator[Network]:
    """A network of its own. With the port and the keys of another, gateways take it for that one."""
    data = folder / "data"
    data.mkdir(parents=True)
    for key in ("ca.key", "ca.pem", "root.key") if keys else ():
        shutil.copy2(Path(keys or "") / key, data)
    program = Running.start(folder / "log", "loopback", "--data", str(data), "--proxy-port", str(port))
    described = data / "network.json"
    try:
        await until(trio.Path(described).exists, "network.json")
        found = json.loads(described.read_text())
        environment = {
            "TERZETTO_WHATSAPP_PROXY": found["proxy"],
            "TERZETTO_WHATSAPP_CA_FILE": found["caFile"],
            "TERZETTO_WHATSAPP_ROOT_KEY": found["rootKey"],
        }
        headers = {"authorization": f"Bearer {found['token']}"}
        async with httpx.AsyncClient(base_url=found["control"], headers=headers, timeout=30) as control:
            yield Network(control, environment)
    finally:
        with trio.CancelScope(shield=True):
            await program.stop(signal.SIGTERM)


@define(eq=False)
class Session:
    """One session and its key."""

    id: str
    phone: str
    key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"x-api-key": self.key}


@define(eq=False)
class Gateway:
    """A gateway in a process of its own. After `kill` or `stop`, `start` again on the same data."""

    folder: Path
    network: Network
    program: Running
    http: httpx.AsyncClient

    @property
    def cells(self) -> list[int]:
        """The processes that host clients, by cell in the order of their start; ended ones too."""
        return [int(pid) for pid in re.findall(r"cell_started cell=\S+ pid=(\d+)", self.program.said())]

    async def postmaster(self) -> int:
        """The process of the embedded PostgreSQL, as soon as it runs."""
        lock = trio.Path(self.folder / "data/postgres/pgdata/postmaster.pid")

        async def words() -> list[str]:
            try:
                return (await lock.read_text()).split()
            except FileNotFoundError:
                return []

        return int((await until(words, "PostgreSQL runs"))[0])

    def cell_process(self, cell: str) -> int:
        found = re.findall(rf"cell_started cell={re.escape(cell)} pid=(\d+)", self.program.said())
        return int(found[-1])

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        session: Session | None = None,
        status: int = 200,
    ) -> Json:
        headers = session.headers if session else None
        answer = await self.http.request(method, path, json=body, headers=headers)
        said = self.program.said()[-3000:] if answer.status_code == 500 else ""
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}\n{said}"
        return dict(answer.json()) if answer.content else {}

    async def status(self, session: Session) -> Json:
        return await self.call("GET", "/api/session/status", session=session)

    async def until_connected(self, session: Session, *, within: float = 20.0) -> None:
        async def connected() -> bool:
            return bool((await self.status(session))["actual"] == "connected")

        await until(connected, f"{session.id} is connected", within=within)

    async def pair(self, name: str, phone: str, *, old: bool = False, **settings: Any) -> Session:
        """A new session, paired by QR with a new simulated phone or an `old` one, and connected."""
        if not old:
            await self.network.phone(phone)
        made = await self.call("POST", "/api/sessions", {"id": name, "name": name, **settings}, status=201)
        session = Session(name, phone, made["apiKey"])

        async def qr() -> str | None:
            answer = await self.http.get("/api/session/qr?format=raw", headers=session.headers)
            return answer.text if answer.is_success else None

        code = await until(qr, "there is a QR code")
        answer = await self.network.control.post(f"/phones/{phone}/scan", json={"qr": code})
        assert answer.is_success, answer.text
        await self.until_connected(session)
        return session

    async def send(self, session: Session, to: str, text: str, *, status: int = 200) -> Json:
        return await self.call(
            "POST", "/api/messages/text", {"phone": to, "message": text}, session=session, status=status
        )

    async def messages(self, session: Session, **query: str) -> list[Json]:
        """Its stored messages, newest first."""
        answer = await self.http.get("/api/messages", params={"limit": 200, **query}, headers=session.headers)
        assert answer.is_success, answer.text
        return list(answer.json()["messages"])

    async def received(self, session: Session) -> list[str]:
        """The texts that others wrote to this session and that are stored, oldest first."""
        found = [each for each in await self.messages(session) if not each["fromMe"]]
        return [each["text"] for each in reversed(found)]

    @asynccontextmanager
    async def socket(self, session: Session, after: str | None = None) -> AsyncIterator[WebSocketConnection]:
        """A WebSocket that listens to the session's events, from now or from a cursor on."""
        url = f"{self.http.base_url}".replace("http", "ws", 1).rstrip("/") + "/api/ws"
        url += f"?after={after}" if after else ""
        async with open_websocket(url, [("x-api-key", session.key)]) as socket:
            yield socket

    async def tidy(self) -> None:
        """Let it run, without a session."""
        if self.program.process.poll() is None:
            await self.wait()
        else:
            await self.start()
        for session in (await self.call("GET", "/api/sessions"))["sessions"]:
            await self.call("DELETE", f"/api/sessions/{session['id']}", status=204)

    async def kill(self) -> None:
        """Kill -9, whatever it does."""
        await self.program.stop(signal.SIGKILL)

    async def start(self) -> None:
        """Start it (again) and wait until it answers."""
        self.program = _up(self.folder, self.network)
        await self.wait(since=time.time())

    async def wait(self, since: float = 0.0) -> None:
        """Wait until it has said where it is."""
        described = self.folder / "data" / "gateway.json"

        async def there() -> bool:
            assert self.program.process.poll() is None, self.program.said()
            return described.exists() and described.stat().st_mtime > since

        await until(there, "gateway.json", within=60)
        found = json.loads(described.read_text())
        self.http.base_url = found["url"]
        self.http.headers["x-api-key"] = found["adminKey"]


def start_gateway(folder: Path, network: Network, config: str) -> Running:
    """A gateway on that network, with `config` as its supervisor.toml; its data may be there already."""
    folder.mkdir(exist_ok=True)
    (folder / "supervisor.toml").write_text(config)
    return _up(folder, network)


def _up(folder: Path, network: Network) -> Running:
    config = folder / "supervisor.toml"
    return Running.start(
        folder / "log",
        *("api", "up", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--config", str(config)),
        environment=network.environment,
    )


@asynccontextmanager
async def gateway(folder: Path, network: Network, config: str = "") -> AsyncIterator[Gateway]:
    """A gateway that ends with this block."""
    async with httpx.AsyncClient(timeout=100) as http:
        running = Gateway(folder, network, start_gateway(folder, network, config), http)
        try:
            await running.wait()
            yield running
        finally:
            with trio.CancelScope(shield=True):
                if running.program.process.poll() is None:
                    await running.program.stop()


async def start_sandbox(folder: Path, config: str = "") -> tuple[Running, Json]:
    """A sandbox, with `config` as its supervisor.toml, and what it has left in its sandbox.json."""
    described, file = folder / "data" / "sandbox.json", folder / "supervisor.toml"
    before = described.stat().st_mtime if described.exists() else 0.0
    file.write_text(config)
    where = ("--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--config", str(file))
    program = Running.start(folder / "log", "api", "sandbox", *where)

    async def there() -> bool:
        assert program.process.poll() is None, program.said()
        return described.exists() and described.stat().st_mtime > before

    await until(there, "sandbox.json", within=60)
    return program, json.loads(described.read_text())


async def kill_something(gw: Gateway, chance: random.Random) -> str:
    """Kill a cell, the database or the gateway, which is started again; which it was."""
    what = chance.choice(["gateway", "cell", "cell", "postgres"])
    match what:
        case "gateway":
            await gw.kill()
            await gw.start()
        case "cell":
            os.kill(chance.choice(await until(partial(_living, gw), "there is a cell")), signal.SIGKILL)
        case _:
            os.kill(await gw.postmaster(), signal.SIGKILL)
    return what


async def _living(gw: Gateway) -> list[int]:
    return [pid for pid in gw.cells if alive(pid)]


def alive(pid: int) -> bool:
    """Whether a process runs."""
    return _stat(pid) is not None


def _stat(pid: int) -> list[str] | None:
    """A process's state and parent, from what the kernel says of it; None when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields


def descendants(pid: int) -> list[int]:
    """All processes under this one."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    parents = {number: int(stat[1]) for number in numbers if (stat := _stat(number)) is not None}
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found
