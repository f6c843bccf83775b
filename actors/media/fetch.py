"""Fetches what a URL leads to, on behalf of somebody: from the public internet, and within bounds.

Each request goes to an address that was judged (`actors.egress`), and so does each redirect. Of an answer its
length and its time are bounded, also those of what it unpacks to; what it calls itself is not believed.
"""

import math
import zlib
from collections.abc import Callable
from urllib.parse import urljoin

import httpcore
import trio
from attrs import define, field, frozen

from actors.egress import Egress, UrlForbidden
from actors.media.errors import MediaError, MediaFetchFailed, MediaTooLarge
from actors.media.stats import MediaStats
from actors.outward import FAILURES, Guarded, target, words
from actors.trust import trusted

REDIRECTS = 5
"""That are followed."""

_REDIRECTING = {301, 302, 303, 307, 308}
_HEADERS = [
    (b"user-agent", b"Terzetto"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"connection", b"close"),
]
_PACKED = zlib.MAX_WBITS | 32  # zlib tells gzip and deflate apart by itself


@frozen(kw_only=True)
class Fetched:
    """What a URL led to."""

    url: str = field(repr=False)
    """The last one, after all redirects."""
    data: bytes = field(repr=False)
    content_type: str
    """What it calls itself."""


@define(eq=False)
class Fetcher:
    """Fetches, so many at once. Times are in seconds."""

    egress: Egress
    connections: int = 8
    connect_timeout: float = 5.0
    idle_timeout: float = 10.0
    """Between two pieces of an answer."""
    total_timeout: float = 60.0
    """From the first request to the last byte, redirects included."""
    stats: MediaStats = field(factory=MediaStats)
    _limiter: trio.CapacityLimiter = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._limiter = trio.CapacityLimiter(self.connections)

    async def fetch(self, url: str, *, limit: int, cut: bool = False) -> Fetched:
        """What is there, up to `limit` bytes; with `cut`, so much of what is longer.

        Raises UrlForbidden, MediaFetchFailed, MediaTooLarge.
        """
        try:
            fetched = await self._in_time(url, limit, cut)
        except UrlForbidden:
            self.stats.fetches["forbidden"] += 1
            raise
        except MediaError:
            self.stats.fetches["failed"] += 1
            raise
        self.stats.fetches["fetched"] += 1
        return fetched

    async def _in_time(self, url: str, limit: int, cut: bool) -> Fetched:
        async with self._limiter:
            with trio.move_on_after(self.total_timeout):
                return await self._follow(url, limit, cut)
        raise MediaFetchFailed("it took too long")

    async def _follow(self, url: str, limit: int, cut: bool) -> Fetched:
        for _ in range(REDIRECTS + 1):
            self.egress.check_url(url)
            try:
                answer = await self._request(url, limit, cut)
            except FAILURES as error:
                raise MediaFetchFailed(words(error)) from None
            if isinstance(answer, Fetched):
                return answer
            url = urljoin(url, answer)
        raise MediaFetchFailed(f"more than {REDIRECTS} redirects")

    async def _request(self, url: str, limit: int, cut: bool) -> Fetched | str:
        """One request: what it brought, or where it was sent."""
        timeouts = {
            "connect": self.connect_timeout,
            "read": self.idle_timeout,
            "write": self.idle_timeout,
            "pool": self.connect_timeout,
        }
        # A pool for each: it is spoilt by cancelling a request that waits in it (encode/httpcore#1093).
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=trusted(), max_connections=1, network_backend=Guarded(self.egress)
            ) as pool,
            pool.stream("GET", target(url), headers=_HEADERS, extensions={"timeout": timeouts}) as answer,
        ):
            headers = _Headers(answer.headers)
            if answer.status in _REDIRECTING and headers["location"]:
                return headers["location"]
            if answer.status != 200:
                raise MediaFetchFailed(f"status {answer.status}")
            if not cut and _declared(headers["content-length"]) > limit:
                raise MediaTooLarge(f"{limit} bytes")
            body = _Body(limit, headers["content-encoding"])
            with trio.CancelScope() as enough:
                async for chunk in answer.aiter_stream():
                    body.take(chunk)
                    if body.is_over:
                        # From within: httpcore's generators, one in the other, do not end well when left.
                        enough.cancel()
            return Fetched(url=url, data=body.whole(cut=cut), content_type=headers["content-type"])


class _Headers:
    """The headers of an answer; one that is missing is empty."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._values = {name.lower(): value for name, value in reversed(headers)}

    def __getitem__(self, name: str) -> str:
        return self._values.get(name.encode(), b"").decode("latin-1").strip()


class _Body:
    """The answer's body as it arrives, unpacked, and never more of it than the limit and a piece."""

    def __init__(self, limit: int, encoding: str) -> None:
        self._limit = limit
        self._data = bytearray()
        self._unpack = _unpacker(encoding)
        self._broken = False

    @property
    def is_over(self) -> bool:
        """Whether there is no use in reading on."""
        return self._broken or len(self._data) > self._limit

    def take(self, chunk: bytes) -> None:
        """More of it."""
        if self.is_over:
            return
        try:
            self._data += self._unpack(chunk, self._limit + 1 - len(self._data))
        except zlib.error:
            self._broken = True

    def whole(self, *, cut: bool) -> bytes:
        """All of it. Raises MediaTooLarge, MediaFetchFailed."""
        if self._broken:
            raise MediaFetchFailed("the answer is packed, and damaged")
        if len(self._data) > self._limit and not cut:
            raise MediaTooLarge(f"{self._limit} bytes")
        if not self._data:
            raise MediaFetchFailed("the answer is empty")
        return bytes(memoryview(self._data)[: self._limit])


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Unpacks chunk by chunk, each to so many bytes at most. Raises MediaFetchFailed."""
    match encoding.lower():
        case "" | "identity":
            return lambda chunk, most: chunk[:most]
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(_PACKED).decompress
        case _:
            raise MediaFetchFailed("the answer is packed in a way that was not asked for")


def _declared(length: str) -> float:
    return int(length) if length.isascii() and length.isdigit() else -math.inf
