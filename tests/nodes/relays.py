"""Relays that can be cut: a node reaches the database and WhatsApp through its own, and is reached so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
from attrs import define, field

from tests.nodes.ways import Part, Way

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


@define(eq=False)
class Relay:
    """What comes to `port` on 127.0.0.1 goes to `target`, from the address `source`.

    While it is cut nothing passes, neither data nor the end of a connection, and new ones wait as well.
    """

    target: tuple[str, int] | None = None
    source: str = "127.0.0.1"
    port: int = field(default=0, init=False)
    _whole: trio.Event = field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    def __attrs_post_init__(self) -> None:
        self._whole.set()

    def cut(self) -> None:
        if self._whole.is_set():
            self._whole = trio.Event()

    def heal(self) -> None:
        self._whole.set()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._scope:
            serve = partial(trio.serve_tcp, self._serve, 0, host="127.0.0.1")
            async with trio.open_nursery() as nursery:
                (listener,) = await nursery.start(serve)
                self.port = listener.socket.getsockname()[1]
                task_status.started()

    def close(self) -> None:
        """All connections break."""
        self._scope.cancel()

    async def _serve(self, near: trio.SocketStream) -> None:
        await self._whole.wait()
        if self.target is None:
            return
        try:
            far = await trio.open_tcp_stream(*self.target, local_address=self.source)
        except OSError:
            return  # and so ends the connection that came
        async with far, trio.open_nursery() as nursery:
            nursery.start_soon(self._pass, near, far, nursery.cancel_scope)
            nursery.start_soon(self._pass, far, near, nursery.cancel_scope)

    async def _pass(self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
        try:
            async for data in source:
                await self._whole.wait()
                await sink.send_all(data)
            await self._whole.wait()
            await sink.send_eof()
        except _BROKEN:
            await self._whole.wait()
            both.cancel()


@define(eq=False)
class Relays:
    """A network of relays, which run in a nursery that outlasts them."""

    nursery: trio.Nursery
    kind = "relays"
    hub = "127.0.0.1"

    @asynccontextmanager
    async def join(self, number: int, services: dict[Part, int]) -> AsyncIterator[Way]:
        """Start the relays of one more node."""
        host = f"127.0.77.{number}"  # Linux has all of 127.0.0.0/8
        relays = {part: Relay(("127.0.0.1", port), host) for part, port in services.items()}
        relays[Part.NODES] = Relay()
        try:
            for relay in relays.values():
                await self.nursery.start(relay.run)
            yield Place(host, relays)
        finally:
            for relay in relays.values():
                relay.close()


@define(eq=False)
class Place:
    """One node's relays. Cut off from the others it is not reached by them, and reaches those itself."""

    host: str
    relays: dict[Part, Relay]
    listen: str = field(default="127.0.0.1:0", init=False)
    through: tuple[str, ...] = field(default=(), init=False)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.relays[Part.NODES].port}"

    def service(self, part: Part) -> tuple[str, int]:
        return "127.0.0.1", self.relays[part].port

    def opened(self, port: int) -> None:
        self.relays[Part.NODES].target = ("127.0.0.1", port)

    def cut(self, part: Part) -> None:
        self.relays[part].cut()

    def heal(self, part: Part) -> None:
        self.relays[part].heal()
