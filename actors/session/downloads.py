"""The files of a session's messages, brought into the media store as the messages arrive.

What is not brought then, because too much came at once or WhatsApp was out of reach, is when it is asked for.
"""

import logging
import math
from collections.abc import Callable

import trio
from attrs import define, field

from actors.errors import MediaGone, SessionError
from actors.media.download import Downloader
from actors.whatsapp.client import Client
from actors.whatsapp.errors import CellError, LinkLost, NotConnected
from actors.whatsapp.events import MessageArrived
from actors.whatsapp.wrapping import media_part, unwrapped
from runtime import Ref, SupervisionError
from storage.errors import StorageError
from storage.writes import Append

log = logging.getLogger("session")

_WAITING = 256  # messages whose file is not yet asked for
_AT_ONCE = 2
_PAUSES = (1.0, 5.0)  # seconds before trying again when the link to WhatsApp broke


@define(eq=False)
class Downloads:
    """Downloads for one session, a few at once."""

    session_id: str
    downloader: Downloader
    writer: Ref
    connected_client: Callable[[], Client]
    """Raises SessionError."""
    _put: trio.MemorySendChannel[str] = field(init=False)
    _take: trio.MemoryReceiveChannel[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[str](_WAITING)

    def offer(self, event: MessageArrived) -> None:
        """A message whose writes were handed to the writer. Never waits."""
        if media_part(unwrapped(event.message)) is None:
            return
        try:
            self._put.send_nowait(event.id)
        except trio.WouldBlock:
            log.info("download_put_off session=%s reason=many_wait", self.session_id)

    async def run(self) -> None:
        """Download what is offered, for as long as the session's actor lives."""
        async with trio.open_nursery() as nursery:
            for _ in range(_AT_ONCE):
                nursery.start_soon(self._work)

    async def _work(self) -> None:
        async for message_id in self._take:
            try:
                # The writer takes its writes in order: once this is through, so is the message.
                await self.writer.call(Append(self.session_id), timeout=math.inf)
                await self._download(message_id)
            except MediaGone as error:
                log.info("not_downloaded session=%s reason=%s", self.session_id, error.reason)
            except (SessionError, CellError, StorageError, SupervisionError) as error:
                log.info("download_put_off session=%s reason=%s", self.session_id, type(error).__name__)

    async def _download(self, message_id: str) -> None:
        for pause in _PAUSES:
            try:
                await self.downloader.file_of(self.connected_client(), self.session_id, message_id)
            except (NotConnected, LinkLost):
                await trio.sleep(pause)
            else:
                return
        await self.downloader.file_of(self.connected_client(), self.session_id, message_id)
