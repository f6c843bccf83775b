"""A client of the wire for tests, down to its bytes: proxy, TLS, WebSocket and Noise, step by step."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h11
import trio
from attrs import define, field
from trio_websocket import WebSocketConnection, wrap_client_stream

from loopback.proto import wa6
from loopback.signal.keys import KeyPair
from loopback.wire.codec import decode, encode
from loopback.wire.frames import PROLOGUE
from loopback.wire.node import Node
from loopback.wire.noise import Cipher, Symmetric


async def tunnel(port: int, host: str) -> tuple[int, trio.SocketStream]:
    """CONNECT to the host: the proxy's status, and the stream."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    connection = h11.Connection(h11.CLIENT)
    asked = h11.Request(method="CONNECT", target=f"{host}:443", headers=[("Host", f"{host}:443")])
    await stream.send_all(connection.send(asked) or b"")
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(bytes(await stream.receive_some()))
    assert isinstance(event, h11.Response)
    return event.status_code, stream


async def secure(port: int, host: str, pem: Path) -> trio.SSLStream[trio.SocketStream]:
    """A TLS stream to the host."""
    status, stream = await tunnel(port, host)
    assert status == 200
    context = ssl.create_default_context(cafile=pem)
    tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    await tls.do_handshake()
    return tls


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
    websocket: WebSocketConnection
    sending: Cipher
    receiving: Cipher

    async def send(self, *nodes: Node) -> None:
        """Several nodes go in one message."""
        await self.websocket.send_message(b"".join(framed(self.sending.seal(encode(node))) for node in nodes))

    async def receive(self) -> Node:
        message = await self.websocket.get_message()
        assert isinstance(message, bytes)
        assert int.from_bytes(message[:3]) == len(message) - 3  # one whole frame
        return decode(self.receiving.open(message[3:]))


@asynccontextmanager
async def websocket(port: int, pem: Path) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket to the chat host; its stream is cut at the end."""
    stream = await secure(port, "web.whatsapp.com", pem)
    async with trio.open_nursery() as nursery:
        connection = await wrap_client_stream(nursery, stream, "web.whatsapp.com", "/ws/chat")
        try:
            yield connection
        finally:
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def linked(port: int, pem: Path, payload: Any) -> AsyncIterator[WireClient]:
    """A client that presents this payload."""
    async with websocket(port, pem) as connection:
        noise = NoiseClient()
        await connection.send_message(PROLOGUE + framed(noise.hello()))
        answer = await connection.get_message()
        assert isinstance(answer, bytes)
        last, sending, receiving = noise.finish(answer[3:], payload)
        await connection.send_message(framed(last))
        yield WireClient(noise.keys, connection, sending, receiving)
