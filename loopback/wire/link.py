"""A link: one authenticated client connection that stanzas go over, in both directions."""

from itertools import count
from typing import Any, Final

import trio
from attrs import define, field

from loopback.wire.codec import MalformedNode, decode, encode
from loopback.wire.frames import FRAME_LIMIT, FrameReader, MalformedFrame, frame
from loopback.wire.noise import Session, Undecryptable
from loopback.wire.node import Node
from loopback.wire.websocket import WebSocket, WebSocketClosed

__all__ = ["Link", "LinkClosed"]

_ids: Final = count(1)


class LinkClosed(Exception):
    """The link is gone: the client left, sent what is not the protocol, took nothing in time, or we closed it."""


@define(eq=False)
class Link:
    """What `serve_proxy` hands to `on_link` once a client has shown who it is.

    `id` is unique in this process. `payload` is the client's `wa6.ClientPayload`, `noise_key` the 32 bytes of
    its static public key: the same key as at pairing is what proves a login.

    A client closes by itself after some stanzas (stream errors, failures) and must be given the time to: it
    drops what it has not handled yet when the socket closes under it.
    """

    payload: Any
    noise_key: bytes
    _socket: WebSocket
    _session: Session
    _frames: FrameReader
    send_timeout: float = 20.0  # seconds for one stanza to be taken off our hands
    id: int = field(factory=_ids.__next__, init=False)
    _sending: trio.Lock = field(factory=trio.Lock, init=False)
    _waiting: list[bytes] = field(factory=list, init=False)

    async def send(self, node: Node) -> None:
        """Send one stanza; calls at the same time go out whole, one after the other.

        Raises LinkClosed, at the latest after `send_timeout` seconds: a client that does not read loses its
        link. Raises ValueError for a stanza larger than the protocol can carry (16 MiB).
        """
        plaintext = encode(node)
        if len(plaintext) + Session.OVERHEAD >= FRAME_LIMIT:
            raise ValueError(f"a stanza of {len(plaintext)} bytes is too large")
        with trio.move_on_after(self.send_timeout) as patience:
            async with self._sending:
                # The cipher counts messages: sealing and sending are one step, in the same order.
                try:
                    await self._socket.send(frame(self._session.seal(plaintext)))
                except WebSocketClosed as closed:
                    raise LinkClosed(str(closed)) from closed
                except trio.Cancelled:
                    # Perhaps half a message is out; nothing after it would be understood.
                    self._socket.abort()
                    raise
        if patience.cancelled_caught:
            self._socket.abort()
            raise LinkClosed("the client does not read")

    async def receive(self) -> Node:
        """The client's next stanza; for one task at a time. Raises LinkClosed."""
        try:
            while not self._waiting:
                self._waiting.extend(self._frames.feed(await self._socket.receive()))
            return decode(self._session.open(self._waiting.pop(0)))
        except WebSocketClosed as closed:
            raise LinkClosed(str(closed)) from closed
        except (MalformedFrame, MalformedNode, Undecryptable) as nonsense:
            self._socket.abort()
            raise LinkClosed(str(nonsense)) from nonsense

    async def aclose(self) -> None:
        """End the link at once, without a word to the client; again is harmless."""
        self._socket.abort()
        await trio.lowlevel.checkpoint()
