"""A node: a gateway in a place of its own in the network, which is killed, stopped, cut off and drained."""

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import trio
from attrs import define

from tests.nodes.database import ROLE
from tests.nodes.ways import Part, Way
from tests.whole.processes import Gateway, Network, Running, descendants

ADMIN_KEY = "terzetto-nodes-in-trouble-0123456789abcdef"
PATIENCE = 20.0  # seconds for a node's orderly end

CONFIG = """
[cluster]
enabled = true
name = "{name}"
url = "{url}"
lease = {lease}
drain = {drain}

[cells]
sessions_per_cell = 10

[session]
per_minute = 1000000
burst = 1000000
settling = 0.3

[webhooks]
allow_private = true
timeout = 2
backoff = {{ min = 0.05, max = 0.5 }}
"""


@define(eq=False)
class Node(Gateway):
    """One node and its way to the others."""

    name: str
    way: Way

    @property
    def runs(self) -> bool:
        """Whether its process has not ended, be it stopped."""
        return self.program.process.poll() is None

    async def start(self) -> None:
        self.program = _up(self.folder, self.network, self.way)
        await self.begun(since=time.time())

    async def begun(self, since: float) -> None:
        """Wait until it answers, and let others reach it."""
        await self.wait(since)
        port = urlsplit(str(self.http.base_url)).port
        assert port is not None
        self.way.opened(port)

    def freeze(self, *, alone: bool) -> list[int]:
        """Stop its process, and unless it is to be `alone` all under it, until `thaw`; which they are."""
        frozen = [self.program.process.pid]
        os.kill(frozen[0], signal.SIGSTOP)
        if not alone:
            for pid in descendants(frozen[0]):
                os.kill(pid, signal.SIGSTOP)
                frozen.append(pid)
        return frozen

    @staticmethod
    def thaw(frozen: list[int]) -> None:
        """Let them go on; those that have ended meanwhile are nobody's concern."""
        for pid in frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue

    async def ended(self) -> int:
        """Its exit code, as soon as it has ended."""
        return await trio.to_thread.run_sync(self.program.process.wait, abandon_on_cancel=True)


@asynccontextmanager
async def running_node(
    folder: Path, name: str, network: Network, way: Way, *, lease: float
) -> AsyncIterator[Node]:
    """A node that answers; its data may be there already."""
    folder.mkdir(exist_ok=True)
    text = CONFIG.format(name=name, url=way.url(), lease=lease, drain=PATIENCE)
    (folder / "supervisor.toml").write_text(text)
    async with httpx.AsyncClient(timeout=100) as http:
        since = time.time()
        made = Node(folder, network, _up(folder, network, way), http, name, way)
        try:
            await made.begun(since)
            yield made
        finally:
            with trio.CancelScope(shield=True):
                await _end(made)


def _up(folder: Path, network: Network, way: Way) -> Running:
    database, whatsapp = way.service(Part.DATABASE), way.service(Part.WHATSAPP)
    arguments = ("--data", str(folder / "data"), "--config", str(folder / "supervisor.toml"))
    return Running.start(
        folder / "log",
        *("api", "up", "--listen", way.listen, *arguments),
        through=way.through,
        environment={
            **network.environment,
            "TERZETTO_WHATSAPP_PROXY": f"http://{whatsapp[0]}:{whatsapp[1]}",
            "DATABASE_URL": f"postgresql://{ROLE}@{database[0]}:{database[1]}/postgres?sslmode=disable",
            "TERZETTO_ADMIN_KEY": ADMIN_KEY,
        },
    )


async def _end(node: Node) -> None:
    """Let it end in order, whatever it is in the middle of; one that does not is killed."""
    if not node.runs:
        return
    for part in Part:
        node.way.heal(part)
    pid = node.program.process.pid
    node.thaw([pid, *descendants(pid)])
    node.program.process.send_signal(signal.SIGINT)
    with trio.move_on_after(PATIENCE + 10):
        await node.ended()
    await node.kill()
