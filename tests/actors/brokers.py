"""Real message brokers on loopback, from Debian's packages, each on a port and in a directory of its own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import aio_pika
import nats
import pytest
import trio
from attrs import define, field

from actors.sinks import SinkSpec
from actors.sinks.broker import Broker
from actors.sinks.elsewhere import Elsewhere, elsewhere
from actors.sinks.jetstream import JetStream
from actors.sinks.rabbitmq import RabbitMq
from runtime import Backoff

PASSWORD = "hunter2-broker"
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"

needs_nats = pytest.mark.skipif(
    shutil.which("nats-server") is None, reason="apt-get install nats-server brings the broker"
)
needs_rabbitmq = pytest.mark.skipif(
    not Path(RABBITMQ).exists(), reason="apt-get install rabbitmq-server brings the broker"
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def listens(port: int) -> bool:
    """Whether anybody does there."""
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


@define(eq=False)
class Server(ABC):
    """A broker's process, which may be killed and started again, with what it stored."""

    KIND: ClassVar[str]
    directory: Path
    there: Elsewhere
    port: int = field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """What starts it, and with which environment."""

    @abstractmethod
    async def prepare(self) -> None:
        """Make what events go to; raises while the broker does not serve yet."""

    @abstractmethod
    async def stored(self) -> list[tuple[str, str, bytes]]:
        """All it has: subject or routing key, id, body."""

    @abstractmethod
    def broker(self) -> Broker:
        """A sink's client of it."""

    def spec(self, **more: Any) -> SinkSpec:
        given: dict[str, Any] = {
            "name": "bus",
            "kind": self.KIND,
            "target": "",
            "sessions": (),
            "events": (),
            "broker": self.broker,
            "timeout": 2.0,
            "backoff": Backoff(0.05, 0.5),
        }
        return SinkSpec(**given | more)

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        command, environment = self.command()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it answers when it is up
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        with trio.fail_after(60):
            while True:
                with suppress(Exception):
                    await self.there.run(self.prepare)
                    return
                assert self._process.poll() is None, (self.directory / "log").read_text()
                await trio.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    async def until(self, count: int) -> list[tuple[str, str, bytes]]:
        """What it has, as soon as it has so many events, not counting those that came again."""
        with trio.fail_after(60):
            while True:
                found = await self.there.run(self.stored)
                if len({event_id for _, event_id, _ in found}) >= count:
                    return found
                await trio.sleep(0.05)


@define(eq=False)
class Nats(Server):
    KIND = "nats"
    subjects: list[str] = field(factory=lambda: ["terzetto.>"])

    @property
    def url(self) -> str:
        return f"nats://terzetto:{PASSWORD}@127.0.0.1:{self.port}"

    def command(self) -> tuple[list[str], dict[str, str]]:
        options = ["-a", "127.0.0.1", "-p", str(self.port), "--user", "terzetto", "--pass", PASSWORD]
        return ["nats-server", "-js", "-sd", str(self.directory), *options], dict(os.environ)

    async def prepare(self) -> None:
        client = await self._connected()
        try:
            await client.jetstream().add_stream(name="T", subjects=self.subjects)
        finally:
            await client.close()

    async def take(self, *subjects: str) -> None:
        """Have the stream take these subjects too."""
        self.subjects += subjects
        client = await self._connected()
        await client.jetstream().update_stream(name="T", subjects=self.subjects)
        await client.close()

    async def stored(self) -> list[tuple[str, str, bytes]]:
        client = await self._connected()
        try:
            stream = client.jetstream()
            last = (await stream.stream_info("T")).state.last_seq
            found = await asyncio.gather(*(stream.get_msg("T", seq) for seq in range(1, last + 1)))
            return [
                (each.subject or "", (each.headers or {})["Nats-Msg-Id"], each.data or b"") for each in found
            ]
        finally:
            await client.close()

    def broker(self) -> Broker:
        return JetStream(self.url, "terzetto.{sessionId}.{event}", 2.0)

    async def _connected(self) -> Any:
        async def ignored(_: Exception) -> None: ...

        return await nats.connect(self.url, allow_reconnect=False, connect_timeout=2, error_cb=ignored)


@define(eq=False)
class Rabbit(Server):
    KIND = "rabbitmq"
    _names: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _names_port: int = field(init=False, factory=free_port)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def command(self) -> tuple[list[str], dict[str, str]]:
        own = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "HOME": str(self.directory),
            "RABBITMQ_NODENAME": f"terzetto{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "db"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }
        return [RABBITMQ], os.environ | own

    async def start(self) -> None:
        if self._names is None:  # Erlang's name server, which would start by itself and stay
            self._names = subprocess.Popen(  # noqa: ASYNC220 - it runs beside us
                ["epmd", "-address", "127.0.0.1", "-port", str(self._names_port)], stderr=subprocess.DEVNULL
            )
            with trio.fail_after(60):
                while not await listens(self._names_port):
                    await trio.sleep(0.02)
        await super().start()

    def end(self) -> None:
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    async def prepare(self) -> None:
        async with await aio_pika.connect(self.url, timeout=5) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange("terzetto", aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue("all", durable=True)
            await queue.bind(exchange, "#")

    async def stored(self) -> list[tuple[str, str, bytes]]:
        async with await aio_pika.connect(self.url, timeout=5) as connection:
            queue = await (await connection.channel()).get_queue("all")
            found = []
            # Not acknowledged, they are back in their places afterwards.
            while (message := await queue.get(fail=False)) is not None:
                found.append((message.routing_key or "", message.message_id or "", message.body))
            return found

    def broker(self) -> Broker:
        return RabbitMq(self.url, "terzetto", "{sessionId}.{event}", 2.0)


@asynccontextmanager
async def serving(kind: type[Nats | Rabbit], directory: Path, **more: Any) -> AsyncIterator[Any]:
    """Run a broker while the block lasts."""
    async with elsewhere() as there:
        server = kind(directory, there, **more)
        try:
            await server.start()
            yield server
        finally:
            server.end() if isinstance(server, Rabbit) else server.kill()
