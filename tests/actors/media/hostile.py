"""Servers that mean harm, a trap that nothing may walk into, and names that lead where they please."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from attrs import define, field

OPENED = "127.0.0.2"
"""Where the tests' own server is: a network that is opened to it."""

Handler = Callable[["Stream", str], Awaitable[None]]
Stream = trio.SocketStream


@define(eq=False)
class Server:
    """A server that does to each connection what a script says."""

    address: str
    port: int
    connections: int = 0
    sent: int = 0
    """Bytes that it got rid of."""
    requests: list[bytes] = field(factory=list)
    """The head of each request."""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    async def send(self, stream: Stream, data: bytes) -> None:
        await stream.send_all(data)
        self.sent += len(data)


@asynccontextmanager
async def serving(script: Callable[[Server, Stream], Awaitable[None]], address: str) -> AsyncIterator[Server]:
    """Serve on an address of loopback while the block lasts."""
    (listener,) = await trio.open_tcp_listeners(0, host=address)
    server = Server(address, listener.socket.getsockname()[1])

    async def handle(stream: Stream) -> None:
        server.connections += 1
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                head = b""
                while b"\r\n\r\n" not in head and (more := await stream.receive_some(65536)):
                    head += more
                server.requests.append(head)
                await script(server, stream)

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, handle, [listener])
        yield server
        nursery.cancel_scope.cancel()


def saying(answer: bytes, *, then_hang: bool = False) -> Callable[[Server, Stream], Awaitable[None]]:
    """A script that answers with these bytes, and ends or falls silent."""

    async def script(server: Server, stream: Stream) -> None:
        await server.send(stream, answer)
        if then_hang:
            await trio.sleep_forever()

    return script


def repeating(head: bytes, piece: bytes, every: float = 0) -> Callable[[Server, Stream], Awaitable[None]]:
    """A script that never ends."""

    async def script(server: Server, stream: Stream) -> None:
        await server.send(stream, head)
        while True:
            await server.send(stream, piece)
            await trio.sleep(every)

    return script


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def moved(to: str, status: str = "302 Found") -> bytes:
    return answer(b"", f"Location: {to}", status=status)


@define(eq=False)
class Names(trio.abc.HostnameResolver):
    """A resolver of its own: each look-up of a name takes the next of its answers, and the last for ever."""

    answers: dict[str, list[list[str]]]
    asked: list[str] = field(factory=list)

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the resolver's own name for it
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        name = (host or b"").decode().rstrip(".").lower()
        self.asked.append(name)
        if name not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        known = self.answers[name]
        return list(_entries(known.pop(0) if len(known) > 1 else known[0], int(port or 0)))

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise NotImplementedError


def _entries(addresses: Iterable[str], port: int) -> Iterable[Any]:
    for address in addresses:
        six = ":" in address
        place = (address, port, 0, 0) if six else (address, port)
        yield (socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)
