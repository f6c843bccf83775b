"""Where there are many nodes, any of them answers any request: what another is to do goes there and back.

It goes once and whole, streamed both ways, and is never tried again: the client is told what is known. What
could not be handed over has done nothing (503); what was, and broke off, may have had its effect (504).
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from attrs import define, field
from quart import Response, request
from quart.wrappers import Request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestTimeout

from actors.cluster.cluster import Cluster
from actors.directory import RETRY_AFTER
from actors.errors import SessionNotFound, SessionRestarting
from actors.trust import trusted
from api.forwarded import FORWARDED, PATIENCE, SIGNATURE, Forwarded, signature, target_of, verified
from api.refusals import NodeSilent, NotReady
from api.trace import trace
from storage.nodes import Owner
from storage.reads import Reads

CONNECTIONS = 500
"""To all other nodes, at once."""
_IDLE = 10.0  # seconds that a connection is kept: less than the server at its other end keeps it
_CONNECT = 3.0  # seconds for another node to take a connection, or for one to be free
_PIECE = 60.0  # seconds for it to take a piece of a body
_SKEW = 60.0  # seconds by which nodes' clocks may differ

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OURS = frozenset((FORWARDED, SIGNATURE, "expect"))
"""Of a request: what is not passed on, because only a node's own counts, or it was for this server."""
_SERVERS = frozenset(("date",))
"""Of an answer: what this server says itself."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@define(eq=False)
class Forwarding:
    """The way to the other nodes; without a cluster there are none. To be `open` while requests come."""

    cluster: Cluster | None
    reads: Reads
    _transport: httpx.AsyncHTTPTransport | None = field(init=False, default=None)
    _secret: tuple[str, bytes] | None = field(init=False, default=None)
    """Our own, and of which registration it is."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Hold connections to other nodes while the block lasts."""
        if self.cluster is None:
            yield
            return
        limits = httpx.Limits(
            max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=_IDLE
        )
        # Proxies lead nowhere here.
        async with httpx.AsyncHTTPTransport(verify=trusted(), limits=limits, trust_env=False) as transport:
            self._transport = transport
            try:
                yield
            finally:
                self._transport = None

    # --- to others -----------------------------------------------------------------------------------------

    async def to_owner(self, session_id: str) -> Response | None:
        """The answer of the node that has the session; None: we have it, or there are no others.

        Raises SessionNotFound, SessionRestarting, NodeSilent and DatabaseUnavailable.
        """
        cluster = self.cluster
        if cluster is None or cluster.owns(session_id):
            return None
        owner = await cluster.owner(session_id)
        if owner is None and await self.reads.session(session_id) is None:
            raise SessionNotFound(session_id=session_id)
        nobody = SessionRestarting(session_id=session_id, retry_after=RETRY_AFTER)
        if owner is None or owner.node_id == cluster.node_id:  # it is on its way here, or from here
            raise nobody
        return await self._to(owner, nobody)

    async def to_holder(self, duty: str) -> Response | None:
        """The answer of the node that does this for all; None: we do it, or there are no others.

        Raises NotReady, NodeSilent and DatabaseUnavailable.
        """
        cluster = self.cluster
        if cluster is None:
            return None
        holder = await cluster.holder(duty)
        if holder is not None and holder.node_id == cluster.node_id:
            return None
        nobody = NotReady(f"No node looks after {duty} at the moment.")
        if holder is None:
            raise nobody
        return await self._to(holder, nobody)

    async def _to(self, owner: Owner, nobody: Exception) -> Response:
        """Its answer to the request at hand; `nobody` is raised where it surely did nothing."""
        # What came from another node goes no further: it would go round for as long as tables change.
        if self._transport is None or trace().forwarded_by is not None:
            raise nobody
        lost = nobody if request.method in _READING else NodeSilent()
        try:
            with trio.fail_after(PATIENCE):
                answer = await self._transport.handle_async_request(self._outgoing(owner))
        except (*_NOT_SENT, httpx.InvalidURL):
            raise nobody from None
        except (httpx.TransportError, trio.TooSlowError):
            raise lost from None
        trace().over.push_async_callback(answer.aclose)
        response = Response(_pieces(answer), answer.status_code)
        response.headers = Headers(_kept(answer.headers.multi_items(), _SERVERS))
        return response

    def _outgoing(self, owner: Owner) -> httpx.Request:
        notes, target = trace(), target_of(request.scope)
        assert self.cluster is not None
        said = str(
            Forwarded(
                node=self.cluster.node_id,
                address=notes.address,
                request_id=notes.request_id,
                deadline=time.time() + PATIENCE,
            )
        )
        scope: Any = request.scope
        came = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = [
            *_kept(came, _OURS),
            (FORWARDED, said),
            (SIGNATURE, signature(owner.secret, request.method, target, said)),
        ]
        url = httpx.URL(owner.url)
        return httpx.Request(
            request.method,
            url,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
            content=_body() if _has_body() else None,
            extensions={
                "target": url.raw_path.rstrip(b"/") + target,
                "timeout": {"connect": _CONNECT, "pool": _CONNECT, "write": _PIECE, "read": None},
            },
        )

    # --- from others ---------------------------------------------------------------------------------------

    async def received(self, incoming: Request) -> Forwarded | None:
        """What another node says of a request, if it comes from one.

        Raises NotReady when nobody waits for the answer any more, and DatabaseUnavailable.
        """
        said, signed = incoming.headers.get(FORWARDED), incoming.headers.get(SIGNATURE)
        if said is None or signed is None or (secret := await self._own_secret()) is None:
            return None
        forwarded = verified(secret, incoming.method, target_of(incoming.scope), said, signed)
        if forwarded is not None and not 0 < forwarded.deadline - time.time() < PATIENCE + _SKEW:
            raise NotReady("The request was too long on its way between nodes.")
        return forwarded

    async def _own_secret(self) -> bytes | None:
        if self.cluster is None or (me := self.cluster.node_id) is None:
            return None
        if self._secret is None or self._secret[0] != me:
            for node in await self.cluster.listing():
                if node.id == me:
                    self._secret = (me, node.secret)
                    return node.secret
            return None
        return self._secret[1]


def _kept(headers: list[tuple[str, str]], others: frozenset[str]) -> list[tuple[str, str]]:
    """The headers that are for the other end, not for the next."""
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == "connection"
        for name in value.split(",")
    }
    left_out = _HOP | others | named
    return [(key, value) for key, value in headers if key.lower() not in left_out]


def _has_body() -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def _body() -> AsyncIterator[bytes]:
    """The request's body as it comes in, in the time that it may take. Raises what reading it raises."""
    end = trio.current_time() + (request.body_timeout or PATIENCE)
    pieces = aiter(request.body)
    while True:
        try:
            with trio.fail_at(end):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except trio.TooSlowError:
            raise RequestTimeout from None
        yield piece


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body, as it was encoded."""
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    async for piece in answer.stream:
        yield piece
