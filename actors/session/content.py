"""A WhatsApp message's content as listeners are promised it: Baileys' field names, plain JSON values."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from attrs import field, frozen
from google.protobuf.json_format import MessageToDict

from actors.whatsapp.wrapping import BESIDE, part_of, unwrapped
from storage.rows import Json

_KINDS = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video_note",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "albumMessage": "album",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "contactMessage": "contact",
    "contactsArrayMessage": "contact",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
    "pollCreationMessageV5": "poll",
    "pollCreationMessageV6": "poll",
    "pollUpdateMessage": "poll_vote",
    "eventMessage": "event",
    "buttonsMessage": "buttons",
    "templateMessage": "buttons",
    "listMessage": "list",
    "interactiveMessage": "interactive",
    "buttonsResponseMessage": "choice",
    "templateButtonReplyMessage": "choice",
    "listResponseMessage": "choice",
    "interactiveResponseMessage": "choice",
    "groupInviteMessage": "group_invite",
    "reactionMessage": "reaction",
    "pinInChatMessage": "pin",
}
"""Of each part that a message may have, what it makes of the message unless its fields say better."""
_BY_FIELD = (
    ("videoMessage", "gifPlayback", "gif"),
    ("audioMessage", "ptt", "voice"),
)
_POLLS = tuple(name for name, kind in _KINDS.items() if kind == "poll")

OTHER = "other"
REVOKED = "revoked"
"""What a message becomes that its author, or an admin, deleted for everyone."""
_CHANGES = frozenset({"edit", "revoke", "forward"})  # of what we send ourselves, before it is composed
KINDS = frozenset({*_KINDS.values(), *(kind for *_, kind in _BY_FIELD), *_CHANGES, OTHER, REVOKED})
"""What a message may be."""


@frozen(kw_only=True)
class Content:
    """What a message says."""

    kind: str  # text, image, …; "other" for what has no name here
    text: str | None = field(repr=False)
    json: Json = field(repr=False)  # Baileys' `message`


def storable(text: str | bytes) -> str:
    """The text without what PostgreSQL cannot hold; a stranger may well send it, and no text at all."""
    if isinstance(text, bytes):  # what the protobuf library gives for what is not UTF-8
        text = text.decode(errors="replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def plain_content(message: Any) -> Content:
    """The content of a message as it is, whatever it does to an earlier one."""
    message = unwrapped(message)
    if message.HasField("conversation"):  # nine messages of ten
        text = storable(message.conversation)
        return Content(kind="text", text=text, json={"conversation": text})
    json = _baileys(MessageToDict(message))
    for name in BESIDE & json.keys():
        _hide(json, name)
    return Content(kind=kind_of(json), text=_text_of(message), json=json)


def _hide(json: Json, name: str) -> None:
    """Drop the keys that travel with a message: whoever reads our events needs none of them."""
    if name == "messageContextInfo":
        json[name].pop("messageSecret", None)
    if name != "messageContextInfo" or not json[name]:
        del json[name]


def kind_of(message: Json) -> str:
    """The kind of a message in Baileys' form."""
    for name, field_name, kind in _BY_FIELD:
        if message.get(name, {}).get(field_name):
            return kind
    part = next((name for name in message if name in _KINDS), None)
    if part == "interactiveMessage":
        return _kind_of_flow(message[part].get("nativeFlowMessage", {}).get("buttons", ()))
    return OTHER if part is None else _KINDS[part]


def _kind_of_flow(buttons: Iterable[Json]) -> str:
    names = {button.get("name") for button in buttons}
    if not names:
        return "interactive"
    return "list" if names == {"single_select"} else "buttons"


def poll_of(message: Any) -> Any | None:
    """The `PollCreationMessage` in an unwrapped message."""
    return next((getattr(message, name) for name in _POLLS if message.HasField(name)), None)


# Where the words are that a person would search for; of several places, the first that has some.
_CAPTION = ("caption",)
_WORDS = {
    "extendedTextMessage": ("text",),
    "imageMessage": _CAPTION,
    "videoMessage": _CAPTION,
    "ptvMessage": _CAPTION,
    "documentMessage": _CAPTION,
    "locationMessage": ("name", "address", "comment"),
    "liveLocationMessage": _CAPTION,
    "contactMessage": ("displayName",),
    "eventMessage": ("name",),
    "buttonsMessage": ("contentText", "text"),
    "templateMessage": (
        "hydratedTemplate.hydratedContentText",
        "hydratedFourRowTemplate.hydratedContentText",
    ),
    "listMessage": ("description", "title"),
    "interactiveMessage": ("body.text", "header.title"),
    "buttonsResponseMessage": ("selectedDisplayText",),
    "templateButtonReplyMessage": ("selectedDisplayText",),
    "listResponseMessage": ("title",),
    "interactiveResponseMessage": ("body.text",),
    "groupInviteMessage": ("caption", "groupName"),
    "reactionMessage": ("text",),
    "commentMessage": ("message.conversation", "message.extendedTextMessage.text"),
    "productMessage": ("body", "product.title"),
    "orderMessage": ("message", "orderTitle"),
} | dict.fromkeys(_POLLS, ("name",))


def _text_of(message: Any) -> str | None:
    part = part_of(message)
    if part is None:
        return None
    name, value = part
    if name == "contactsArrayMessage":
        return storable(", ".join(storable(each.displayName) for each in value.contacts)) or None
    for path in _WORDS.get(name, ()):
        words = value
        for step in path.split("."):
            words = getattr(words, step)
        if words:
            return storable(words)
    return None


def _baileys(value: Any) -> Any:
    match value:
        case dict():
            return {_baileys_name(name): _baileys(inner) for name, inner in value.items()}
        case list():
            return [_baileys(inner) for inner in value]
        case str() | bytes():
            return storable(value)
        case _:
            return value


# The library's schema writes acronyms in capitals (URL, fileSHA256, stanzaID, imageURLs), Baileys' does not.
_ACRONYM = re.compile(r"[A-Z]{2,}(?=[A-Z](?!s(?:[A-Z]|$))[a-z])|[A-Z]{2,}")


@cache
def _baileys_name(name: str) -> str:
    name = _ACRONYM.sub(lambda found: found[0].capitalize(), name)
    return name[:1].lower() + name[1:]
