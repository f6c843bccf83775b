"""Connected means proven: when WhatsApp was last heard of, and the asking when that is too long ago."""

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import trio
from attrs import define, field

from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError


@define(eq=False)
class Liveness:
    """The signs of life of one session. Without one for `window` seconds WhatsApp is asked for one."""

    window: float
    probe_timeout: float
    last_inbound_at: datetime | None = field(default=None, init=False)
    """What WhatsApp delivered last."""
    last_pong_at: datetime | None = field(default=None, init=False)
    """The last answer to our asking."""
    _proven_at: float = field(default=-math.inf, init=False)

    def heard(self, at: float) -> None:
        """WhatsApp delivered something; `at` in Unix seconds."""
        self._proven_at = trio.current_time()
        self.last_inbound_at = datetime.fromtimestamp(at, UTC)

    async def watch(
        self,
        connected: Callable[[], tuple[Client, str] | None],
        dead: Callable[[Client], Awaitable[None]],
    ) -> None:
        """Ask when a connected client has been silent for the window; `dead` is told when no answer comes.

        `connected` gives the client and the number it may ask about, its own, while there is a connection.
        """
        while True:
            await trio.sleep(max(1.0, self._proven_at + self.window - trio.current_time()))
            found = connected()
            if found is None or trio.current_time() - self._proven_at < self.window:
                continue
            client, phone = found
            try:
                await client.is_on_whatsapp([phone], timeout=self.probe_timeout)
            except CellError:
                await dead(client)
            else:
                self._proven_at = trio.current_time()
                self.last_pong_at = datetime.now(UTC)
