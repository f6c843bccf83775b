"""Files: stored to be sent, listed, read, deleted; and those of messages."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from attrs import frozen
from quart import Blueprint, Response

from actors.egress import UrlForbidden
from actors.errors import MediaGone, MediaNotFound
from actors.media.download import file_in
from actors.media.errors import MediaFetchFailed, MediaTooLarge, MediaTypeUnsupported
from actors.media.intake import FromBytes, FromUrl
from actors.session.messages import Perform
from actors.whatsapp.client import Client
from api.caller import Scope
from api.checks import MismatchError
from api.constraints import exactly_one
from api.fields import DEFAULT_LIMIT, Base64, FileName, Limit, MimeType, Upload, WebUrl
from api.file_answers import ANY, file_answer
from api.operation import Where, operation
from api.performing import PERFORMING
from api.refusals import NotFound, RangeOutside
from api.services import services
from api.submission import stored
from storage.media import MediaFile, MediaSource
from storage.rows import Json, Message

routes = Blueprint("media", __name__)

_DOWNLOAD_WAIT = 150.0  # seconds; the download itself gives up before


@frozen(kw_only=True)
class _NewFile:
    """Exactly one of `file`, `url` and `base64`; a body of any other type is the file itself."""

    FILE_ALONE: ClassVar[bool] = True

    file: Upload | None = None
    url: WebUrl | None = None
    """From where the file is fetched: the public internet only, unless the operator has opened networks."""
    base64: Base64 | None = None
    file_name: FileName | None = None
    mime_type: MimeType | None = None
    """Counts where the bytes of a file do not tell what it is."""

    def __attrs_post_init__(self) -> None:
        if sum(each is not None for each in (self.file, self.url, self.base64)) != 1:
            raise MismatchError("give exactly one of file, url and base64", path="file")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield exactly_one("file", "url", "base64")


@frozen(kw_only=True)
class FileView:
    """A stored file. It can be sent any number of times by its id."""

    id: str
    session_id: str
    mime_type: str
    """What its bytes are."""
    size: int
    """In bytes."""
    sha256: str
    """In hexadecimal."""
    file_name: str | None
    source: MediaSource
    kind: str | None
    """As what it can be sent without being converted; null: it is as it came."""
    width: int | None
    height: int | None
    seconds: int | None
    animated: bool
    thumbnail: str | None
    """A small JPEG in base64."""
    content_url: str
    """Where its bytes are."""
    created_at: datetime
    expires_at: datetime | None
    """When it is deleted; null: when it is asked for."""


@frozen(kw_only=True)
class FilesPage:
    """Files, newest first; `cursor` leads to the next page, null: there is none."""

    media: tuple[FileView, ...]
    cursor: str | None


@frozen(kw_only=True)
class _Listing:
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


@operation(
    routes,
    "POST",
    "/media",
    scope=Scope.MEDIA,
    body=_NewFile,
    answers={201: FileView},
    errors=(UrlForbidden, MediaFetchFailed, MediaTooLarge, MediaTypeUnsupported),
)
async def store(session_id: str, body: _NewFile) -> FileView:
    """Store a file, as it is, to send it by its id later: once or many times."""
    source: FromUrl | FromBytes
    name: str | None = body.file_name
    kind: str | None = body.mime_type
    if body.url is not None:
        source = FromUrl(body.url)
    elif body.base64 is not None:
        source = FromBytes(body.base64)
    else:
        assert body.file is not None  # _NewFile has seen to it
        source = FromBytes(body.file.data)
        name, kind = name or body.file.name, kind or body.file.mime_type
    return file_view(await services().intake.keep(session_id, source, file_name=name, mime_type=kind))


@operation(
    routes, "GET", "/media", where=Where.ANY, scope=Scope.FILES, query=_Listing, answers={200: FilesPage}
)
async def listing(session_id: str, query: _Listing) -> FilesPage:
    """A session's files, newest first, a page at a time."""
    page = await services().media.listing(session_id, cursor=query.cursor, limit=query.limit)
    return FilesPage(media=tuple(map(file_view, page.items)), cursor=page.cursor)


@operation(
    routes,
    "GET",
    "/media/<media_id>",
    where=Where.ANY,
    scope=Scope.FILES,
    answers={200: FileView},
    errors=(MediaNotFound,),
)
async def get(session_id: str, media_id: str) -> FileView:
    """What is known of a file."""
    return file_view(await _file(session_id, media_id))


@operation(
    routes,
    "GET",
    "/media/<media_id>/content",
    where=Where.ANY,
    scope=Scope.FILES,
    answers={200: ANY, 206: ANY, 304: None},
    errors=(MediaNotFound, RangeOutside),
)
async def content(session_id: str, media_id: str) -> Response:
    """The bytes of a file; takes Range, If-Range, If-None-Match and HEAD."""
    return file_answer(await _file(session_id, media_id))


@operation(
    routes,
    "DELETE",
    "/media/<media_id>",
    where=Where.ANY,
    scope=Scope.MEDIA,
    answers={204: None},
    errors=(MediaNotFound,),
)
async def delete(session_id: str, media_id: str) -> None:
    """Delete a file. A message that waits to be sent with it fails."""
    if not await services().media.delete(session_id, media_id):
        raise MediaNotFound(media_id=media_id)


@operation(
    routes,
    "GET",
    "/messages/<message_id>/media",
    scope=Scope.READ,
    answers={200: ANY, 206: ANY, 304: None},
    errors=(NotFound, MediaGone, RangeOutside, *PERFORMING),
)
async def of_message(session_id: str, message_id: str) -> Response:
    """The bytes of a message's file, downloaded from WhatsApp now where it was not before.

    Takes Range, If-Range, If-None-Match and HEAD.
    """
    message = await stored(session_id, message_id)
    file = None
    if message.media_id is not None:
        file = await services().media.get(session_id, message.media_id)
    return file_answer(file or await _downloaded(message))


async def _downloaded(message: Message) -> MediaFile:
    if file_in(message.raw) is None:
        raise MediaGone(reason="The message has no file that could be downloaded.")
    downloader = services().downloader

    async def act(client: Client) -> MediaFile:
        return await downloader.file_of(client, message.session_id, message.id)

    session = services().sessions.ref(message.session_id)
    file: MediaFile = await session.call(Perform("media.download", act), timeout=_DOWNLOAD_WAIT)
    return file


async def _file(session_id: str, media_id: str) -> MediaFile:
    file = await services().media.get(session_id, media_id)
    if file is None:
        raise MediaNotFound(media_id=media_id)
    return file


def file_view(file: MediaFile) -> FileView:
    details = file.details
    return FileView(
        id=file.id,
        session_id=file.session_id,
        mime_type=file.mime_type,
        size=file.size,
        sha256=file.sha256.hex(),
        file_name=file.file_name,
        source=file.source,
        kind=details.get("kind"),
        width=details.get("width"),
        height=details.get("height"),
        seconds=details.get("seconds"),
        animated=details.get("animated", False),
        thumbnail=None if file.thumbnail is None else base64.b64encode(file.thumbnail).decode(),
        content_url=f"/api/sessions/{file.session_id}/media/{file.id}/content",
        created_at=file.created_at,
        expires_at=file.expires_at,
    )
