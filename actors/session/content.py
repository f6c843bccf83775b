"""A WhatsApp message's content as listeners are promised it: Baileys' field names, plain JSON values."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from attrs import frozen
from google.protobuf.json_format import MessageToDict

from storage.rows import Json

# Parts of a message that say how it travels, not what it says.
_ENVELOPE = frozenset({"senderKeyDistributionMessage", "messageContextInfo", "deviceSentMessage"})

# waE2E.Message.ProtocolMessage.Type
_REVOKE, _EDIT = 0, 14

_KINDS = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "documentWithCaptionMessage": "document",
    "stickerMessage": "sticker",
    "albumMessage": "album",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "contactMessage": "contact",
    "contactsArrayMessage": "contact",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
    "pollUpdateMessage": "poll_vote",
    "eventMessage": "event",
    "buttonsMessage": "buttons",
    "listMessage": "list",
    "interactiveMessage": "interactive",
    "reactionMessage": "reaction",
}

OTHER = "other"
KINDS = frozenset({*_KINDS.values(), OTHER})
"""What a message may be."""


@frozen(kw_only=True)
class Content:
    """What a message says."""

    kind: str  # text, image, …; "other" for what has no name here
    text: str | None
    json: Json  # Baileys' `message`


@frozen(kw_only=True)
class Revoked:
    """An earlier message of the chat was deleted for everyone."""

    message_id: str


@frozen(kw_only=True)
class Edited:
    """An earlier message of the chat has new content."""

    message_id: str
    content: Content


@frozen(kw_only=True)
class Reacted:
    """Someone reacted to a message of the chat; an empty emoji takes a reaction back."""

    message_id: str
    from_me: bool  # whether the message reacted to is the reacting side's own
    emoji: str


def storable(text: str) -> str:
    """The text without the one character that PostgreSQL cannot hold; a stranger may well send it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def read_content(message: Any) -> Content | Revoked | Edited | Reacted | None:
    """What a `waE2E.Message` says; None for key shares and the like, which say nothing to a person."""
    names = [descriptor.name for descriptor, _ in message.ListFields() if descriptor.name not in _ENVELOPE]
    if not names:
        return None
    if "protocolMessage" in names:
        return _read_protocol(message.protocolMessage)
    if "reactionMessage" in names:
        reaction = message.reactionMessage
        return Reacted(message_id=reaction.key.ID, from_me=reaction.key.fromMe, emoji=reaction.text)
    return plain_content(message)


def plain_content(message: Any) -> Content:
    """The content of a message that is neither an edit nor a revoke nor a reaction."""
    if message.HasField("conversation"):  # nine messages of ten
        text = storable(message.conversation)
        return Content(kind="text", text=text, json={"conversation": text})
    kind = kind_of(descriptor.name for descriptor, _ in message.ListFields())
    return Content(kind=kind, text=_text_of(message), json=_baileys(MessageToDict(message)))


def kind_of(parts: Iterable[str]) -> str:
    """The kind of a message with parts of these names, as Baileys' `message` has them for keys."""
    return next((_KINDS[name] for name in parts if name in _KINDS), OTHER)


def _read_protocol(protocol: Any) -> Revoked | Edited | None:
    if not protocol.HasField("type"):
        return None
    if protocol.type == _REVOKE:
        return Revoked(message_id=protocol.key.ID)
    if protocol.type == _EDIT:
        return Edited(message_id=protocol.key.ID, content=plain_content(protocol.editedMessage))
    return None


def _text_of(message: Any) -> str | None:
    """The words a person would search for: the text, or a caption."""
    for descriptor, value in message.ListFields():
        if descriptor.name in _ENVELOPE or descriptor.message_type is None:
            continue
        for name in ("text", "caption"):
            if name in descriptor.message_type.fields_by_name and getattr(value, name):
                return storable(getattr(value, name))
    return None


def _baileys(value: Any) -> Any:
    match value:
        case dict():
            return {_baileys_name(name): _baileys(inner) for name, inner in value.items()}
        case list():
            return [_baileys(inner) for inner in value]
        case str():
            return storable(value)
        case _:
            return value


# The library's schema writes acronyms in capitals (URL, fileSHA256, stanzaID, imageURLs), Baileys' does not.
_ACRONYM = re.compile(r"[A-Z]{2,}(?=[A-Z](?!s(?:[A-Z]|$))[a-z])|[A-Z]{2,}")


@cache
def _baileys_name(name: str) -> str:
    name = _ACRONYM.sub(lambda found: found[0].capitalize(), name)
    return name[:1].lower() + name[1:]
