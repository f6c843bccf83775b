"""The network under test: a process of its own, as everybody runs it, and its control API."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import trio

from tests.loopback.clients import Client, Event, start_client, start_pywhats

ROOT = Path(__file__).parents[2]


_people = count()


def free_number() -> str:
    """A phone number that no other test uses."""
    return str(628_100_000_000 + next(_people))


class Network:
    """A running network process, and three numbers that nobody else has: Anna's, Bert's and Carl's."""

    def __init__(
        self,
        nursery: trio.Nursery,
        directory: Path,
        where: dict[str, Any],
        process: trio.Process | None = None,
    ) -> None:
        self._nursery = nursery
        self._directory = directory  # for the clients' stores
        self.process = process  # None when it is not this test's own
        self.where = where
        self.anna, self.bert, self.carl = free_number(), free_number(), free_number()
        self.control = httpx.AsyncClient(
            base_url=where["control"], headers={"Authorization": f"Bearer {where['token']}"}, timeout=30
        )
        self.clients: list[Client] = []

    @property
    def proxy_port(self) -> int:
        return int(self.where["proxy"].rpartition(":")[2])

    async def get(self, path: str) -> Any:
        return (await self.control.get(path)).raise_for_status().json()

    async def post(self, path: str, **body: Any) -> Any:
        response = await self.control.post(path, json=body)
        assert response.is_success, response.text
        return response.json()

    async def lift(self) -> None:
        (await self.control.delete("/faults")).raise_for_status()

    async def phone(self, number: str, name: str, **more: Any) -> str:
        await self.post("/phones", phone=number, name=name, **more)
        return number

    async def inbox(self, number: str) -> list[Event]:
        messages: list[Event] = (await self.get(f"/phones/{number}/messages"))["messages"]
        return messages

    async def client(self, name: str) -> Client:
        """A client process with its own store; not connected yet."""
        client = await start_client(
            self._nursery,
            self._directory / f"{name}.db",
            self.proxy_port,
            bytes.fromhex(self.where["rootKey"]),
            Path(self.where["caFile"]),
        )
        self.clients.append(client)
        return client

    async def pywhats(self, name: str) -> Client:
        """A client process of the other library; not connected yet."""
        client = await start_pywhats(
            self._nursery, self._directory / f"{name}.json", self.proxy_port, Path(self.where["caFile"])
        )
        self.clients.append(client)
        return client

    async def linked(self, number: str, name: str | None = None) -> Client:
        """A client that is linked to the number's phone by QR, and connected."""
        client = await self.client(name or number)
        await client.call("connect")
        code = (await client.event("qr"))["code"]
        await self.post(f"/phones/{number}/scan", qr=code)
        await client.event("Connected")
        return client

    async def kill(self) -> None:
        """End the network's process, which must be the test's own."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def aclose(self) -> None:
        with trio.CancelScope(shield=True):
            for client in self.clients:
                await client.kill()
            await self.control.aclose()


@asynccontextmanager
async def start_network(data: Path, *more: str, **ports: int) -> AsyncIterator[Network]:
    """A network in that directory, killed at the end with its clients."""
    arguments = [f"--{name.replace('_', '-')}={port}" for name, port in ports.items()]
    log = (data.parent / "network.log").open("ab")
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "loopback", "--data", str(data), *arguments, *more],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    assert process.stdout is not None
    said = b""
    while not said.endswith(b"\n"):
        some = await process.stdout.receive_some()
        assert some, (data.parent / "network.log").read_text()
        said += some
    async with trio.open_nursery() as nursery:
        network = Network(nursery, data.parent, json.loads(said), process)
        try:
            yield network
        finally:
            with trio.CancelScope(shield=True):
                await network.aclose()
                await network.kill()
                await process.stdout.aclose()
                assert process.stdin is not None
                await process.stdin.aclose()
                log.close()


async def until(ask: Callable[[], Awaitable[Any]], *, within: float = 10) -> Any:
    """What `ask` returns as soon as it is true: for what only another process can tell."""
    answer = None
    with trio.move_on_after(within):
        while not (answer := await ask()):
            await trio.sleep(0.02)
    assert answer, f"not within {within} s"
    return answer
