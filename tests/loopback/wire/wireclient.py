"""A client of the wire for tests, down to its bytes: proxy, TLS, WebSocket and Noise, step by step."""

import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h11
import trio
from attrs import define, field
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, Request

from loopback.proto import wa6
from loopback.signal.keys import KeyPair
from loopback.wire.codec import decode, encode
from loopback.wire.frames import PROLOGUE
from loopback.wire.node import Node
from loopback.wire.noise import Cipher, Symmetric


class Closed(Exception):
    """The server closed, with or without an HTTP status before."""


@asynccontextmanager
async def tunnel(port: int, host: str) -> AsyncIterator[trio.SocketStream]:
    """A stream through the proxy to the host. Raises Closed when it is refused."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        connection = h11.Connection(h11.CLIENT)
        asked = h11.Request(method="CONNECT", target=f"{host}:443", headers=[("Host", f"{host}:443")])
        await stream.send_all(connection.send(asked) or b"")
        try:
            while (event := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some()))
        except h11.RemoteProtocolError as error:
            raise Closed from error
        if not isinstance(event, h11.Response) or event.status_code != 200:
            raise Closed(getattr(event, "status_code", None))
        yield stream


@asynccontextmanager
async def secure(port: int, host: str, pem: Path) -> AsyncIterator[trio.abc.Stream]:
    """A TLS stream to the host."""
    async with tunnel(port, host) as stream:
        context = ssl.create_default_context(cafile=pem)
        tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
        await tls.do_handshake()
        yield tls


@define(eq=False)
class Socket:
    """The client's side of a WebSocket. It reads only when it is asked to."""

    stream: trio.abc.Stream
    protocol: WSConnection = field(factory=lambda: WSConnection(ConnectionType.CLIENT))
    events: deque[Event] = field(factory=deque)

    async def send(self, event: Event) -> None:
        await self.stream.send_all(self.protocol.send(event))

    async def event(self) -> Event:
        """Raises Closed."""
        while not self.events:
            try:
                data = await self.stream.receive_some(65536)
            except trio.BrokenResourceError as error:
                raise Closed from error
            if not data:
                raise Closed
            self.protocol.receive_data(bytes(data))
            self.events.extend(self.protocol.events())
        return self.events.popleft()

    async def message(self) -> bytes:
        """The next binary message. Raises Closed."""
        message = b""
        while True:
            event = await self.event()
            assert isinstance(event, BytesMessage)
            message += event.data
            if event.message_finished:
                return message


@asynccontextmanager
async def websocket(port: int, pem: Path) -> AsyncIterator[Socket]:
    """A WebSocket to the chat host. Raises Closed when it is refused."""
    async with secure(port, "web.whatsapp.com", pem) as stream:
        socket = Socket(stream)
        await socket.send(Request(host="web.whatsapp.com", target="/ws/chat"))
        answer = await socket.event()
        if not isinstance(answer, AcceptConnection):
            raise Closed(getattr(answer, "status_code", None))
        yield socket


@define(eq=False)
class NoiseClient:
    """The client's side of the handshake, as bytes in and out."""

    keys: KeyPair = field(factory=KeyPair.generate)
    ephemeral: KeyPair = field(factory=KeyPair.generate)
    state: Symmetric = field(factory=Symmetric)
    chain: bytes = b""
    server_static: bytes = b""

    def hello(self) -> bytes:
        message = wa6.HandshakeMessage()
        message.clientHello.ephemeral = self.ephemeral.public
        self.state.mix_hash(PROLOGUE)
        self.state.mix_hash(self.ephemeral.public)
        data: bytes = message.SerializeToString()
        return data

    def finish(self, answer: bytes, payload: Any) -> tuple[bytes, Cipher, Cipher]:
        """The last message, and the ciphers to send and to receive with."""
        server = wa6.HandshakeMessage.FromString(answer).serverHello
        self.state.mix_hash(server.ephemeral)
        self.state.mix_key(self.ephemeral.agree(server.ephemeral))
        self.server_static = self.state.open(server.static)
        self.state.mix_key(self.ephemeral.agree(self.server_static))
        self.chain = self.state.open(server.payload)
        message = wa6.HandshakeMessage()
        message.clientFinish.static = self.state.seal(self.keys.public)
        self.state.mix_key(self.keys.agree(server.ephemeral))
        message.clientFinish.payload = self.state.seal(payload.SerializeToString())
        sending, receiving = self.state.split()
        return message.SerializeToString(), Cipher(sending), Cipher(receiving)


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(3) + data


@define(eq=False)
class WireClient:
    """A client that is through the handshake."""

    keys: KeyPair
    socket: Socket
    sending: Cipher
    receiving: Cipher

    async def send(self, *nodes: Node) -> None:
        """Several nodes go in one message."""
        frames = b"".join(framed(self.sending.seal(encode(node))) for node in nodes)
        await self.socket.send(BytesMessage(data=frames))

    async def receive(self) -> Node:
        """Raises Closed."""
        message = await self.socket.message()
        assert int.from_bytes(message[:3]) == len(message) - 3  # one whole frame
        return decode(self.receiving.open(message[3:]))


@asynccontextmanager
async def linked(port: int, pem: Path, payload: Any) -> AsyncIterator[WireClient]:
    """A client that presents this payload. Raises Closed when the server hangs up before."""
    async with websocket(port, pem) as socket:
        noise = NoiseClient()
        await socket.send(BytesMessage(data=PROLOGUE + framed(noise.hello())))
        last, sending, receiving = noise.finish((await socket.message())[3:], payload)
        await socket.send(BytesMessage(data=framed(last)))
        yield WireClient(noise.keys, socket, sending, receiving)
