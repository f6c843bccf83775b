"""One event to one webhook: the request, when it is tried again, and the record of what became of it."""

import json
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import trio
from attrs import define, evolve, field, frozen

from actors.circuit import Circuit
from actors.envelope import encode, stamp
from actors.sender import Outcome, Sender
from actors.signature import signed
from runtime import Backoff, Histogram, MailboxFull, Ref
from storage import Delivery, DeliveryStatus, Event, StoreDelivery, TrimDeliveries, Webhook, new_id, now

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
    """The tries of one webhook, at most `parallel` at once, behind its circuit."""

    webhook: Webhook
    sender: Callable[[], Sender]
    writer: Ref
    schedule: Schedule
    retention: Retention
    parallel: int
    stats: DeliveryStats
    rng: random.Random
    failing: dict[str, Delivery]
    """By event: what is to be tried again, from before this life too."""
    circuit: Circuit = field(init=False)
    _slots: trio.CapacityLimiter = field(init=False)
    _probing: trio.Lock = field(init=False, factory=trio.Lock)
    _revived: trio.Event = field(init=False, factory=trio.Event)
    _redelivered: set[str] = field(init=False, factory=set)
    _stored: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.circuit = Circuit(self.schedule.circuit_failures, self.schedule.backoff)
        self._slots = trio.CapacityLimiter(self.parallel)

    async def once(self, event: Event) -> float | None:
        """Try to deliver an event; the seconds to `rest` before its next try, or None when it is settled."""
        if event.event_id in self._redelivered:
            self._redelivered.discard(event.event_id)
            return None
        at = now()
        outcome = await self._admitted(event)
        before = self.failing.get(event.event_id)
        row = recorded(self.webhook.id, event, before, outcome, at)
        wait = None
        if outcome.error is None:
            self.stats.delivered += 1
        else:
            trying = (now() - row.first_attempt_at).total_seconds()
            wait = self.schedule.wait(row.attempts, trying, self.rng)
            row = self._failed(row, wait)
        if wait is None:
            self.failing.pop(event.event_id, None)
        else:
            self.failing[event.event_id] = row
        await self._store(row)
        return wait

    async def rest(self, wait: float) -> None:
        """Wait so many seconds, or until the endpoint is known to be back."""
        with trio.move_on_after(wait):
            await self._revived.wait()

    def answered(self) -> None:
        """The endpoint acknowledged something: it lives."""
        if self.circuit.succeeded():
            log.info("webhook_circuit_closed webhook=%s", self.webhook.id)
            self._rouse()

    def redelivered(self, event_id: str) -> None:
        """The endpoint acknowledged this event out of its turn."""
        if self.failing.pop(event_id, None) is not None:
            self._redelivered.add(event_id)
            self._rouse()
        self.answered()

    def _rouse(self) -> None:
        self._revived.set()
        self._revived = trio.Event()

    async def _admitted(self, event: Event) -> Outcome:
        """Post, when the circuit lets it through."""
        async with self._slots:
            if not self.circuit.is_open:
                return await self._post(event)
            async with self._probing:
                while self.circuit.is_open and (wait := self.circuit.probe_at - trio.current_time()) > 0:
                    await self.rest(wait)
                return await self._post(event)

    async def _post(self, event: Event) -> Outcome:
        outcome = await post(self.sender(), self.webhook, event.event_id, encode(event).encode())
        self.stats.seconds.observe(outcome.seconds)
        if outcome.error is None:
            self.answered()
        elif self.circuit.failed(trio.current_time(), now(), self.rng):
            log.error(
                "webhook_circuit_opened webhook=%s failures=%d reason=%s",
                self.webhook.id,
                self.circuit.failures,
                outcome.error,
            )
        return outcome

    def _failed(self, row: Delivery, wait: float | None) -> Delivery:
        self.stats.failed += 1
        if wait is not None:
            log.warning(
                "delivery_failed webhook=%s event=%s tries=%d wait=%.1f reason=%s",
                row.webhook_id,
                row.event_id,
                row.attempts,
                wait,
                row.error,
            )
            return row
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
                await self.writer.cast(self.retention.trim(self.webhook.id))


async def post(sender: Sender, webhook: Webhook, event_id: str, body: bytes) -> Outcome:
    """Send a signed body to a webhook's endpoint, once."""
    at = now()
    headers = (
        {"user-agent": "Terzetto", "accept": "*/*"}
        | {name.lower(): value for name, value in webhook.headers.items()}
        | {"content-type": "application/json"}
        | signed(_secrets(webhook, at), event_id, int(at.timestamp()), body)
    )
    return await sender.post(webhook.url, headers, body)


async def post_test(sender: Sender, webhook: Webhook) -> Outcome:
    """Send an event `webhook.test`, which is in no log, to a webhook's endpoint, once."""
    at = now()
    event_id = new_id("evt")
    body = {
        "sessionId": webhook.session_id,
        "event": "webhook.test",
        "data": {"webhookId": webhook.id},
        "eventId": event_id,
        "occurredAt": stamp(at),
    }
    return await post(sender, webhook, event_id, json.dumps(body, separators=(",", ":")).encode())


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
