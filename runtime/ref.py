"""The address of an actor: valid from construction on, and over restarts."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, current_task

from runtime.errors import ActorGone, CallTimeout, MailboxFull
from runtime.mailbox import Envelope, Mailbox, Overflow
from runtime.monitor import Monitor
from runtime.reply import Reply

log = logging.getLogger("runtime")


class Place(Protocol):
    """What a ref knows of the slot behind it."""

    @property
    def id(self) -> str: ...
    @property
    def token(self) -> trio.lowlevel.TrioToken | None: ...
    def dead_letter(self, message: object, reason: str) -> None: ...
    def watch(self, monitor: Monitor) -> Monitor: ...


class Ref:
    """Sends messages to one actor, whichever of its lives takes them."""

    __slots__ = ("_mailbox", "_place")

    def __init__(self, place: Place, mailbox: Mailbox) -> None:
        self._place = place
        self._mailbox = mailbox

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    @property
    def id(self) -> str:
        return self._place.id

    async def call(self, message: object, timeout: float = 5.0) -> Any:
        """Sends a message and returns the handler's value.

        Raises the handler's domain error; ActorDied when the actor dies of it, ActorGone when nothing will
        handle it, MailboxFull when its mailbox rejects or drops it, CallTimeout after `timeout` seconds, the
        wait for room included. A request whose caller left is skipped if it was not begun.
        """
        await checkpoint_if_cancelled()
        mailbox = self._mailbox
        reply = Reply(current_task())
        envelope = Envelope(message, reply, trio.current_time())
        if not mailbox.offer(envelope):
            if mailbox.closed:
                await cancel_shielded_checkpoint()
                raise ActorGone(self.id)
            if mailbox.overflow is Overflow.REJECT:
                await cancel_shielded_checkpoint()
                raise MailboxFull(self.id)
            mailbox.queue(envelope)
        try:
            with trio.move_on_after(timeout):
                return await reply.wait(lambda: mailbox.withdraw(envelope))
            raise CallTimeout(self.id, timeout)
        finally:
            if mailbox.calls is not None:
                mailbox.calls.observe(trio.current_time() - envelope.at)

    async def cast(self, message: object) -> None:
        """Sends a message without waiting for its handling; always a checkpoint.

        Never raises for an actor that is gone: the message becomes a dead letter. Raises MailboxFull when the
        mailbox rejects it.
        """
        await checkpoint_if_cancelled()
        mailbox = self._mailbox
        envelope = Envelope(message, None, trio.current_time())
        if mailbox.offer(envelope):
            await cancel_shielded_checkpoint()
        elif mailbox.closed:
            self._place.dead_letter(message, "gone")
            await cancel_shielded_checkpoint()
        elif mailbox.overflow is Overflow.REJECT:
            await cancel_shielded_checkpoint()
            raise MailboxFull(self.id)
        elif not await mailbox.wait_for_room(envelope):
            self._place.dead_letter(message, "gone")

    def put_from_thread(self, message: object, *, block: bool = False) -> bool:
        """Sends a message from a thread that is not trio's. Never raises; False when it is known to be lost.

        Without room it becomes a dead letter (`full`); with `block` the thread waits for room instead, under
        any overflow policy, until the actor or the loop ends.
        """
        token = self._place.token
        if token is None:
            return False
        try:
            if block:
                return trio.from_thread.run(self._put_and_wait, message, trio_token=token)
            alive = not self._mailbox.closed
            token.run_sync_soon(self._put, message)
        except (trio.RunFinishedError, trio.Cancelled):  # the loop has ended, or ends
            return False
        return alive

    def monitor(self) -> Monitor:
        """Watches for the actor's final end; see Monitor."""
        return self.watch(Monitor())

    def watch(self, monitor: Monitor) -> Monitor:
        """Points a monitor of the runtime's own making at this actor."""
        return self._place.watch(monitor)

    def _put(self, message: object) -> None:
        # Called by the loop, where an exception would end the program.
        try:
            mailbox = self._mailbox
            if not mailbox.offer(Envelope(message, None, trio.current_time())):
                self._place.dead_letter(message, "gone" if mailbox.closed else "full")
        except Exception:
            log.exception("message_from_thread_lost recipient=%s", self.id)

    async def _put_and_wait(self, message: object) -> bool:
        mailbox = self._mailbox
        envelope = Envelope(message, None, trio.current_time())
        if mailbox.offer(envelope) or (not mailbox.closed and await mailbox.wait_for_room(envelope)):
            return True
        self._place.dead_letter(message, "gone")
        return False
