"""A link: one authenticated client connection that stanzas go over, in both directions."""

from collections import deque
from itertools import count
from typing import Any, Final, Self

import trio
from attrs import define, field

from loopback.wire.certificate import Identity
from loopback.wire.codec import decode, encode
from loopback.wire.errors import LinkClosed, MalformedFrame, MalformedNode, Undecryptable, WebSocketClosed
from loopback.wire.frames import FrameReader, frame
from loopback.wire.node import Node
from loopback.wire.noise import ServerHandshake, Session
from loopback.wire.peer import Peer
from loopback.wire.websocket import WebSocket

__all__ = ["Link", "LinkClosed"]

_ids: Final = count(1)


@define(eq=False, repr=False)  # a representation would show who the client is
class Link:
    """A client that has shown who it is.

    `payload` is its `wa6.ClientPayload`; `noise_key` the 32 bytes of its static public key, which prove a
    login when they are the same as at pairing; `peer` is where it is; `id` is unique in this process.

    A client closes by itself after some stanzas (stream errors, failures) and must be given the time to: it
    drops what it has not handled yet when the socket closes under it.
    """

    payload: Any
    noise_key: bytes
    peer: Peer
    id: int = field(factory=_ids.__next__, init=False)
    _socket: WebSocket
    _frames: "_Frames"
    _session: Session
    _sending: trio.Lock = field(factory=trio.Lock, init=False)

    @classmethod
    async def accept(cls, socket: WebSocket, identity: Identity, peer: Peer) -> Self:
        """Do the handshake over an accepted WebSocket.

        Raises WebSocketClosed, MalformedFrame or HandshakeFailed when the client does not do its part.
        """
        frames = _Frames(socket)
        handshake = ServerHandshake(identity)
        await socket.send(frame(handshake.hello(await frames.receive())))
        client = handshake.finish(await frames.receive())
        return cls(client.payload, client.noise_key, peer, socket, frames, client.session)

    async def send(self, node: Node) -> None:
        """Send one stanza; calls at the same time go out whole and in turn.

        Raises LinkClosed, within seconds also when the client no longer reads: it loses its link then, and so
        it does when a call is cancelled in the middle. Raises ValueError for what the protocol cannot carry,
        such as a stanza above 16 MiB.
        """
        plaintext = encode(node)
        if len(plaintext) > Session.LARGEST:
            raise ValueError(f"a stanza of {len(plaintext)} bytes is too large")
        async with self._sending:  # the cipher counts: what is sealed first must go out first
            try:
                await self._socket.send(frame(self._session.seal(plaintext)))
            except WebSocketClosed as closed:
                raise LinkClosed(str(closed)) from closed

    async def ping(self) -> None:
        """Have the client show that it lives; its answer counts as data of its `peer`. Raises LinkClosed."""
        try:
            await self._socket.ping()
        except WebSocketClosed as closed:
            raise LinkClosed(str(closed)) from closed

    async def receive(self) -> Node:
        """The client's next stanza; for one task at a time. Raises LinkClosed."""
        try:
            return decode(self._session.open(await self._frames.receive()))
        except WebSocketClosed as closed:
            raise LinkClosed(str(closed)) from closed
        except (MalformedFrame, MalformedNode, Undecryptable) as nonsense:
            self._socket.abort()
            raise LinkClosed(str(nonsense)) from nonsense

    async def aclose(self) -> None:
        """End the link at once, without a word to the client; again is harmless."""
        self._socket.abort()
        await trio.lowlevel.checkpoint()


@define(eq=False, repr=False)
class _Frames:
    """The client's frames, one by one."""

    _socket: WebSocket
    _reader: FrameReader = field(factory=FrameReader, init=False)
    _ready: deque[bytes] = field(factory=deque, init=False)

    async def receive(self) -> bytes:
        while not self._ready:
            self._ready.extend(self._reader.feed(await self._socket.receive()))
        return self._ready.popleft()
