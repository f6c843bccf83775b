"""Webhooks: endpoints that are told of events, one supervised delivery each, as the database has them.

webhooks (dynamic)
├─ whk_01…   Delivery: the events past its cursor, in order
└─ whk_02…   Delivery; a slow one delays no other
"""

import random
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import httpx
import trio
from attrs import define, field

from actors.delivery import Delivery, DeliveryStats, Schedule, Sender, patiently
from runtime import (
    Backoff,
    ChildNotFound,
    ChildSpec,
    DynamicSupervisor,
    NotRunning,
    OnExhausted,
    Ref,
    Restart,
    Supervisor,
)
from storage import Delete, Event, Insert, Reads, Update, Webhook, Written


@define(eq=False, kw_only=True)
class Webhooks:
    """All webhooks. `run` goes into the tree as a supervisor's start; the rest may be called by anyone.

    A paused webhook has no delivery; made active again, it goes on where it stopped.
    """

    supervisor: DynamicSupervisor
    writer: Ref
    reads: Reads
    schedule: Schedule = field(factory=Schedule)
    timeout: float = 10.0
    """Seconds for an endpoint to answer."""
    connect_timeout: float = 5.0
    connections: int = 50
    """At most so many requests at once."""
    backoff: Backoff = field(factory=lambda: Backoff(0.5, 30, on_exhausted=OnExhausted.GIVE_UP))
    """Of a delivery that crashes."""
    shutdown: float = 5.0
    stats: DeliveryStats = field(factory=DeliveryStats)
    rng: random.Random = field(factory=random.Random)
    _sender: Sender | None = field(init=False, default=None)
    _deliveries: dict[str, Delivery] = field(init=False, factory=dict)
    _changing: trio.Lock = field(init=False, factory=trio.Lock)

    async def run(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """Deliver to every active webhook until cancelled or the supervisor ends."""
        client = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeout, connect=self.connect_timeout),
            limits=httpx.Limits(max_connections=self.connections),
            trust_env=False,  # a .netrc is not for strangers' endpoints
        )
        async with client, trio.open_nursery() as nursery:
            limiter = trio.CapacityLimiter(self.connections)
            self._sender = Sender(client, limiter, self.connect_timeout + 2 * self.timeout)
            self._deliveries.clear()
            task_status.started(await nursery.start(self.supervisor.run))
            for webhook in await patiently(lambda: self.reads.webhooks(active=True), self.rng):
                await self._follow(webhook.id)

    async def create(self, webhook: Webhook) -> Webhook:
        """Store a new webhook and deliver to it what comes after its cursor. Raises WriteRefused."""
        written: Written = await self.writer.call(Insert(webhook))
        await self._follow(webhook.id)
        assert isinstance(written.row, Webhook)
        return written.row

    async def update(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook | None:
        """Change columns of a webhook; None when it does not exist. What is being delivered is begun anew."""
        written: Written = await self.writer.call(Update(Webhook, webhook_id, changes))
        await self._follow(webhook_id)
        assert written.row is None or isinstance(written.row, Webhook)
        return written.row if written.applied else None

    async def delete(self, webhook_id: str) -> bool:
        """Forget a webhook; False when it does not exist."""
        written: Written = await self.writer.call(Delete(Webhook, webhook_id))
        await self._follow(webhook_id)
        return written.applied

    async def session_deleted(self, session_id: str) -> None:
        """A session was deleted, and its webhooks with it: end their deliveries."""
        ids = [each.webhook_id for each in self._deliveries.values() if each.session_id == session_id]
        for webhook_id in ids:
            await self._follow(webhook_id)

    def wake(self, events: Collection[Event]) -> None:
        """Events were committed: whoever wants one looks for it. Never waits."""
        kinds = {(event.session_id, event.event) for event in events}
        for delivery in self._deliveries.values():
            delivery.wake(kinds)

    async def _follow(self, webhook_id: str) -> None:
        """Have a delivery, begun anew, or none, as the database says."""
        # Shielded: whoever stored a change and leaves must not leave the old delivery behind.
        with trio.move_on_after(self.shutdown + 10, shield=True):
            async with self._changing:
                webhook = await self.reads.webhook(webhook_id)
                self._deliveries.pop(webhook_id, None)
                with suppress(ChildNotFound, NotRunning):
                    await self.supervisor.terminate_child(webhook_id)
                if webhook is not None and webhook.active:
                    await self._start(webhook_id)

    async def _start(self, webhook_id: str) -> None:
        delivery = Delivery(
            webhook_id=webhook_id,
            reads=self.reads,
            writer=self.writer,
            sender=self._current_sender,
            schedule=self.schedule,
            stats=self.stats,
            rng=self.rng,
        )
        spec = ChildSpec(
            webhook_id,
            delivery.run,
            restart=Restart.TRANSIENT,
            backoff=self.backoff,
            shutdown=self.shutdown,
        )
        # Before it runs, so that no wake is missed between.
        self._deliveries[webhook_id] = delivery
        # A supervisor that does not run will find the webhook when it does.
        with suppress(NotRunning):
            await self.supervisor.start_child(spec)

    def _current_sender(self) -> Sender:
        assert self._sender is not None
        return self._sender
