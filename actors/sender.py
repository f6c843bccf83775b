"""The way out for webhooks: one POST to an address that may be reached, and what came of it."""

from contextlib import AsyncExitStack, suppress
from typing import Self

import attrs
import httpcore
import trio
from attrs import define, field, frozen

from actors.egress import Egress, UrlForbidden
from actors.outward import FAILURES, Guarded, target, words
from actors.trust import trusted

ANSWER_KEPT = 1024
"""Bytes of an answer that are shown to people."""
_ANSWER_READ = 64 * 1024
_ANSWER_TIME = 1.0  # seconds


@frozen(kw_only=True)
class Outcome:
    """What came of one request."""

    status: int | None = None
    """None: there was no answer."""
    body: str = field(default="", repr=False)
    """The first part of the answer."""
    error: str | None = None
    """Why it does not count as acknowledged, in words without an address; None: it does."""
    seconds: float = 0.0


@define(eq=False)
class Sender:
    """A pool of connections, shared by all webhooks while its block lasts. Redirects are not followed.

    No more requests at once than the pool has connections: one that has to wait for a connection and is
    cancelled can spoil httpcore's pool for good (encode/httpcore#1093).
    """

    egress: Egress
    connections: int
    connect_timeout: float
    timeout: float
    """Seconds for an answer."""
    _pool: httpcore.AsyncConnectionPool = field(init=False)
    _limiter: trio.CapacityLimiter = field(init=False)
    _stack: AsyncExitStack = field(init=False, factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self._limiter = trio.CapacityLimiter(self.connections)
        self._pool = await self._stack.enter_async_context(
            httpcore.AsyncConnectionPool(
                ssl_context=trusted(),
                max_connections=self.connections,
                keepalive_expiry=5.0,
                network_backend=Guarded(self.egress),
            )
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """Post a body, once."""
        began = trio.current_time()
        try:
            self.egress.check_url(url)
            async with self._limiter:
                # The whole exchange has an end: httpcore's time-outs are between bytes.
                with trio.fail_after(self.connect_timeout + 2 * self.timeout):
                    status, answer = await self._exchange(target(url), headers, body)
        except UrlForbidden as refused:
            outcome = Outcome(error=f"url_forbidden: {refused}")
        except (*FAILURES, trio.TooSlowError) as error:
            outcome = Outcome(error=words(error))
        else:
            outcome = Outcome(status=status, body=_shown(answer), error=_problem(status))
        return attrs.evolve(outcome, seconds=trio.current_time() - began)

    async def _exchange(self, url: httpcore.URL, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        timeouts = {
            "connect": self.connect_timeout,
            "read": self.timeout,
            "write": self.timeout,
            "pool": self.timeout,
        }
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        async with self._pool.stream(
            "POST", url, headers=given, content=body, extensions={"timeout": timeouts}
        ) as answer:
            # The status says it all. A short rest is read, so that the connection may serve again.
            read = b""
            with trio.move_on_after(_ANSWER_TIME) as enough, suppress(*FAILURES):
                async for chunk in answer.aiter_stream():
                    read += chunk
                    if len(read) > _ANSWER_READ:
                        # From within: httpcore's generators, one in the other, do not end well when left.
                        enough.cancel()
            return answer.status, read


def _problem(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return f"status {status}, redirects are not followed" if 300 <= status < 400 else f"status {status}"


def _shown(answer: bytes) -> str:
    """The first part as text that PostgreSQL can store, no longer in bytes than it was."""
    return answer[:ANSWER_KEPT].decode("utf-8", "ignore").replace("\0", "")
