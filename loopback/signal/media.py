"""Media files as WhatsApp stores them: encrypted under a key that only the message tells."""

import enum
import hashlib
import os

import attrs

from loopback.signal.cipher import cbc_decrypt, cbc_encrypt, hkdf, mac, same
from loopback.signal.errors import MalformedError, UndecryptableError

_MAC_SIZE = 10
_KEY_SIZE = 32


class MediaKind(enum.StrEnum):
    """What a file is, which keeps the keys of one kind apart from those of another. Stickers are images."""

    IMAGE = "WhatsApp Image Keys"
    VIDEO = "WhatsApp Video Keys"
    AUDIO = "WhatsApp Audio Keys"
    DOCUMENT = "WhatsApp Document Keys"
    HISTORY = "WhatsApp History Keys"
    APP_STATE = "WhatsApp App State Keys"
    STICKER_PACK = "WhatsApp Sticker Pack Keys"
    LINK_THUMBNAIL = "WhatsApp Link Thumbnail Keys"


@attrs.frozen
class EncryptedMedia:
    """A file to upload, and what the message has to tell about it."""

    data: bytes = attrs.field(repr=False)
    media_key: bytes = attrs.field(repr=False)
    file_sha256: bytes
    """Of the plaintext."""
    file_enc_sha256: bytes
    """Of `data`; its name on the media server."""
    file_length: int
    """Of the plaintext, in bytes."""


def encrypt(plaintext: bytes, kind: MediaKind) -> EncryptedMedia:
    """Encrypt under a new key."""
    media_key = os.urandom(_KEY_SIZE)
    iv, cipher_key, mac_key = _keys(media_key, kind)
    ciphertext = cbc_encrypt(cipher_key, iv, plaintext)
    data = ciphertext + mac(mac_key, iv + ciphertext)[:_MAC_SIZE]
    return EncryptedMedia(
        data=data,
        media_key=media_key,
        file_sha256=hashlib.sha256(plaintext).digest(),
        file_enc_sha256=hashlib.sha256(data).digest(),
        file_length=len(plaintext),
    )


def decrypt(data: bytes, media_key: bytes, kind: MediaKind) -> bytes:
    """The file in what was downloaded.

    Raises MalformedError for a key of the wrong length, UndecryptableError for damage or the wrong key or
    kind.
    """
    if len(media_key) != _KEY_SIZE:
        raise MalformedError(f"a media key has {_KEY_SIZE} bytes, not {len(media_key)}")
    iv, cipher_key, mac_key = _keys(media_key, kind)
    ciphertext, code = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
    if not same(code, mac(mac_key, iv + ciphertext)[:_MAC_SIZE]):
        raise UndecryptableError("the file's code does not match")
    return cbc_decrypt(cipher_key, iv, ciphertext)


def _keys(media_key: bytes, kind: MediaKind) -> tuple[bytes, bytes, bytes]:
    """Initialisation vector, cipher key, key of the code."""
    derived = hkdf(media_key, salt=b"", info=kind.encode(), length=112)  # the last 32 are not used here
    return derived[:16], derived[16:48], derived[48:80]
