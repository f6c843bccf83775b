"""Texts as WhatsApp's clients send them: in a chat, with the card of a link, and among the stories."""

from typing import Any

from actors.errors import NotSupported
from actors.outgoing.content import LinkPreview, StatusText, Text
from actors.whatsapp.proto import e2e

_FONTS = frozenset(e2e.ExtendedTextMessage.FontType.values())
_OPAQUE = 0xFF000000
_WHITE = 0xFFFFFFFF


def text_message(content: Text, thumbnail: bytes | None = None) -> Any:
    """A plain text; with a preview, its card, on which `thumbnail`, a JPEG, is shown."""
    if content.preview is None:
        return e2e.Message(conversation=content.text)
    message = e2e.Message()
    text = message.extendedTextMessage
    text.text = content.text
    _put_card(text, content.preview)
    if thumbnail:
        text.JPEGThumbnail = thumbnail
    return message


def _put_card(text: Any, preview: LinkPreview) -> None:
    text.matchedText = preview.url
    text.title = preview.title
    text.previewType = e2e.ExtendedTextMessage.NONE
    if preview.description:
        text.description = preview.description


def status_message(content: StatusText) -> Any:
    """A text on a ground of one colour. Raises NotSupported for a font that WhatsApp does not have."""
    if content.font not in _FONTS:
        known = ", ".join(str(number) for number in sorted(_FONTS))
        raise NotSupported(reason=f"WhatsApp has no such font; its fonts are {known}.")
    message = e2e.Message()
    text = message.extendedTextMessage
    text.text = content.text
    text.backgroundArgb = _OPAQUE | int(content.background.removeprefix("#"), 16)
    text.textArgb = _WHITE
    text.font = content.font
    return message
