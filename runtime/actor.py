"""The base class of actors: state of one's own, one message at a time."""

# ruff: noqa: A002 - `id` and `exit` are the public names of the notions

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import trio

from runtime.exits import Exit
from runtime.mailbox import Envelope
from runtime.monitor import Down, Monitor
from runtime.ref import Ref
from runtime.reply import Reply

if TYPE_CHECKING:
    from runtime.life import Life
    from runtime.supervisor import Supervisor


class Actor:
    """Subclass it, and give the class (or a functools.partial of it) to a ChildSpec as `start`.

    Each life is a new instance. An exception from a method, or from a task in `nursery`, ends the life; one
    of the `domain_errors`, raised by `handle`, is an answer instead.
    """

    domain_errors: ClassVar[tuple[type[Exception], ...]] = ()
    """What `handle` may raise at its caller without dying of it (for a cast it is dropped)."""

    ref: Ref
    """Its own address; as the two below, set before `on_start`."""
    supervisor: Supervisor
    nursery: trio.Nursery
    """For its own tasks; cancelled when the life ends, after `on_stop` if none of them failed."""

    _life: Life | None = None

    async def on_start(self) -> None:
        """The actor is ready when this returns; raising makes its start fail."""

    async def handle(self, message: Any) -> Any:
        """Takes one message (a monitor's Down too). The return value is the answer."""
        raise NotImplementedError

    async def on_stop(self, exit: Exit) -> None:
        """Runs after an orderly stop, after `stop` and after a crash; never when killed.

        After a crash it has the spec's `shutdown` seconds; stopped by the supervisor, what is left of them.
        """

    def stop(self, exit: Exit = Exit.normal) -> None:
        """Ends this life after the message in hand, with that exit. A stop under way is not changed."""
        self._living().leave(exit)

    def monitor(self, ref: Ref) -> Monitor:
        """Watches `ref` while this life lasts: the Down comes to `handle`, ahead of all user messages."""
        life = self._living()

        def deliver(down: Down) -> None:
            life.mailbox.offer_system(Envelope(down, None, trio.current_time()))

        monitor = Monitor(deliver)
        monitor.keep_in(life.monitors)
        return ref.watch(monitor)

    def defer(self) -> Reply:
        """Takes over the answering of the message in hand; what `handle` returns is then ignored.

        Any task of the actor may answer later. Raises RuntimeError outside of `handle`.
        """
        return self._living().defer()

    def _living(self) -> Life:
        if self._life is None:
            raise RuntimeError("an actor lives under a supervisor only")
        return self._life
