"""Events to one webhook: the request, when it is tried again, and the record of what became of each."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from attrs import define, evolve, field, frozen

from actors.circuit import Circuit
from actors.courier import Batching, Tried, patiently
from actors.filters import passes
from actors.gate import Gate
from actors.request import Request, is_told, request_of
from actors.sender import Outcome, Sender
from actors.signature import signed
from runtime import Backoff, Histogram, MailboxFull, Ref
from storage import (
    Delivery,
    DeliveryStatus,
    Event,
    Reads,
    StoreDelivery,
    TrimDeliveries,
    Webhook,
    now,
)

log = logging.getLogger("webhooks")


@frozen(kw_only=True)
class Schedule:
    """When a delivery that failed is tried again."""

    backoff: Backoff = field(factory=lambda: Backoff(1, 600))
    """Between tries of one event, and between probes of an endpoint that seems dead."""
    give_up_after: float = 24 * 60 * 60
    """Seconds after its first try from which an event is a dead letter, restarts of ours or not."""
    circuit_failures: int = 5
    """Failures in a row after which an endpoint seems dead."""

    def wait(self, failures: int, trying: float, rng: random.Random) -> float | None:
        """Seconds until the next try, after so many failures in `trying` seconds; None: give up."""
        wait = self.backoff.delay(failures - 1, rng)
        return None if trying + wait > self.give_up_after else wait


@frozen(kw_only=True)
class Retention:
    """Which deliveries are kept of each webhook; it should be longer than they are tried."""

    count: int = 1000
    """The newest of those delivered, and of the dead letters."""
    age: float = 7 * 24 * 60 * 60
    """Seconds."""

    def trim(self, webhook_id: str) -> TrimDeliveries:
        """The write that forgets all others."""
        before = now() - timedelta(seconds=self.age)
        return TrimDeliveries(webhook_id=webhook_id, keep=self.count, before=before)


@define(eq=False)
class DeliveryStats:
    """What all deliveries counted, over all their lives."""

    delivered: int = 0
    failed: int = 0
    """Tries that were not acknowledged."""
    given_up: int = 0
    """Events that became dead letters."""
    seconds: Histogram = field(
        factory=lambda: Histogram((0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0))
    )
    """Of each try, the wait for a connection included."""


@define(eq=False, kw_only=True)
class Deliveries:
    """The tries of one webhook, at most `parallel` at once, behind its circuit: a courier's destination."""

    row: Webhook
    sender: Callable[[], Sender]
    writer: Ref
    reads: Reads
    schedule: Schedule
    retention: Retention
    parallel: int
    stats: DeliveryStats
    rng: random.Random
    version: str
    """Ours."""
    failing: dict[str, Delivery]
    """By event: what is to be tried again, from before this life too."""
    batching: Batching = field(init=False)
    _gate: Gate = field(init=False)
    _redelivered: set[str] = field(init=False, factory=set)
    _stored: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._gate = Gate(
            Circuit(self.schedule.circuit_failures, self.schedule.backoff), self.parallel, self.rng
        )
        batch = self.row.batch
        self.batching = (
            Batching() if batch is None else Batching(batch["maxEvents"], batch["maxWaitMs"] / 1000)
        )

    @property
    def circuit(self) -> Circuit:
        """Whether the endpoint is taken for dead."""
        return self._gate.circuit

    @property
    def sessions(self) -> Sequence[str] | None:
        return None if self.row.session_id is None else [self.row.session_id]

    @property
    def events(self) -> Sequence[str]:
        return self.row.events

    def wants(self, event: Event) -> bool:
        return passes(self.row.filters, event) and is_told(self.row, event)

    async def once(self, events: Sequence[Event]) -> Tried:
        """Try to deliver events of one session, in one request."""
        todo = [event for event in events if event.event_id not in self._redelivered]
        if not todo:
            self._redelivered.difference_update(event.event_id for event in events)
            return Tried(len(events))
        at = now()
        request = await patiently(lambda: request_of(self.row, todo, self.reads, self.version), self.rng)
        async with self._gate.admitted():
            outcome = await self._post(request)
        if outcome.error is not None:
            self.stats.failed += 1
        tried = {event.event_id for event in todo} - self._redelivered
        settled, wait = 0, None
        for event in events:
            if event.event_id in tried:
                row = recorded(self.row.id, event, self.failing.get(event.event_id), outcome, at)
                # An event is given up only when all before it are.
                wait = self._wait(row) if wait is None else wait
                await self._judged(row, wait)
            if wait is None:
                self._redelivered.discard(event.event_id)
                settled += 1
        if wait is not None:
            log.warning(
                "delivery_failed webhook=%s event=%s events=%d wait=%.1f reason=%s",
                self.row.id,
                events[settled].event_id,
                len(events) - settled,
                wait,
                outcome.error,
            )
        return Tried(settled, wait)

    async def rest(self, wait: float) -> None:
        await self._gate.rest(wait)

    def answered(self) -> None:
        """The endpoint acknowledged something: it lives."""
        if self._gate.succeeded():
            log.info("webhook_circuit_closed webhook=%s", self.row.id)

    def redelivered(self, event_id: str) -> None:
        """The endpoint acknowledged this event out of its turn."""
        if self.failing.pop(event_id, None) is not None:
            self._redelivered.add(event_id)
            self._gate.rouse()
        self.answered()

    async def _post(self, request: Request) -> Outcome:
        outcome = await post(self.sender(), self.row, request)
        self.stats.seconds.observe(outcome.seconds)
        if outcome.error is None:
            self.answered()
        elif self._gate.failed():
            log.error(
                "webhook_circuit_opened webhook=%s failures=%d reason=%s",
                self.row.id,
                self.circuit.failures,
                outcome.error,
            )
        return outcome

    def _wait(self, row: Delivery) -> float | None:
        """Seconds until the next try of what was just tried; None: it is delivered, or given up."""
        if row.error is None:
            return None
        trying = (now() - row.first_attempt_at).total_seconds()
        return self.schedule.wait(row.attempts, trying, self.rng)

    async def _judged(self, row: Delivery, wait: float | None) -> None:
        """Keep what became of an event."""
        if wait is not None:
            self.failing[row.event_id] = row
        else:
            self.failing.pop(row.event_id, None)
            if row.error is None:
                self.stats.delivered += 1
            else:
                row = self._given_up(row)
        await self._store(row)

    def _given_up(self, row: Delivery) -> Delivery:
        self.stats.given_up += 1
        log.error(
            "delivery_given_up webhook=%s event=%s tries=%d reason=%s",
            row.webhook_id,
            row.event_id,
            row.attempts,
            row.error,
        )
        return evolve(row, status=DeliveryStatus.DEAD)

    async def _store(self, row: Delivery) -> None:
        # Refused or lost, a record is missing and no event.
        with suppress(MailboxFull):
            await self.writer.cast(StoreDelivery(row))
            self._stored += 1
            if self._stored % max(1, self.retention.count // 10) == 0:
                await self.writer.cast(self.retention.trim(self.row.id))


async def post(sender: Sender, webhook: Webhook, request: Request) -> Outcome:
    """Send a signed request to a webhook's endpoint, once."""
    at = now()
    headers = (
        {"user-agent": "Terzetto", "accept": "*/*"}
        | {name.lower(): value for name, value in webhook.headers.items()}
        | {"content-type": "application/json"}
        | signed(_secrets(webhook, at), request.id, int(at.timestamp()), request.body)
    )
    return await sender.post(webhook.url, headers, request.body)


def recorded(
    webhook_id: str, event: Event, before: Delivery | None, outcome: Outcome, at: datetime
) -> Delivery:
    """The record of an event after a try that began `at`, with the record of earlier tries or without."""
    acknowledged = outcome.error is None
    last: dict[str, Any] = {
        "last_attempt_at": at,
        "latency_ms": round(outcome.seconds * 1000),
        "response_status": outcome.status,
        "response_body": outcome.body,
        "error": outcome.error,
    }
    if before is not None:
        status = DeliveryStatus.DELIVERED if acknowledged else before.status
        return evolve(before, status=status, attempts=before.attempts + 1, **last)
    return Delivery(
        webhook_id=webhook_id,
        event_id=event.event_id,
        session_id=event.session_id,
        event=event.event,
        status=DeliveryStatus.DELIVERED if acknowledged else DeliveryStatus.FAILING,
        attempts=1,
        first_attempt_at=at,
        **last,
    )


def _secrets(webhook: Webhook, at: datetime) -> Iterator[str]:
    yield webhook.secret
    until = webhook.previous_secret_until
    if webhook.previous_secret is not None and (until is None or at < until):
        yield webhook.previous_secret
