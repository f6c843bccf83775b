"""Messages that came again although nothing of them is stored: told as lost, once, when that is certain.

The client decrypts a message, acknowledges it to WhatsApp and hands it over. Where it dies in between, the
message may be delivered once more, but cannot be decrypted twice: only its id, chat and sender are known.
"""

import math
from datetime import datetime

import trio
from attrs import define, field

from runtime import Ref
from storage.errors import DatabaseUnavailable
from storage.reads import Reads
from storage.rows import Json, now
from storage.writes import Append, NewEvent, TellLost

_AGAIN = 0.5  # seconds until the database is asked again that was away


@define(eq=False)
class LostMessages:
    """Those of one session. What is untold is in the database, so that it is told after any restart."""

    session_id: str
    reads: Reads
    writer: Ref
    grace: float = 3.0
    """Seconds, once all is stored that came before, for what may come yet: a message's second part, say."""
    _heard: trio.Event = field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._heard.set()  # there may be some from before

    def heard(self) -> None:
        """One was given to the writer."""
        self._heard.set()

    async def run(self) -> None:
        """Tell of them, for as long as the session's actor lives."""
        while True:
            await self._heard.wait()
            self._heard = trio.Event()
            until = now()
            # The writer keeps the order: once it has done this, it has stored all that it was given before.
            await self.writer.call(Append(self.session_id), timeout=math.inf)
            await trio.sleep(self.grace)
            for wa_id, data in await self._untold(until):
                events = (NewEvent("messages.lost", data),)
                await self.writer.cast(TellLost(session_id=self.session_id, wa_id=wa_id, events=events))

    async def _untold(self, until: datetime) -> list[tuple[str, Json]]:
        while True:
            try:
                return await self.reads.untold(self.session_id, until)
            except DatabaseUnavailable:
                await trio.sleep(_AGAIN)
