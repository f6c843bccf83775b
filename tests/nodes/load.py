"""Messages both ways through any node, and those that are told of all that happens meanwhile."""

import random
import time
from contextlib import suppress

import httpx
import trio
from attrs import define, field

from tests.nodes.stage import Stage
from tests.whole.asking import Story
from tests.whole.consumers import Listener, Told, UnreliableEndpoint
from tests.whole.inbound import Inbound, settled_ids, what_became
from tests.whole.processes import Session

__all__ = ["Load"]

LISTENERS = 3
EACH_WAY = 15
"""Messages a second, of all sessions together: what two cores bear beside all else."""
OFTEN = 1.0
"""Seconds between two messages of a session, at least: nobody writes to one person faster."""


@define(eq=False)
class Load:
    """What goes on for as long as it lasts."""

    on: Stage
    chance: random.Random
    endpoint: UnreliableEndpoint
    story: Story = field(init=False)
    listeners: list[Listener] = field(init=False)
    reader: Told = field(factory=lambda: Told("reader"), init=False)
    written: dict[str, dict[str, float]] = field(factory=dict, init=False)
    """By session, what was written to it and taken by the network: by each message's id, when (Unix time)."""
    stop: trio.Event = field(factory=trio.Event, init=False)
    _pause: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pause = max(OFTEN, len(self.on.sessions) / EACH_WAY)
        self.story = Story(self.on.anywhere, self._another(), self._pause, patience=8)
        self.listeners = [
            Listener(Told(f"listener {n}"), self._another(), self.on.anywhere) for n in range(LISTENERS)
        ]

    def _another(self) -> random.Random:
        return random.Random(self.chance.random())

    @property
    def consumers(self) -> list[Told]:
        return [self.endpoint.count(), self.reader, *(listener.told for listener in self.listeners)]

    def watch(self, nursery: trio.Nursery) -> None:
        """Be told of everything until the nursery is cancelled."""
        nursery.start_soon(self._read)
        for listener in self.listeners:
            nursery.start_soon(listener.run)

    def begin(self, nursery: trio.Nursery) -> None:
        """Write and send until `stop`, and until every request has its outcome."""
        for session in self.on.sessions:
            partner = self.on.partners[session.id]
            nursery.start_soon(self._write, session, partner)
            nursery.start_soon(self.story.send, session, partner, self.stop)

    async def all_delivered(self) -> bool:
        """Whether WhatsApp is rid of all that was written."""
        for session in self.on.sessions:
            if not self.written[session.id].keys() <= await settled_ids(self.on.wa, session):
                return False
        return True

    async def all_told(self) -> bool:
        """Whether every consumer has every event, or a later one, of every session."""
        lasts = {name: last for name, (_, last, _) in (await self.on.events()).items()}
        return all(each.last.get(name, 0) >= last for each in self.consumers for name, last in lasts.items())

    async def inbound(self) -> dict[str, Inbound]:
        """By session, what became of what was written to it."""
        found: dict[str, Inbound] = {}

        async def one(session: Session) -> None:
            written = self.written[session.id].keys()
            found[session.id] = await what_became(self.on.anywhere(), self.on.wa, session, written)

        async with trio.open_nursery() as nursery:
            for session in self.on.sessions:
                nursery.start_soon(one, session)
        return found

    async def _write(self, session: Session, partner: str) -> None:
        written = self.written.setdefault(session.id, {})
        while not self.stop.is_set():
            message_id = await self.on.wa.write(partner, session.phone, f"message {len(written)}")
            written[message_id] = time.time()
            await trio.sleep(self._pause)

    async def _read(self) -> None:
        """Read the log page by page, each of any node."""
        while True:
            with suppress(httpx.HTTPError):
                path = f"/api/events?after={self.reader.cursor}&limit=500"
                answer = await self.on.anywhere().http.get(path, timeout=5)
                if answer.is_success:
                    for event in answer.json()["events"]:
                        self.reader.take(event)
            await trio.sleep(0.2)
