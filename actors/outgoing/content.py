"""What a message is to say, as plain values that are stored with the message until its turn comes.

Nothing is fetched from outside any more: a picture lies in the media store, converted; so does a preview.
A `message_id` names a stored message of the session, by our id or WhatsApp's.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from attrs import field, frozen


@frozen(kw_only=True)
class LinkPreview:
    """The card shown below a text with a link; `thumbnail` is a JPEG's id in the media store."""

    url: str
    title: str
    description: str = ""
    thumbnail: str | None = None


@frozen(kw_only=True)
class Text:
    text: str = field(repr=False)
    preview: LinkPreview | None = field(default=None, repr=False)


class MediaKind(StrEnum):
    """As what a file is shown."""

    IMAGE = "image"
    VIDEO = "video"
    GIF = "gif"  # a video that plays by itself, silently, again and again
    VIDEO_NOTE = "video_note"  # a round video
    AUDIO = "audio"
    VOICE = "voice"  # an audio recorded in the chat: ogg/opus, with its waveform
    DOCUMENT = "document"
    STICKER = "sticker"  # WebP


@frozen(kw_only=True)
class Media:
    """A file of the media store, in the form in which it is sent."""

    kind: MediaKind
    media_id: str
    caption: str | None = field(default=None, repr=False)
    file_name: str | None = None
    view_once: bool = False
    album_id: str | None = None
    """The id of the AlbumHeader's message that it belongs to."""


@frozen(kw_only=True)
class AlbumHeader:
    """What begins an album: so many pictures and videos follow, each a message of its own."""

    images: int
    videos: int


@frozen(kw_only=True)
class Location:
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    url: str | None = None


@frozen(kw_only=True)
class Contacts:
    """Address cards: a name to show and a vCard each."""

    cards: tuple[tuple[str, str], ...] = field(repr=False)


@frozen(kw_only=True)
class Poll:
    question: str = field(repr=False)
    options: tuple[str, ...] = field(repr=False)
    selectable: int = 1
    """How many options one may choose; 0: any number."""


@frozen(kw_only=True)
class PollVote:
    """All options chosen now; none takes the vote back."""

    message_id: str
    options: tuple[str, ...] = field(repr=False)


@frozen(kw_only=True)
class EventInvitation:
    name: str = field(repr=False)
    description: str | None = field(default=None, repr=False)
    starts_at: datetime
    ends_at: datetime | None = None
    location: Location | None = None
    join_link: str | None = None
    extra_guests: bool = False
    canceled: bool = False


@frozen(kw_only=True)
class Button:
    """`reply` answers with its id; `url` opens `value`; `call` dials it; `copy` copies it."""

    kind: Literal["reply", "url", "call", "copy"]
    text: str
    id: str | None = None
    value: str | None = None


@frozen(kw_only=True)
class Buttons:
    text: str = field(repr=False)
    title: str | None = None
    footer: str | None = None
    buttons: tuple[Button, ...] = ()


@frozen(kw_only=True)
class ListRow:
    id: str
    title: str
    description: str | None = None


@frozen(kw_only=True)
class ListSection:
    title: str
    rows: tuple[ListRow, ...]


@frozen(kw_only=True)
class ListMenu:
    title: str
    text: str = field(repr=False)
    button: str
    footer: str | None = None
    sections: tuple[ListSection, ...]


@frozen(kw_only=True)
class Reaction:
    """An emoji on a message; an empty one takes it back."""

    message_id: str
    emoji: str


@frozen(kw_only=True)
class Forward:
    message_id: str


@frozen(kw_only=True)
class Edit:
    message_id: str
    text: str = field(repr=False)


@frozen(kw_only=True)
class Revoke:
    """Delete a message for everyone."""

    message_id: str


@frozen(kw_only=True)
class Pin:
    """Pin a message in its chat for so many seconds; 0 takes the pin away."""

    message_id: str
    seconds: int


@frozen(kw_only=True)
class StatusText:
    """A text among the account's stories."""

    text: str = field(repr=False)
    background: str = "#128C7E"
    font: int = 0


Content = (
    Text
    | Media
    | AlbumHeader
    | Location
    | Contacts
    | Poll
    | PollVote
    | EventInvitation
    | Buttons
    | ListMenu
    | Reaction
    | Forward
    | Edit
    | Revoke
    | Pin
    | StatusText
)


@frozen(kw_only=True)
class Options:
    """What any message may carry besides its content."""

    quoted_message_id: str | None = None
    mentions: tuple[str, ...] = ()
    """JIDs."""
    mention_all: bool = False
    """Everyone in the group."""
    forwarded: bool = False
    ephemeral_seconds: int | None = None
    """After which the message disappears; None: as the chat is set."""
    typing_ms: int | None = None
    """How long the account is shown as typing (recording, for a voice note) before; -1: as long as a person
    would take for it."""
