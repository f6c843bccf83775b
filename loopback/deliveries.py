"""What is on its way to each device: kept, in order, until the device says that it has it.

Messages, receipts and notifications wait here while a device is away and are handed over when it comes back,
marked `offline`. A device settles a stanza by acknowledging it, and a message also by any receipt for it.
What was handed over but not settled when the link broke is handed over again.
"""

from collections import deque
from collections.abc import Callable

from attrs import Factory, define, evolve, frozen

from loopback.accounts import PHONE, Account
from loopback.store import Store
from loopback.wire.codec import decode, encode
from loopback.wire.node import JID, Node

__all__ = ["Deliveries", "Ledger", "settling_key"]

REMEMBERED = 20_000  # message ids kept for each device's ledger, for those who count losses

Sink = Callable[[Node], None]


@frozen
class Delivery:
    """One stanza on its way, and what will settle it: class, id, sender and (receipts only) type."""

    node: Node
    key: tuple[str, str, str, str]


@frozen
class Stored:
    """A delivery as the store keeps it."""

    stanza: bytes


@define(eq=False)
class Ledger:
    """What a device was given since this process started, for those who count losses."""

    handed: int = 0  # stanzas put on its link, again after a broken link included
    settled: int = 0
    messages_handed: deque[str] = Factory(lambda: deque(maxlen=REMEMBERED))
    messages_settled: deque[str] = Factory(lambda: deque(maxlen=REMEMBERED))


@define(eq=False)
class Queue:
    """One device's deliveries by number, and where they go while it is connected."""

    waiting: dict[int, Delivery] = Factory(dict)
    numbers: dict[tuple[str, str, str, str], list[int]] = Factory(dict)
    sink: Sink | None = None
    ledger: Ledger = Factory(Ledger)


def settling_key(node: Node) -> tuple[str, str, str, str]:
    """Class, id, sender and (receipts only) type: what an acknowledgement repeats of a stanza."""
    kind = node.attr("type") or "" if node.tag == "receipt" else ""
    return node.tag, node.attr("id") or "", node.attr("from") or "", kind


class Deliveries:
    """The queues of all devices, by the device's hidden identifier."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queues: dict[JID, Queue] = {}
        self._next = 1
        for name, stored in store.load("delivery", Stored).items():
            device, _, number = name.rpartition("/")
            node = decode(stored.stanza)
            self._add(self._queue(JID.parse(device)), int(number), Delivery(node, settling_key(node)))
            self._next = max(self._next, int(number) + 1)

    def put(self, device: JID, node: Node) -> None:
        """Keep a stanza for a device and hand it over at once if the device is there."""
        queue, number = self._queue(device), self._next
        self._next += 1
        self._add(queue, number, Delivery(node, settling_key(node)))
        self._store.put("delivery", f"{device}/{number:015d}", Stored(encode(node)))
        if queue.sink is not None:
            self._hand(queue, node)

    def put_to_companions(self, account: Account, node: Node, *, but: int | None = None) -> None:
        """The same stanza for each of the account's companions, except for one."""
        for number in account.numbers:
            if number not in {PHONE, but}:
                self.put(account.lid_jid.with_device(number), node)

    def attach(self, device: JID, sink: Sink) -> int:
        """Hand over what waits and from now on everything at once; how many stanzas waited."""
        queue = self._queue(device)
        queue.sink = sink
        for i, delivery in enumerate(list(queue.waiting.values())):
            self._hand(queue, evolve(delivery.node, attrs={**delivery.node.attrs, "offline": i}))
        return len(queue.waiting)

    def detach(self, device: JID, sink: Sink) -> None:
        """Keep what comes from now on, unless somebody else took the device over meanwhile."""
        queue = self._queues.get(device)
        if queue is not None and queue.sink == sink:
            queue.sink = None

    def settle(self, device: JID, kind: str, stanza_id: str, sender: str, subtype: str = "") -> bool:
        """The device has a stanza; whether one was waiting for that."""
        queue = self._queue(device)
        numbers = queue.numbers.pop((kind, stanza_id, sender, subtype), [])
        for number in numbers:
            del queue.waiting[number]
            self._store.delete("delivery", f"{device}/{number:015d}")
            queue.ledger.settled += 1
            if kind == "message":
                queue.ledger.messages_settled.append(stanza_id)
        return bool(numbers)

    def forget(self, device: JID) -> None:
        """The device is no more."""
        self._queues.pop(device, None)
        self._store.delete_under("delivery", f"{device}/")

    def waiting(self, device: JID) -> list[Node]:
        """What the device has not settled, oldest first."""
        return [delivery.node for delivery in self._queue(device).waiting.values()]

    def ledgers(self) -> dict[JID, Ledger]:
        return {device: queue.ledger for device, queue in self._queues.items()}

    def _queue(self, device: JID) -> Queue:
        return self._queues.setdefault(device, Queue())

    def _add(self, queue: Queue, number: int, delivery: Delivery) -> None:
        queue.waiting[number] = delivery
        queue.numbers.setdefault(delivery.key, []).append(number)

    def _hand(self, queue: Queue, node: Node) -> None:
        assert queue.sink is not None
        queue.ledger.handed += 1
        if node.tag == "message":
            queue.ledger.messages_handed.append(node.attr("id") or "")
        queue.sink(node)
