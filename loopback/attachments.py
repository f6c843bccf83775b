"""Files in messages: a phone puts them on the media host, and fetches there what reaches it."""

import hashlib
from typing import Any

from attrs import frozen

from loopback import proto
from loopback.content import content_field, unwrapped
from loopback.media import HOST, PLAIN, Media
from loopback.signal.media import EncryptedMedia, MediaKind, decrypt, encrypt

__all__ = ["KINDS", "Attachment", "StoredFile", "file_in", "message_with", "open_attachment"]

# By the word for it: how keys are derived, the folder on the media host, the field of the message.
KINDS = {
    "image": (MediaKind.IMAGE, "image", "imageMessage"),
    "video": (MediaKind.VIDEO, "video", "videoMessage"),
    "audio": (MediaKind.AUDIO, "audio", "audioMessage"),
    "voice": (MediaKind.AUDIO, "audio", "audioMessage"),
    "document": (MediaKind.DOCUMENT, "document", "documentMessage"),
    "sticker": (MediaKind.IMAGE, "image", "stickerMessage"),
    "videoNote": (MediaKind.VIDEO, "video", "ptvMessage"),
}
WITHOUT_CAPTION = {"audio", "voice", "sticker", "videoNote"}


@frozen
class Attachment:
    """A file to send; `kind` is one of KINDS."""

    kind: str
    data: bytes
    mimetype: str
    file_name: str | None = None
    caption: str | None = None
    view_once: bool = False


@frozen
class StoredFile:
    """A file as a message tells of it."""

    part: Any  # imageMessage and so on
    keys: MediaKind
    folder: str


def message_with(attachment: Attachment, media: Media, *, in_channel: bool = False) -> Any:
    """The waE2E.Message that carries the file, which is on the media host by then."""
    keys, folder, field = KINDS[attachment.kind]
    if in_channel:
        digest = hashlib.sha256(attachment.data).digest()
        file = EncryptedMedia(attachment.data, b"", digest, b"", len(attachment.data))
        folder = PLAIN + folder
    else:
        file = encrypt(attachment.data, keys)
    path = media.store(folder, file.data)
    message = proto.e2e.Message()
    part = getattr(message, field)
    part.URL = f"https://{HOST}{path}"
    part.directPath = path
    part.fileSHA256 = file.file_sha256
    part.fileLength = file.file_length
    part.mimetype = attachment.mimetype
    if not in_channel:
        part.mediaKey, part.fileEncSHA256 = file.media_key, file.file_enc_sha256
    if attachment.caption and attachment.kind not in WITHOUT_CAPTION:
        part.caption = attachment.caption
    if attachment.kind == "document":
        part.fileName = attachment.file_name or "file"
    if attachment.kind == "voice":
        part.PTT = True
    if attachment.view_once:
        part.viewOnce = True
        wrapped = proto.e2e.FutureProofMessage(message=message)
        return proto.e2e.Message(viewOnceMessageV2=wrapped)
    return message


def file_in(message: Any) -> StoredFile | None:
    """What a message tells of its file, None if it has none."""
    inner = unwrapped(message)
    field = content_field(inner)
    found = next(((keys, folder) for keys, folder, name in KINDS.values() if name == field), None)
    return StoredFile(getattr(inner, field), *found) if found is not None and field is not None else None


def open_attachment(message: Any, media: Media) -> tuple[str, bytes]:
    """Type and bytes of the file in a message.

    Raises LookupError when there is no file or the media host does not have it, SignalError if it is damaged.
    """
    file = file_in(message)
    if file is None:
        raise LookupError("there is no file in this message")
    data = media.at(file.part.directPath)
    if data is None:
        raise LookupError("the media host does not have the file")
    if file.part.mediaKey:
        data = decrypt(data, file.part.mediaKey, file.keys)
    return file.part.mimetype, data
