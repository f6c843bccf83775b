"""Carries out what the state machine decides about a session's client, one step after the other."""

import logging
import math
import time
from collections.abc import Callable
from typing import assert_never

import trio
from attrs import define, field, frozen

from actors.cells import CellPool
from actors.session.settings import SessionConfig
from actors.session.stats import SessionStats
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError, DeviceMissing
from runtime import Ref
from storage.errors import DatabaseUnavailable

log = logging.getLogger("session")


@frozen(kw_only=True)
class AttachClient:
    """Start a client in a cell."""

    at: float  # in trio's time, not before
    jid: str | None  # the paired device; None: it is to be paired
    after: int  # a journal record up to which all are stored
    seen: int  # the last one that was taken over
    device_name: str
    full_history: bool
    proxy: str | None = field(repr=False)


@frozen
class DetachClient:
    """End the client; what it received until then has come as notices afterwards."""


@frozen
class ForgetKeys:
    """Delete the device's keys."""

    jid: str | None  # None: none was paired


@frozen
class Answer:
    """Tell whoever waits for all steps before."""

    tell: Callable[[], object]


KeeperStep = AttachClient | DetachClient | ForgetKeys | Answer


@frozen
class AttachFailed:
    """Cast to the session when a client could not be started."""

    reason: str
    device_missing: bool  # the stored keys are gone: only pairing anew helps


@define(eq=False)
class Keeper:
    """Owns the client of one session."""

    session_id: str
    session: Ref
    pool: CellPool
    config: SessionConfig
    stats: SessionStats
    epoch: int | None = None
    client: Client | None = field(default=None, init=False)
    attached_at: float = field(default=math.inf, init=False)
    """Unix seconds; what was delivered earlier comes from an earlier client's journal."""
    attached: int = field(default=0, init=False)
    """Clients started so far."""
    _starting: trio.CancelScope | None = field(default=None, init=False)
    _put: trio.MemorySendChannel[KeeperStep] = field(init=False)
    _take: trio.MemoryReceiveChannel[KeeperStep] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[KeeperStep](math.inf)

    def do(self, step: KeeperStep) -> None:
        """Queue a step. Detaching gives up on a client that waits for its turn or is still being started."""
        if isinstance(step, DetachClient) and self._starting is not None:
            self._starting.cancel()
        self._put.send_nowait(step)

    def heard(self, client: Client) -> None:
        """A client that is being started has spoken before its start was confirmed: it is there."""
        if self.client is None and self._starting is not None:
            self.client = client

    def lost(self, client: Client) -> bool:
        """Whether this was the session's client; it is gone."""
        if client is not self.client:
            return False
        self.client = None
        return True

    async def run(self) -> None:
        """Carry the steps out, for as long as the session's actor lives."""
        async for step in self._take:
            match step:
                case AttachClient():
                    await self._attach(step)
                case DetachClient():
                    await self.detach()
                case ForgetKeys(jid=jid):
                    await self._forget(jid)
                case Answer(tell=tell):
                    tell()
                case _:
                    assert_never(step)

    async def detach(self) -> None:
        """End the client, if there is one."""
        client, self.client = self.client, None
        if client is not None:
            await client.stop()

    async def _forget(self, jid: str | None) -> None:
        try:
            await self.config.devices.forget(self.session_id, jid)
        except DatabaseUnavailable:
            # WhatsApp takes them no more. Waiting on would keep the session from being paired anew.
            log.error("keys_not_deleted session=%s", self.session_id)  # noqa: TRY400

    async def _attach(self, step: AttachClient) -> None:
        try:
            with trio.CancelScope() as self._starting:
                await trio.sleep_until(step.at)
                self.attached_at = time.time()
                self.attached += 1
                self.stats.clients += 1
                self.client = await self.pool.attach(
                    self.session_id,
                    self.session,
                    device_store=self.config.devices,
                    jid=step.jid,
                    after=step.after,
                    seen=step.seen,
                    journal_dir=self.config.journal(self.session_id, self.epoch),
                    device_name=step.device_name,
                    full_history=step.full_history,
                    proxy=step.proxy,
                )
        except CellError as error:
            self.client = None
            log.warning("client_not_started session=%s error=%s", self.session_id, type(error).__name__)
            await self.session.cast(AttachFailed(str(error), isinstance(error, DeviceMissing)))
        finally:
            self._starting = None
