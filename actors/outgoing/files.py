"""Messages with a file on WhatsApp's media host: pictures, films, sound, documents, stickers, albums."""

import base64
import time
from typing import Any, assert_never

from actors.errors import NotSupported
from actors.outgoing.content import AlbumHeader, Media, MediaKind
from actors.outgoing.target import Target
from actors.whatsapp import client as wa
from actors.whatsapp.proto import e2e
from actors.whatsapp.wrapping import may_have
from storage.media import MediaFile


def upload_kind(kind: MediaKind) -> wa.MediaKind:
    """As what a file is encrypted and put on the media host."""
    match kind:
        case MediaKind.IMAGE | MediaKind.STICKER:
            return wa.MediaKind.IMAGE
        case MediaKind.VIDEO | MediaKind.GIF | MediaKind.VIDEO_NOTE:
            return wa.MediaKind.VIDEO
        case MediaKind.AUDIO | MediaKind.VOICE:
            return wa.MediaKind.AUDIO
        case MediaKind.DOCUMENT:
            return wa.MediaKind.DOCUMENT
        case _:
            assert_never(kind)


def file_message(content: Media, file: MediaFile, uploaded: wa.Uploaded) -> Any:
    """The message that shows a file which lies on the media host.

    Raises NotSupported for what cannot be seen but once, where it is to be.
    """
    message = e2e.Message()
    match content.kind:
        case MediaKind.IMAGE:
            part = message.imageMessage
        case MediaKind.VIDEO:
            part = message.videoMessage
        case MediaKind.GIF:
            part = message.videoMessage
            part.gifPlayback = True
        case MediaKind.VIDEO_NOTE:
            part = message.ptvMessage
        case MediaKind.AUDIO:
            part = message.audioMessage
        case MediaKind.VOICE:
            part = message.audioMessage
            part.PTT = True
            if waveform := file.details.get("waveform"):
                part.waveform = base64.b64decode(waveform)
        case MediaKind.DOCUMENT:
            part = message.documentMessage
            part.fileName = part.title = content.file_name or file.file_name or "file"
        case MediaKind.STICKER:
            part = message.stickerMessage
            part.isAnimated = bool(file.details.get("animated"))
            part.stickerSentTS = int(time.time() * 1000)
        case _:
            assert_never(content.kind)
    _put_file(part, file, uploaded)
    if content.caption and may_have(part, "caption"):
        part.caption = content.caption
    return _wrapped(message, part, content)


def _put_file(part: Any, file: MediaFile, uploaded: wa.Uploaded) -> None:
    part.URL = uploaded.url
    part.directPath = uploaded.direct_path
    part.mediaKey = uploaded.media_key
    part.fileEncSHA256 = uploaded.file_enc_sha256
    part.fileSHA256 = uploaded.file_sha256
    part.fileLength = uploaded.file_length
    part.mediaKeyTimestamp = int(time.time())
    part.mimetype = file.mime_type
    for name in ("width", "height", "seconds"):
        if may_have(part, name) and (value := file.details.get(name)):
            setattr(part, name, value)
    if file.thumbnail and may_have(part, "JPEGThumbnail"):
        part.JPEGThumbnail = file.thumbnail


def _wrapped(message: Any, part: Any, content: Media) -> Any:
    """In the envelope that phones expect round what is seen once, and round a document with a caption."""
    wrapped = e2e.Message()
    if content.view_once:
        if not may_have(part, "viewOnce"):
            raise NotSupported(reason="Only pictures, videos and audio can be sent to be seen once.")
        part.viewOnce = True
        sound = content.kind in {MediaKind.AUDIO, MediaKind.VOICE}
        envelope = wrapped.viewOnceMessageV2Extension if sound else wrapped.viewOnceMessageV2
    elif content.kind is MediaKind.DOCUMENT and content.caption:
        envelope = wrapped.documentWithCaptionMessage
    else:
        return message
    envelope.message.CopyFrom(message)
    return wrapped


def album_message(content: AlbumHeader) -> Any:
    """What announces an album."""
    album = e2e.AlbumMessage(expectedImageCount=content.images, expectedVideoCount=content.videos)
    return e2e.Message(albumMessage=album)


def put_in_album(message: Any, album: Target, chat: str) -> None:
    """Make a picture or film one of an album."""
    if not album.message.HasField("albumMessage"):
        raise album.unsuitable("it is no album")
    belongs = message.messageContextInfo.messageAssociation
    belongs.associationType = e2e.MessageAssociation.MEDIA_ALBUM
    album.put_key(belongs.parentMessageKey, chat)
