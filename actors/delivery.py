"""Delivery of events to one webhook: in order, each until it is acknowledged or given up.

    events table ── those past the cursor ──> POST ── 2xx ──> cursor moves
                                               └── otherwise: wait, the same again

The cursor is in the database and moves after the acknowledgement: an event is delivered at least once,
however the process ends, and rarely twice. Nobody polls: at the end of the log a delivery sleeps until woken.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import httpx
import trio
from attrs import define, field, frozen

from actors.envelope import encode
from actors.signature import signed
from runtime import Backoff, Histogram, MailboxFull, Ref
from storage import DatabaseUnavailable, Event, Reads, Update, Webhook, now

log = logging.getLogger("webhooks")

T = TypeVar("T")

_PAGE = 100  # events read at once
_ANSWER_BYTES = 64 * 1024
_ANSWER_TIME = 1.0  # seconds
_DATABASE = Backoff(0.5, 10)


@frozen(kw_only=True)
class Schedule:
    """When a delivery that failed is tried again."""

    backoff: Backoff = field(factory=lambda: Backoff(1, 600))
    give_up_after: float = 24 * 60 * 60
    """Seconds of trying the same event, without a restart between."""

    def wait(self, failures: int, trying: float, rng: random.Random) -> float | None:
        """Seconds until the next try, after so many failures in `trying` seconds; None: give up."""
        wait = self.backoff.delay(failures - 1, rng)
        return None if trying + wait > self.give_up_after else wait


@define(eq=False)
class DeliveryStats:
    """What all deliveries counted, over all their lives."""

    delivered: int = 0
    failed: int = 0
    """Tries that were not acknowledged."""
    given_up: int = 0
    """Events that were passed over."""
    seconds: Histogram = field(
        factory=lambda: Histogram((0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0))
    )
    """Of each try, the wait for a connection included."""


@frozen
class Sender:
    """The way out, shared by all webhooks.

    No more requests at once than the client has connections: one that has to wait for a connection and is
    cancelled can spoil httpcore's pool for good (encode/httpcore#1093).
    """

    client: httpx.AsyncClient
    connections: trio.CapacityLimiter
    timeout: float
    """Seconds for a whole exchange, which httpx alone does not bound: its time-outs are between bytes."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post a body and give the status. Raises httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError."""
        async with self.connections:
            with trio.fail_after(self.timeout):
                async with self.client.stream("POST", url, headers=headers, content=body) as answer:
                    # The status says it all. A short rest is read, so that the connection may serve again.
                    if int(answer.headers.get("content-length", _ANSWER_BYTES + 1)) <= _ANSWER_BYTES:
                        with trio.move_on_after(_ANSWER_TIME), suppress(httpx.HTTPError):
                            await answer.aread()
                    return answer.status_code


@define(eq=False, kw_only=True)
class Delivery:
    """One webhook's delivery. `run` is a plain child of a supervisor; each life reads the webhook anew."""

    webhook_id: str
    reads: Reads
    writer: Ref
    sender: Callable[[], Sender]
    schedule: Schedule
    stats: DeliveryStats
    rng: random.Random
    _webhook: Webhook | None = None
    _bell: trio.Event = field(factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Deliver until cancelled; returns when the webhook does not exist."""
        task_status.started()
        self._webhook = webhook = await patiently(lambda: self.reads.webhook(self.webhook_id), self.rng)
        if webhook is None:
            return
        position = webhook.cursor
        while True:
            # Before the reads: what is committed after them rings again.
            self._bell = trio.Event()
            end, events = await patiently(lambda: self._read(webhook, position), self.rng)  # noqa: B023
            for event in events:
                await self._deliver(webhook, event)
                position = event.position
                # Refused or lost, it only means that this event is delivered again after a restart.
                with suppress(MailboxFull):
                    await self.writer.cast(Update(Webhook, webhook.id, {"cursor": position}))
            if not events:
                position = max(position, end)
                await self._bell.wait()

    @property
    def session_id(self) -> str | None:
        """The one session whose events are delivered; None: of all, or not known yet."""
        return None if self._webhook is None else self._webhook.session_id

    def wake(self, events: Iterable[tuple[str, str]]) -> None:
        """Events were committed, of these sessions and names."""
        if self._webhook is None or any(wants(self._webhook, *event) for event in events):
            self._bell.set()

    async def _read(self, webhook: Webhook, position: int) -> tuple[int, list[Event]]:
        """The log's end, and the next events that the webhook wants; none: there is none up to that end."""
        end = await self.reads.last_position()
        events = await self.reads.events_after(
            position,
            sessions=None if webhook.session_id is None else [webhook.session_id],
            events=webhook.events or None,
            limit=_PAGE,
        )
        return end, events

    async def _deliver(self, webhook: Webhook, event: Event) -> None:
        body = encode(event).encode()
        began = trio.current_time()
        failures = 0
        while (problem := await self._problem(webhook, event.event_id, body)) is not None:
            failures += 1
            self.stats.failed += 1
            wait = self.schedule.wait(failures, trio.current_time() - began, self.rng)
            if wait is None:
                self.stats.given_up += 1
                log.error(
                    "delivery_given_up webhook=%s event=%s tries=%d reason=%s",
                    webhook.id,
                    event.event_id,
                    failures,
                    problem,
                )
                return
            log.warning(
                "delivery_failed webhook=%s event=%s tries=%d wait=%.1f reason=%s",
                webhook.id,
                event.event_id,
                failures,
                wait,
                problem,
            )
            await trio.sleep(wait)
        self.stats.delivered += 1

    async def _problem(self, webhook: Webhook, event_id: str, body: bytes) -> str | None:
        """Post once; None when it was acknowledged, else why not, in words without an address."""
        at = now()
        headers = (
            {"user-agent": "Terzetto"}
            | {name.lower(): value for name, value in webhook.headers.items()}
            | {"content-type": "application/json"}
            | signed(_secrets(webhook, at), event_id, int(at.timestamp()), body)
        )
        began = trio.current_time()
        try:
            status = await self.sender().post(webhook.url, headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as error:
            return type(error).__name__
        finally:
            self.stats.seconds.observe(trio.current_time() - began)
        return None if 200 <= status < 300 else f"status {status}"


def wants(webhook: Webhook, session_id: str, name: str) -> bool:
    """Whether the webhook is told of events of this session and name."""
    return webhook.session_id in {None, session_id} and (not webhook.events or name in webhook.events)


async def patiently(read: Callable[[], Awaitable[T]], rng: random.Random) -> T:
    """What `read` gives, tried again for as long as the database is away."""
    failures = 0
    while True:
        try:
            return await read()
        except DatabaseUnavailable:
            await trio.sleep(_DATABASE.delay(failures, rng))
            failures += 1


def _secrets(webhook: Webhook, at: datetime) -> Iterator[str]:
    yield webhook.secret
    until = webhook.previous_secret_until
    if webhook.previous_secret is not None and (until is None or at < until):
        yield webhook.previous_secret
