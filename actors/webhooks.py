"""Webhooks: endpoints that are told of events, one supervised courier each, as the database has them.

webhooks (dynamic)
├─ whk_01…   Courier: the events past its cursor, in order of each session
└─ whk_02…   Courier; a slow one delays no other
"""

import random
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from attrs import define, field

from actors.circuit import Circuit
from actors.courier import Courier, patiently
from actors.delivery import Deliveries, DeliveryStats, Retention, Schedule, post, recorded
from actors.egress import Egress
from actors.request import request_of, test_request
from actors.sender import Outcome, Sender
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
from storage import (
    DatabaseUnavailable,
    Delete,
    Delivery,
    Event,
    Insert,
    Reads,
    StoreDelivery,
    Update,
    Webhook,
    Write,
    Written,
    now,
)

_TRIM_EVERY = 3600.0  # seconds
_AGREE_EVERY = 5.0


@define(eq=False, kw_only=True)
class Webhooks:
    """All webhooks. `run` goes into the tree as a supervisor's start; the rest may be called by anyone.

    A paused webhook has no courier; made active again, it goes on where it stopped.
    """

    supervisor: DynamicSupervisor
    writer: Ref
    reads: Reads
    version: str = ""
    """Ours, as some forms of events tell it."""
    schedule: Schedule = field(factory=Schedule)
    retention: Retention = field(factory=Retention)
    egress: Egress = field(factory=Egress)
    """Where endpoints may be."""
    timeout: float = 10.0
    """Seconds for an endpoint to answer."""
    connect_timeout: float = 5.0
    connections: int = 100
    """At most so many requests at once."""
    parallel: int = 4
    """At most so many of them to one webhook, each for another session."""
    backoff: Backoff = field(factory=lambda: Backoff(0.5, 30, on_exhausted=OnExhausted.GIVE_UP))
    """Of a courier that crashes."""
    shutdown: float = 5.0
    stats: DeliveryStats = field(factory=DeliveryStats)
    rng: random.Random = field(factory=random.Random)
    _sender: Sender | None = field(init=False, default=None)
    _couriers: dict[str, Courier[Deliveries]] = field(init=False, factory=dict)
    _changing: trio.Lock = field(init=False, factory=trio.Lock)

    async def run(self, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        """Deliver to every active webhook until cancelled or the supervisor ends."""
        sender = Sender(self.egress, self.connections, self.connect_timeout, self.timeout)
        async with sender, trio.open_nursery() as nursery:
            self._sender = sender
            self._couriers.clear()
            task_status.started(await nursery.start(self._supervise, nursery.cancel_scope))
            for webhook in await patiently(self._active, self.rng):
                await self._follow(webhook.id, anew=False)
            nursery.start_soon(self._trim)
            nursery.start_soon(self._agree)

    async def _supervise(self, others: trio.CancelScope, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        await self.supervisor.run(task_status=task_status)
        others.cancel()

    async def create(self, webhook: Webhook) -> Webhook:
        """Store a new webhook and deliver to it what comes after its cursor. Raises WriteRefused."""
        written: Written = await self.writer.call(Insert(webhook))
        await self._follow(webhook.id)
        assert isinstance(written.row, Webhook)
        return written.row

    async def update(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook | None:
        """Change columns of a webhook; None when it does not exist. What is being delivered is begun anew."""
        written = await self._change(webhook_id, Update(Webhook, webhook_id, changes))
        assert written.row is None or isinstance(written.row, Webhook)
        return written.row if written.applied else None

    async def delete(self, webhook_id: str) -> bool:
        """Forget a webhook; False when it does not exist."""
        return (await self._change(webhook_id, Delete(Webhook, webhook_id))).applied

    async def replay(self, webhook_id: str, position: int, until: int) -> Webhook | None:
        """Deliver again what lies past a position, up to another, in place of any replay under way."""
        return await self.update(webhook_id, {"replay": {"position": position, "until": until}})

    async def redeliver(self, webhook: Webhook, event: Event) -> Delivery:
        """Deliver an event once, now, whatever became of it before; the record of how that went.

        Raises NotRunning and DatabaseUnavailable.
        """
        at = now()
        request = await request_of(webhook, [event], self.reads, self.version)
        outcome = await post(self._current_sender(), webhook, request)
        before = await self.reads.delivery(webhook.id, event.event_id)
        row = recorded(webhook.id, event, before, outcome, at)
        await self.writer.call(StoreDelivery(row))
        deliveries = self._deliveries(webhook.id)
        if outcome.error is None and deliveries is not None:
            deliveries.redelivered(event.event_id)
        return row

    async def test(self, webhook: Webhook) -> Outcome:
        """Send an endpoint an event that is in no log, once, now. Raises NotRunning, DatabaseUnavailable."""
        request = await test_request(webhook, self.reads, self.version)
        outcome = await post(self._current_sender(), webhook, request)
        deliveries = self._deliveries(webhook.id)
        if outcome.error is None and deliveries is not None:
            deliveries.answered()
        return outcome

    def circuit(self, webhook_id: str) -> Circuit | None:
        """Whether an endpoint is taken for dead; None while nothing is delivered to it."""
        deliveries = self._deliveries(webhook_id)
        return None if deliveries is None else deliveries.circuit

    def held(self, webhook_id: str) -> int:
        """How many sessions are behind because one of their events fails."""
        courier = self._couriers.get(webhook_id)
        return 0 if courier is None else courier.held

    async def session_deleted(self, session_id: str) -> None:
        """A session was deleted, and its webhooks with it: end their couriers."""
        for webhook_id in tuple(self._couriers):
            deliveries = self._deliveries(webhook_id)
            if deliveries is not None and deliveries.row.session_id == session_id:
                await self._follow(webhook_id)

    def wake(self, events: Collection[Event]) -> None:
        """Events were committed: whoever wants one looks for it. Never waits."""
        kinds = {(event.session_id, event.event) for event in events}
        for courier in self._couriers.values():
            courier.wake(kinds)

    async def _change(self, webhook_id: str, write: Write) -> Written:
        """Write while there is no courier, so that nothing it has to tell comes in between."""
        # Shielded: whoever asked and leaves must not leave the webhook without its courier.
        with trio.CancelScope(shield=True):
            async with self._changing:
                await self._stop(webhook_id)
                try:
                    written: Written = await self.writer.call(write)
                finally:
                    await self._start(webhook_id)
        return written

    async def _follow(self, webhook_id: str, *, anew: bool = True) -> None:
        """Have a courier or none, as the database says; `anew`, also where one is at work already."""
        with trio.move_on_after(self.shutdown + 10, shield=True):
            async with self._changing:
                if anew or webhook_id not in self._couriers:
                    await self._stop(webhook_id)
                    await self._start(webhook_id)

    async def _stop(self, webhook_id: str) -> None:
        self._couriers.pop(webhook_id, None)
        with suppress(ChildNotFound, NotRunning):
            await self.supervisor.terminate_child(webhook_id)

    async def _start(self, webhook_id: str) -> None:
        # While the database is away the courier will see for itself.
        with trio.move_on_after(10), suppress(DatabaseUnavailable):
            webhook = await self.reads.webhook(webhook_id)
            if webhook is None or not webhook.active:
                return
        courier = Courier(
            id=webhook_id,
            table=Webhook,
            reads=self.reads,
            writer=self.writer,
            begin=partial(self._begin, webhook_id),
            rng=self.rng,
        )
        spec = ChildSpec(
            webhook_id,
            courier.run,
            restart=Restart.TRANSIENT,
            backoff=self.backoff,
            shutdown=self.shutdown,
        )
        # Before it runs, so that no wake is missed between.
        self._couriers[webhook_id] = courier
        try:
            await self.supervisor.start_child(spec)
        except NotRunning:  # when it does, it finds the webhook
            del self._couriers[webhook_id]

    async def _begin(self, webhook_id: str) -> Deliveries | None:
        webhook = await patiently(lambda: self.reads.webhook(webhook_id), self.rng)
        if webhook is None or not webhook.active:
            return None
        failing = await patiently(lambda: self.reads.failing(webhook_id), self.rng)
        return Deliveries(
            row=webhook,
            sender=self._current_sender,
            writer=self.writer,
            reads=self.reads,
            schedule=self.schedule,
            retention=self.retention,
            parallel=self.parallel,
            stats=self.stats,
            rng=self.rng,
            version=self.version,
            failing={each.event_id: each for each in failing},
        )

    async def _trim(self) -> None:
        """Forget old deliveries now and then, of webhooks too to which nothing is delivered."""
        while True:
            for webhook in await patiently(self.reads.webhooks, self.rng):
                await self.writer.cast(self.retention.trim(webhook.id))
            await trio.sleep(_TRIM_EVERY)

    async def _agree(self) -> None:
        """Have couriers as the database says: a session may be deleted on another node, webhooks and all."""
        while True:
            await trio.sleep(_AGREE_EVERY)
            active = {webhook.id for webhook in await patiently(self._active, self.rng)}
            for webhook_id in active ^ self._couriers.keys():
                await self._follow(webhook_id, anew=webhook_id not in active)

    async def _active(self) -> list[Webhook]:
        return await self.reads.webhooks(active=True)

    def _deliveries(self, webhook_id: str) -> Deliveries | None:
        courier = self._couriers.get(webhook_id)
        return None if courier is None else courier.destination

    def _current_sender(self) -> Sender:
        if self._sender is None:
            raise NotRunning("webhooks")
        return self._sender
