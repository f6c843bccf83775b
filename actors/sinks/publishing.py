"""Events to one broker, one try of each at a time, until it has them: a courier's destination."""

import logging
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import CancelledError

import trio
from attrs import define, field

from actors.circuit import Circuit
from actors.courier import Batching, Tried
from actors.envelope import encode
from actors.gate import Gate
from actors.sinks.broker import Broker, BrokerFailed
from actors.sinks.elsewhere import Elsewhere
from actors.sinks.stats import SinkStats
from runtime import Backoff
from storage import Event, Sink

log = logging.getLogger("sinks")

_PARALLEL = 200  # sessions whose events are under way at once
_SEEMS_DEAD = 5  # failures in a row after which the broker is only probed


@define(eq=False, kw_only=True)
class Publishing:
    """Nothing is ever given up: what the broker does not take holds its session until it does."""

    row: Sink
    sessions: Sequence[str] | None
    events: Sequence[str]
    broker: Broker
    there: Elsewhere
    """Where the broker's client runs."""
    timeout: float
    """Seconds for the broker to connect, and as much again to answer."""
    backoff: Backoff
    stats: SinkStats
    rng: random.Random
    batching: Batching = field(init=False, factory=Batching)
    _gate: Gate = field(init=False)
    _failures: Counter[str] = field(init=False, factory=Counter)
    """In a row, by session."""

    def __attrs_post_init__(self) -> None:
        self._gate = Gate(Circuit(_SEEMS_DEAD, self.backoff), _PARALLEL, self.rng)

    @property
    def circuit(self) -> Circuit:
        """Whether the broker is taken for dead."""
        return self._gate.circuit

    def wants(self, event: Event) -> bool:  # noqa: ARG002 - all of its sessions and names
        return True

    async def once(self, events: Sequence[Event]) -> Tried:
        (event,) = events
        async with self._gate.admitted():
            error = await self._publish(event)
        self.stats.error = error
        if error is None:
            self.stats.published += 1
            if self.stats.waiting is not None:
                self.stats.waiting -= 1
            self._failures.pop(event.session_id, None)
            return Tried(1)
        self.stats.failed += 1
        self._failures[event.session_id] += 1
        return Tried(0, self.backoff.delay(self._failures[event.session_id] - 1, self.rng))

    async def rest(self, wait: float) -> None:
        await self._gate.rest(wait)

    async def _publish(self, event: Event) -> str | None:
        """Try to publish; why that failed."""
        try:
            # The broker's client keeps its own time; this is for a thread that is stuck.
            with trio.fail_after(4 * self.timeout):
                await self.there.run(self.broker.publish, event, encode(event).encode())
        except BrokerFailed as failed:
            error = str(failed)
        except trio.TooSlowError:
            error = "no answer in time"
        except CancelledError:  # by the client itself, whose connection ended
            error = "the connection broke off"
        else:
            if self._gate.succeeded():
                log.info("sink_back sink=%s", self.row.id)
            return None
        known_dead = self._gate.circuit.is_open
        if self._gate.failed():
            log.error("sink_away sink=%s reason=%s", self.row.id, error)
        elif not known_dead:
            log.warning("sink_failed sink=%s event=%s reason=%s", self.row.id, event.event_id, error)
        return error
