"""Brings the files of messages from WhatsApp's media host into the store."""

import base64
import math
from datetime import timedelta
from typing import Any

import trio
from attrs import define, field

from actors.errors import MediaGone
from actors.media.intake import plain_name, told_type
from actors.media.room import Room
from actors.media.stats import MediaStats
from actors.whatsapp.client import Client
from actors.whatsapp.errors import WhatsAppError
from actors.whatsapp.proto import e2e
from actors.whatsapp.wrapping import media_part, unwrapped
from runtime import Ref, SupervisionError
from storage.errors import DatabaseUnavailable, WriteRefused
from storage.media import MediaFile, MediaSource, MediaStore, digest
from storage.reads import Reads
from storage.rows import Json, Message, now
from storage.writes import NewEvent, UpdateMessage, Written

TIMEOUT = 120.0
"""Seconds for a file of the largest size."""

_GONE = {403, 404, 410}
_JPEG = b"\xff\xd8\xff"


@define(eq=False)
class Downloader:
    """Downloads for all sessions of this gateway. A file that two ask for is downloaded once."""

    store: MediaStore
    writer: Ref
    reads: Reads
    limit: int = 100 << 20
    """Bytes; a larger file stays where it is."""
    retention: timedelta | None = timedelta(days=30)
    room: Room = field(factory=lambda: Room(256 << 20))
    """Of its own: slow servers that others have files fetched from do not keep it waiting."""
    stats: MediaStats = field(factory=MediaStats)
    _under_way: dict[tuple[str, str], trio.Event] = field(factory=dict, init=False)

    async def file_of(self, client: Client, session_id: str, message_id: str) -> MediaFile:
        """The stored file of a message, downloaded by this client of its session where it is not stored yet.

        Raises MediaGone, CellErrors, WriteRefused (the session was deleted), DatabaseUnavailable.
        """
        while (other := self._under_way.get((session_id, message_id))) is not None:
            await other.wait()
        done = self._under_way[session_id, message_id] = trio.Event()
        try:
            message = await self.reads.message(session_id, message_id)
            if message is None:
                raise MediaGone(reason="There is no such message.")
            if message.media_id is not None:
                file = await self.store.get(session_id, message.media_id)
                if file is not None:
                    return file
            return await self._counted(client, message)
        finally:
            del self._under_way[session_id, message_id]
            done.set()

    async def _counted(self, client: Client, message: Message) -> MediaFile:
        outcome = "failed"
        try:
            file = await self._download(client, message)
            outcome = "downloaded"
        except MediaGone:
            outcome = "gone"
            raise
        finally:
            self.stats.downloads[outcome] += 1
        return file

    async def _download(self, client: Client, message: Message) -> MediaFile:
        found = file_in(message.raw)
        if found is None:
            raise MediaGone(reason="The message has no file that could be downloaded.")
        whole, part = found
        if part.fileLength > self.limit:
            raise MediaGone(reason=f"The file is larger than is taken here: {part.fileLength} bytes.")
        async with self.room.of(part.fileLength):
            try:
                data = await client.download(whole, timeout=TIMEOUT)
            except WhatsAppError as error:
                if error.code in _GONE:
                    raise MediaGone(reason="WhatsApp has the file no longer.") from None
                raise
            return await self._keep(message, part, data)

    async def _keep(self, message: Message, part: Any, data: bytes) -> MediaFile:
        at = now()
        name = plain_name(getattr(part, "fileName", ""))
        thumbnail = bytes(getattr(part, "JPEGThumbnail", b""))
        file = MediaFile(
            session_id=message.session_id,
            sha256=await digest(data),
            mime_type=told_type(data, name, part.mimetype or None),
            size=len(data),
            file_name=name,
            source=MediaSource.INBOUND,
            details=_details(part),
            thumbnail=thumbnail if thumbnail.startswith(_JPEG) else None,
            created_at=at,
            expires_at=None if self.retention is None else at + self.retention,
        )
        await self.store.put(file, data)
        found = UpdateMessage(
            session_id=message.session_id,
            id=message.id,
            media_id=file.id,
            events=(NewEvent("messages.media", _announced(message, file), at),),
        )
        try:
            written: Written = await self.writer.call(found, timeout=math.inf)
        except SupervisionError as error:
            raise DatabaseUnavailable(type(error).__name__) from error
        if not written.applied:
            await self.store.delete(message.session_id, file.id)
            raise WriteRefused("unknown_session")
        return file


def file_in(raw: bytes | None) -> tuple[Any, Any] | None:
    """The file of a stored message: a `waE2E.Message` for a client to download, and its part."""
    if raw is None:
        return None
    part = media_part(unwrapped(e2e.Message.FromString(raw)))
    if part is None or not part.directPath:
        return None
    match part.DESCRIPTOR.name:
        case "ImageMessage":
            return e2e.Message(imageMessage=part), part
        case "VideoMessage":  # a round one too, which the client library does not know by its own name
            return e2e.Message(videoMessage=part), part
        case "AudioMessage":
            return e2e.Message(audioMessage=part), part
        case "DocumentMessage":
            return e2e.Message(documentMessage=part), part
        case "StickerMessage":
            return e2e.Message(stickerMessage=part), part
        case _:
            return None


def _details(part: Any) -> Json:
    """What the sender says of its file: not where it is shown or converted, but good to know."""
    known = {name: getattr(part, name, 0) for name in ("width", "height", "seconds")}
    waveform = bytes(getattr(part, "waveform", b""))[:256]
    details: Json = {name: int(value) for name, value in known.items() if value}
    if waveform:
        details["waveform"] = base64.b64encode(waveform).decode()
    if getattr(part, "isAnimated", False):
        details["animated"] = True
    return details


def _announced(message: Message, file: MediaFile) -> Json:
    key: Json = {"remoteJid": message.chat, "fromMe": message.from_me, "id": message.public_id}
    if message.sender != message.chat and not message.from_me:
        key["participant"] = message.sender
    return {"key": key, "mediaId": file.id, "mimeType": file.mime_type, "size": file.size}
