"""A client's connection as the network sees it: stanzas leave in order, each after its news is stored."""

import math
from collections.abc import Callable

import trio

from loopback.accounts import Account, Device
from loopback.faults import Faults, Kind
from loopback.logins import Login
from loopback.store import Store
from loopback.wire.link import Link, LinkClosed
from loopback.wire.node import JID, Node

__all__ = ["Connection"]

# A client drops what it has not handled yet when its socket closes, the news why included. It closes
# by itself after such news; this is how long it gets (seconds).
LINGER = 1.0


class Connection:
    """A link with the device that logged in over it, or with nobody yet while it is being paired."""

    def __init__(self, link: Link, store: Store, faults: Faults) -> None:
        self.link = link
        self.account: Account | None = None
        self.device: Device | None = None
        self.login: Login | None = None
        self.active = False  # the client asked for its messages
        self.available = False  # its user is in front of it
        self.phone_hint: str | None = None  # the number it says it is, before it is believed
        self._store = store
        self._faults = faults
        self._finished = False
        self._outbox, self._stanzas = trio.open_memory_channel[tuple[float, Node]](math.inf)

    @property
    def phone(self) -> str | None:
        return self.account.phone if self.account is not None else self.phone_hint

    @property
    def jid(self) -> JID:
        """The device's address by hidden identifier. Only after login."""
        assert self.account is not None
        assert self.device is not None
        return self.account.lid_jid.with_device(self.device.number)

    def send(self, node: Node) -> None:
        """Send a stanza after all before it. Nothing happens once the connection is finished."""
        if self._finished:
            return
        delay = self._faults.peek(Kind.DELAY, self.phone)
        due = trio.current_time() + (delay.delay_ms / 1000 if delay is not None else 0.0)
        self._outbox.send_nowait((due, node))

    def finish(self, last: Node) -> None:
        """Send a last stanza, listen no more and close the link when the client had the time to close it."""
        self.send(last)
        self._finished = True
        self._outbox.close()

    async def cut(self) -> None:
        """Close the link at once."""
        self._finished = True
        self._outbox.close()
        await self.link.aclose()

    async def run(self, handle: Callable[["Connection", Node], None]) -> None:
        """Exchange stanzas until the link is gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            try:
                while True:
                    node = await self.link.receive()
                    if not self._finished:
                        handle(self, node)
                        self._store.commit()
                    await trio.lowlevel.checkpoint()  # a client that sends without pause shares the loop
            except LinkClosed:
                nursery.cancel_scope.cancel()
            finally:
                self._finished = True

    async def _write(self) -> None:
        try:
            async for due, node in self._stanzas:
                await trio.sleep_until(due)
                await self._faults.released(self.phone)
                self._store.commit()
                await self.link.send(node)
            # One that lives answers, which shows in the record of logins where another took its device over.
            await self.link.ping()
            await trio.sleep(LINGER)
        except LinkClosed:
            return
        finally:
            with trio.CancelScope(shield=True):
                await self.link.aclose()
