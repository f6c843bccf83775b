"""Takes a file in: from a URL, a request or the store itself, in the form in which WhatsApp takes it.

What is said of a stored file besides its type and size (`details`), where it applies: `kind`, the MediaKind
whose form it has; `width` and `height` in pixels, `seconds`, `waveform` in base64, `animated`.
"""

import base64
import mimetypes
import re
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta
from pathlib import PurePosixPath
from typing import assert_never
from urllib.parse import unquote, urlsplit

from attrs import define, field, frozen

from actors import decoding
from actors.decoding import Converted, Decoders, sniff
from actors.errors import MediaNotFound
from actors.media.errors import MediaBusy, MediaTooLarge, MediaTypeUnsupported
from actors.media.fetch import Fetcher
from actors.media.limits import MediaLimits
from actors.media.room import Room
from actors.outgoing.content import MediaKind
from storage.media import MediaFile, MediaSource, MediaStore, digest
from storage.rows import Json, now

UNKNOWN = "application/octet-stream"

# What so many formats are made of that the bytes alone do not tell which one it is.
_VAGUE = frozenset({UNKNOWN, "application/zip", "text/plain", "application/xml", "application/x-ole-storage"})

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,99}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,99}")

_JOBS: dict[MediaKind, decoding.Job] = {
    MediaKind.IMAGE: decoding.Image(),
    MediaKind.VIDEO: decoding.Video(),
    MediaKind.GIF: decoding.Video(gif=True),
    MediaKind.VIDEO_NOTE: decoding.Video(),
    MediaKind.AUDIO: decoding.Audio(),
    MediaKind.VOICE: decoding.Voice(),
    MediaKind.DOCUMENT: decoding.Document(),
    MediaKind.STICKER: decoding.Sticker(),
}


@frozen
class FromUrl:
    """To be fetched."""

    url: str = field(repr=False)


@frozen
class FromBytes:
    """In the request, as it is."""

    data: bytes = field(repr=False)


@frozen
class FromStore:
    """Stored before, in the same session."""

    media_id: str


Source = FromUrl | FromBytes | FromStore


@frozen
class _Obtained:
    data: bytes = field(repr=False)
    origin: MediaSource
    file_name: str | None = None


@define(eq=False)
class Intake:
    """Takes files in, for all sessions."""

    store: MediaStore
    fetcher: Fetcher
    decoders: Decoders
    limits: MediaLimits = field(factory=MediaLimits)
    retention: timedelta | None = timedelta(days=30)
    """How long a file is kept; None: until it is deleted."""
    room: Room = field(factory=lambda: Room(256 << 20))
    """For files that are being fetched, or read out of the store to become something else."""

    async def obtain(
        self,
        session_id: str,
        source: Source,
        as_: MediaKind,
        *,
        file_name: str | None = None,
        mime_type: str | None = None,
    ) -> MediaFile:
        """A stored file of this session, in the form in which WhatsApp takes it `as_` that.

        A stored file that has that form already is answered as it is. `file_name` and `mime_type` are what
        the caller calls it; the type counts only for what its bytes do not tell, and never for what is shown.

        Raises UrlForbidden, MediaFetchFailed, MediaTooLarge, MediaTypeUnsupported, MediaBusy, MediaNotFound,
        WriteRefused (no such session), DatabaseUnavailable.
        """
        if isinstance(source, FromStore):
            file = await self._stored(session_id, source.media_id)
            if file.details.get("kind") == as_:
                return file
            mime_type = mime_type or file.mime_type
        limit = self.limits.of(as_)
        async with self._room(source, limit):
            taken = await self._taken(session_id, source, limit)
            return await self._convert(session_id, taken, as_, file_name, mime_type)

    async def keep(
        self,
        session_id: str,
        source: FromUrl | FromBytes,
        *,
        file_name: str | None = None,
        mime_type: str | None = None,
    ) -> MediaFile:
        """A stored file of this session with these very bytes, to be sent later as whatever it can become.

        Raises as `obtain` does.
        """
        limit = self.limits.largest
        async with self._room(source, limit):
            taken = await self._taken(session_id, source, limit)
            return await self._keep(session_id, taken, file_name, mime_type)

    async def portrait(self, session_id: str, source: Source) -> bytes:
        """The picture of a profile, a square JPEG; it is not stored. Raises as `obtain` does."""
        limit = self.limits.image
        async with self._room(source, limit):
            taken = await self._taken(session_id, source, limit)
            return (await self._decoded(decoding.Portrait(), taken.data)).data

    async def thumbnail(self, session_id: str, url: str) -> MediaFile:
        """A stored small JPEG of the picture at a URL, for the card of a link. Raises as `obtain` does."""
        limit = self.limits.image
        async with self.room.of(limit):
            taken = await self._taken(session_id, FromUrl(url), limit)
            converted = await self._decoded(decoding.Thumbnail(), taken.data)
        made = _Obtained(converted.data, MediaSource.FETCHED)
        return await self._store(session_id, made, None, converted.mime_type, _details(converted, None))

    def _room(self, source: Source, limit: int) -> AbstractAsyncContextManager[None]:
        """Room for a file that is on its way; one that came with the request has had its own."""
        return nullcontext() if isinstance(source, FromBytes) else self.room.of(limit)

    async def _taken(self, session_id: str, source: Source, limit: int) -> _Obtained:
        match source:
            case FromStore(media_id=media_id):
                file = await self._stored(session_id, media_id)
                _check(file.size, limit)
                return _Obtained(await self._content(file), file.source, file.file_name)
            case FromUrl(url=url):
                fetched = await self.fetcher.fetch(url, limit=limit)
                return _Obtained(fetched.data, MediaSource.FETCHED, _name_in(fetched.url))
            case FromBytes(data=data):
                _check(len(data), limit)
                return _Obtained(data, MediaSource.UPLOAD)
            case _:
                assert_never(source)

    async def _stored(self, session_id: str, media_id: str) -> MediaFile:
        file = await self.store.get(session_id, media_id)
        if file is None:
            raise MediaNotFound(media_id=media_id)
        return file

    async def _content(self, file: MediaFile) -> bytes:
        try:
            return await self.store.content(file)
        except LookupError:
            raise MediaNotFound(media_id=file.id) from None

    async def _convert(
        self, session_id: str, taken: _Obtained, as_: MediaKind, file_name: str | None, mime_type: str | None
    ) -> MediaFile:
        name = file_name or taken.file_name
        if as_ is MediaKind.DOCUMENT:
            told = told_type(taken.data, name, mime_type)
            return await self._store(session_id, taken, name, told, {"kind": str(as_)})
        converted = await self._decoded(_JOBS[as_], taken.data)
        made = _Obtained(converted.data, taken.origin)
        return await self._store(
            session_id, made, name, converted.mime_type, _details(converted, as_), converted.thumbnail
        )

    async def _keep(
        self, session_id: str, taken: _Obtained, file_name: str | None, mime_type: str | None
    ) -> MediaFile:
        name = file_name or taken.file_name
        return await self._store(session_id, taken, name, told_type(taken.data, name, mime_type), {})

    async def _decoded(self, job: decoding.Job, data: bytes) -> Converted:
        try:
            return await self.decoders.convert(job, data)
        except decoding.TooLarge as error:
            raise MediaTooLarge(f"{error.limit} {error.what}") from None
        except decoding.Busy as error:
            raise MediaBusy(error.retry_after) from None
        except decoding.DecodingError as error:
            raise MediaTypeUnsupported(str(error)) from None

    async def _store(
        self,
        session_id: str,
        taken: _Obtained,
        file_name: str | None,
        mime_type: str,
        details: Json,
        thumbnail: bytes | None = None,
    ) -> MediaFile:
        at = now()
        file = MediaFile(
            session_id=session_id,
            sha256=await digest(taken.data),
            mime_type=mime_type,
            size=len(taken.data),
            file_name=file_name,
            source=taken.origin,
            details=details,
            thumbnail=thumbnail,
            created_at=at,
            expires_at=None if self.retention is None else at + self.retention,
        )
        await self.store.put(file, taken.data)
        return file


def told_type(data: bytes, file_name: str | None, claimed: str | None) -> str:
    """What a file is: its bytes tell; where they tell little (a spreadsheet is a zip), whoever gave it."""
    sniffed = sniff(data) or UNKNOWN
    if sniffed not in _VAGUE:
        return sniffed
    guessed, packed = mimetypes.guess_type(file_name or "", strict=True)
    if claimed is not None and _TYPE.fullmatch(claimed):
        return claimed
    return sniffed if packed else guessed or sniffed


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise MediaTooLarge(f"{limit} bytes")


def plain_name(name: str) -> str | None:
    """A file's name without any path, fit to be stored and shown; None where nothing is left of it."""
    name = "".join(character for character in PurePosixPath(name).name if character.isprintable())
    return name[-200:] or None


def _name_in(url: str) -> str | None:
    """The file's name, where a URL ends with one."""
    return plain_name(unquote(urlsplit(url).path, errors="replace"))


def _details(converted: Converted, kind: MediaKind | None) -> Json:
    known = {
        "kind": None if kind is None else str(kind),
        "width": converted.width,
        "height": converted.height,
        "seconds": converted.seconds,
        "waveform": None if converted.waveform is None else base64.b64encode(converted.waveform).decode(),
        "animated": converted.animated or None,
    }
    return {name: value for name, value in known.items() if value is not None}
