"""What a message is to say, read off its intent without asking anybody: what its row says from the start."""

from typing import assert_never

from actors.outgoing.content import (
    AlbumHeader,
    Buttons,
    Contacts,
    Edit,
    EventInvitation,
    Forward,
    ListMenu,
    Location,
    Media,
    MediaKind,
    Pin,
    Poll,
    PollVote,
    Reaction,
    Revoke,
    StatusText,
    Text,
)
from actors.outgoing.intent import Intent
from storage.rows import Json

_CAPTIONED = frozenset(
    {MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.GIF, MediaKind.VIDEO_NOTE, MediaKind.DOCUMENT}
)


def described(intent: Intent) -> tuple[str, str | None, Json]:
    """Type, text and payload of the message that this is to be.

    Composing it puts WhatsApp's own form in the payload's place; of a forwarded message also type and text.
    """
    kind, text = _kind_and_text(intent)
    return kind, text, {"conversation": text} if kind == "text" else {}


def _kind_and_text(intent: Intent) -> tuple[str, str | None]:
    match intent.content:
        case Text(text=text) | StatusText(text=text):
            return "text", text
        case Media(kind=kind, caption=caption):
            return str(kind), (caption or None) if kind in _CAPTIONED else None
        case AlbumHeader():
            return "album", None
        case Location(name=name, address=address):
            return "location", name or address or None
        case Contacts(cards=cards):
            return "contact", ", ".join(name for name, _ in cards)
        case Poll(question=question):
            return "poll", question
        case PollVote(options=options):
            return "poll_vote", ", ".join(options) or None
        case EventInvitation(name=name):
            return "event", name
        case Buttons(text=text):
            return "buttons", text
        case ListMenu(text=text):
            return "list", text
        case Reaction(emoji=emoji):
            return "reaction", emoji or None
        case Forward():
            return "forward", None
        case Edit(text=text):
            return "edit", text
        case Revoke():
            return "revoke", None
        case Pin():
            return "pin", None
        case _:
            assert_never(intent.content)
