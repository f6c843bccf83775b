"""Files in messages: a phone puts them encrypted on the media host, and fetches there what reaches it."""

from typing import Any

from attrs import frozen

from loopback import proto
from loopback.media import HOST, Media
from loopback.signal.media import MediaKind, decrypt, encrypt

__all__ = ["KINDS", "Attachment", "message_with", "open_attachment"]

# By the word for it: how keys are derived, the folder on the media host, the field of the message.
KINDS = {
    "image": (MediaKind.IMAGE, "image", "imageMessage"),
    "video": (MediaKind.VIDEO, "video", "videoMessage"),
    "audio": (MediaKind.AUDIO, "audio", "audioMessage"),
    "document": (MediaKind.DOCUMENT, "document", "documentMessage"),
}


@frozen
class Attachment:
    """A file to send; `kind` is one of KINDS."""

    kind: str
    data: bytes
    mimetype: str
    file_name: str | None = None
    caption: str | None = None


def message_with(attachment: Attachment, media: Media) -> Any:
    """The waE2E.Message that carries the file, which is on the media host by then."""
    keys, folder, field = KINDS[attachment.kind]
    encrypted = encrypt(attachment.data, keys)
    path = media.store(folder, encrypted.data)
    message = proto.e2e.Message()
    part = getattr(message, field)
    part.URL = f"https://{HOST}{path}"
    part.directPath = path
    part.mediaKey = encrypted.media_key
    part.fileSHA256 = encrypted.file_sha256
    part.fileEncSHA256 = encrypted.file_enc_sha256
    part.fileLength = encrypted.file_length
    part.mimetype = attachment.mimetype
    if attachment.caption and attachment.kind != "audio":
        part.caption = attachment.caption
    if attachment.kind == "document":
        part.fileName = attachment.file_name or "file"
    return message


def open_attachment(message: Any, media: Media) -> tuple[str, bytes]:
    """Type and bytes of the file in a message.

    Raises LookupError when there is no file or the media host does not have it, SignalError if it is damaged.
    """
    for keys, _, field in KINDS.values():
        if message.HasField(field):
            part = getattr(message, field)
            data = media.at(part.directPath)
            if data is None:
                raise LookupError("the media host does not have the file")
            return part.mimetype, decrypt(data, part.mediaKey, keys)
    raise LookupError("there is no file in this message")
