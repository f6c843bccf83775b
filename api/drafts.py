"""Messages as a client asks for them: one class for each kind, and what all of them may carry.

A draft says what it is as a plain `Content`; one with a file needs to be told where the media store has it.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from attrs import fields_dict, frozen

from actors import outgoing
from actors.outgoing import Content, MediaKind, Options
from api.fields import (
    EVERYONE,
    GREEN,
    ONE,
    PLAIN,
    Address,
    Base64,
    Choices,
    Chosen,
    Colour,
    Emoji,
    FileName,
    Font,
    Latitude,
    Lifetime,
    Line,
    Longitude,
    MediaId,
    Mentions,
    MessageId,
    MessageText,
    MimeType,
    MismatchError,
    Paragraph,
    Phone,
    Reference,
    Selectable,
    Typing,
    Upload,
    WebUrl,
)
from api.vcard import shown_name, vcard
from storage.rows import now

Wrong = Iterator[MismatchError]


class ButtonType(StrEnum):
    """What a button does."""

    REPLY = "reply"
    URL = "url"
    CALL = "call"
    COPY = "copy"


class Priority(StrEnum):
    """Which of the messages that wait goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


RANKS = {Priority.LOW: -1, Priority.NORMAL: 0, Priority.HIGH: 1}


def _exactly_one(*given: object) -> bool:
    return sum(each is not None for each in given) == 1


# --- What every message may carry ------------------------------------------------------------------------


@frozen(kw_only=True)
class Draft:
    """A message that is to be sent."""

    TYPE: ClassVar[str]
    """What it is called among others."""

    quoted_message_id: MessageId | None = None
    """The message that it answers."""
    mentions: Mentions | None = None
    forwarded: bool = False
    """Whether it is shown as forwarded."""
    ephemeral_seconds: Lifetime | None = None
    """After which it disappears; absent: as the chat is set."""
    typing_ms: Typing | None = None
    """For how long the account is shown as typing before."""
    send_at: datetime | None = None
    """Not before; answered with 202 then."""
    expires_at: datetime | None = None
    """Not after: a message that still waits then is given up."""
    priority: Priority = Priority.NORMAL
    client_ref: Reference | None = None
    """Comes back in every event about the message."""

    def __attrs_post_init__(self) -> None:
        if wrong := list(self.problems()):
            raise ExceptionGroup("fields that do not go together", wrong)

    def problems(self) -> Wrong:
        """What is wrong beyond single fields."""
        if self.expires_at is not None and self.expires_at <= (self.send_at or now()):
            yield MismatchError("must be later than now, and than sendAt", path="expiresAt")
        if isinstance(self, Attachment):
            yield from self.source_problems()

    @property
    def recipient(self) -> str | None:
        """Where it goes, as the client wrote it; None: to the chat of the message that it is about."""
        raise NotImplementedError

    @property
    def extras(self) -> Options:
        """What goes along with its content."""
        everyone = self.mentions == EVERYONE
        return Options(
            quoted_message_id=self.quoted_message_id,
            mentions=() if everyone else self.mentions or (),
            mention_all=everyone,
            forwarded=self.forwarded,
            ephemeral_seconds=self.ephemeral_seconds,
            typing_ms=self.typing_ms,
        )

    @property
    def content(self) -> Content:
        """What it is to say, for those kinds of which nothing has to be fetched first."""
        raise NotImplementedError


@frozen(kw_only=True)
class ToSomeone(Draft):
    """A message to a chat."""

    phone: Phone | None = None
    to: Address | None = None
    """A phone number, or the JID of a user, a group or a channel; or else `phone`."""

    def problems(self) -> Wrong:
        yield from super().problems()
        if not _exactly_one(self.phone, self.to):
            yield MismatchError("give exactly one of phone and to", path="phone")

    @property
    def recipient(self) -> str | None:
        return self.phone or self.to


@frozen(kw_only=True)
class AboutMessage(Draft):
    """One that acts on a message that is there, and goes to its chat unless `phone` or `to` says another."""

    message_id: MessageId
    phone: Phone | None = None
    to: Address | None = None

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.phone is not None and self.to is not None:
            yield MismatchError("give at most one of phone and to", path="phone")

    @property
    def recipient(self) -> str | None:
        return self.phone or self.to


STATUS = "status@broadcast"


@frozen(kw_only=True)
class Story(Draft):
    """Shown to the account's contacts for a day."""

    @property
    def recipient(self) -> str | None:
        return STATUS


# --- Files -----------------------------------------------------------------------------------------------


@frozen(kw_only=True, slots=False)  # among two bases only one may have slots
class Attachment:
    """Where a file comes from: exactly one of a URL, its bytes, the id of a stored one, and an upload."""

    SOURCE: ClassVar[str]
    """What begins the names of the fields with its URL and its bytes."""

    media_id: MediaId | None = None
    mime_type: MimeType | None = None
    """Absent: what its bytes and its source say."""
    file_name: FileName | None = None

    @property
    def kind(self) -> MediaKind:
        """As what it is shown."""
        raise NotImplementedError

    @property
    def url(self) -> WebUrl | None:
        """Where to fetch it."""
        found: WebUrl | None = getattr(self, f"{self.SOURCE}_url")
        return found

    @property
    def data(self) -> Base64 | None:
        """Its bytes."""
        found: Base64 | None = getattr(self, f"{self.SOURCE}_base64")
        return found

    @property
    def upload(self) -> Upload | None:
        """The file that came with the request."""
        found: Upload | None = getattr(self, "file", None)
        return found

    def source_problems(self) -> Wrong:
        """One error where there is not exactly one source."""
        if not _exactly_one(self.url, self.data, self.media_id, self.upload):
            file = " and file" if "file" in fields_dict(type(self)) else ""
            names = f"{self.SOURCE}Url, {self.SOURCE}Base64{', mediaId' if file else ' and mediaId'}{file}"
            yield MismatchError(f"give exactly one of {names}", path=f"{self.SOURCE}Url")

    def media(self, media_id: str, file_name: str | None, album_id: str | None = None) -> outgoing.Media:
        """What it is to say, once its file is stored under this id and name."""
        return outgoing.Media(
            kind=self.kind,
            media_id=media_id,
            caption=getattr(self, "caption", None),
            file_name=self.file_name or file_name,
            view_once=getattr(self, "view_once", False),
            album_id=album_id,
        )


@frozen(kw_only=True, slots=False)
class Picture(Attachment):
    """A picture and where it comes from."""

    SOURCE = "image"

    image_url: WebUrl | None = None
    image_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.IMAGE


@frozen(kw_only=True, slots=False)
class Film(Attachment):
    """A video and where it comes from."""

    SOURCE = "video"

    video_url: WebUrl | None = None
    video_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VIDEO


@frozen(kw_only=True, slots=False)
class Uploadable(Attachment):
    """A file that may come with the request itself."""

    file: Upload | None = None
    """A part of a `multipart/form-data` body, whose other parts are the fields."""


@frozen(kw_only=True)
class ImageDraft(ToSomeone, Uploadable, Picture):
    """A picture."""

    TYPE = "image"

    view_once: bool = False


@frozen(kw_only=True)
class VideoDraft(ToSomeone, Uploadable, Film):
    """A video."""

    TYPE = "video"

    gif: bool = False
    """Plays by itself, again and again, without sound."""
    note: bool = False
    """A round video message."""
    view_once: bool = False

    @property
    def kind(self) -> MediaKind:
        return MediaKind.GIF if self.gif else MediaKind.VIDEO_NOTE if self.note else MediaKind.VIDEO

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.gif and self.note:
            yield MismatchError("give at most one of gif and note", path="gif")


@frozen(kw_only=True)
class VoiceDraft(ToSomeone, Uploadable):
    """A voice note: whatever it comes as is converted to what WhatsApp's own look like."""

    TYPE = "voice"
    SOURCE = "audio"

    audio_url: WebUrl | None = None
    audio_base64: Base64 | None = None
    view_once: bool = False

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VOICE


@frozen(kw_only=True)
class AudioDraft(VoiceDraft):
    """An audio file: mp3, ogg, wav and others."""

    TYPE = "audio"

    ptt: bool = False
    """Send it as a voice note."""

    @property
    def kind(self) -> MediaKind:
        return MediaKind.VOICE if self.ptt else MediaKind.AUDIO


@frozen(kw_only=True)
class DocumentDraft(ToSomeone, Uploadable):
    """Any file."""

    TYPE = "document"
    SOURCE = "document"

    document_url: WebUrl | None = None
    document_base64: Base64 | None = None
    caption: Paragraph | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.DOCUMENT


@frozen(kw_only=True)
class StickerDraft(ToSomeone, Uploadable):
    """A picture, also a moving one, as a sticker."""

    TYPE = "sticker"
    SOURCE = "sticker"

    sticker_url: WebUrl | None = None
    sticker_base64: Base64 | None = None

    @property
    def kind(self) -> MediaKind:
        return MediaKind.STICKER


@frozen(kw_only=True)
class AlbumImage(Picture):
    """A picture of an album."""

    TYPE: ClassVar[str] = "image"

    def __attrs_post_init__(self) -> None:
        for wrong in self.source_problems():
            raise wrong


@frozen(kw_only=True)
class AlbumVideo(Film):
    """A video of an album."""

    TYPE: ClassVar[str] = "video"

    def __attrs_post_init__(self) -> None:
        for wrong in self.source_problems():
            raise wrong


AlbumItem = AlbumImage | AlbumVideo


@frozen(kw_only=True)
class AlbumDraft(ToSomeone):
    """2 to 30 pictures and videos shown as one."""

    TYPE = "album"

    items: tuple[AlbumItem, ...]

    def problems(self) -> Wrong:
        yield from super().problems()
        if not 2 <= len(self.items) <= 30:
            yield MismatchError("expected 2 to 30 items", path="items")

    @property
    def header(self) -> outgoing.AlbumHeader:
        """What goes before its items."""
        images = sum(isinstance(item, AlbumImage) for item in self.items)
        return outgoing.AlbumHeader(images=images, videos=len(self.items) - images)


# --- Texts and structured messages -----------------------------------------------------------------------


@frozen(kw_only=True)
class LinkPreviewDraft:
    """The card below a text with a link."""

    url: WebUrl
    title: Line
    description: Paragraph | None = None
    image_url: WebUrl | None = None


@frozen(kw_only=True)
class TextDraft(ToSomeone):
    """A text."""

    TYPE = "text"

    message: MessageText
    link_preview: bool | LinkPreviewDraft | None = None
    """`true`: made of the first page that the text links to."""


@frozen(kw_only=True, slots=False)
class Place:
    """A point on the map."""

    latitude: Latitude
    longitude: Longitude
    name: Line | None = None
    address: Line | None = None
    url: WebUrl | None = None

    @property
    def location(self) -> outgoing.Location:
        """The same as content."""
        return outgoing.Location(
            latitude=self.latitude,
            longitude=self.longitude,
            name=self.name,
            address=self.address,
            url=self.url,
        )


@frozen(kw_only=True)
class LocationDraft(ToSomeone, Place):
    """A place."""

    TYPE = "location"

    @property
    def content(self) -> Content:
        return self.location


@frozen(kw_only=True)
class Card:
    """Someone's address card: a ready vCard, or what to make one of."""

    name: Line | None = None
    phone: Phone | None = None
    organization: Line | None = None
    vcard: Paragraph | None = None

    def __attrs_post_init__(self) -> None:
        if self.vcard is None:
            if self.name is None or self.phone is None:
                raise MismatchError("give vcard, or name and phone", path="vcard")
        elif self.phone is not None or self.organization is not None:
            raise MismatchError("give vcard, or name and phone", path="vcard")
        elif not self.vcard.strip().upper().startswith("BEGIN:VCARD"):
            raise MismatchError("expected a vCard", path="vcard")

    @property
    def named(self) -> tuple[str, str]:
        """The name to show and the vCard."""
        if self.vcard is not None:
            return self.name or shown_name(self.vcard), self.vcard
        assert self.name is not None
        assert self.phone is not None
        return self.name, vcard(self.name, self.phone, self.organization)


@frozen(kw_only=True)
class ContactDraft(ToSomeone):
    """1 to 100 address cards."""

    TYPE = "contact"

    contacts: tuple[Card, ...]

    def problems(self) -> Wrong:
        yield from super().problems()
        if not 1 <= len(self.contacts) <= 100:
            yield MismatchError("expected 1 to 100 contacts", path="contacts")

    @property
    def content(self) -> Content:
        return outgoing.Contacts(cards=tuple(card.named for card in self.contacts))


@frozen(kw_only=True)
class PollDraft(ToSomeone):
    """A question with options to choose from."""

    TYPE = "poll"

    question: Line
    options: Choices
    selectable_count: Selectable = ONE
    """How many may be chosen; 0: any number."""

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.selectable_count > len(self.options):
            yield MismatchError("must not be more than there are options", path="selectableCount")

    @property
    def content(self) -> Content:
        return outgoing.Poll(question=self.question, options=self.options, selectable=self.selectable_count)


@frozen(kw_only=True)
class PollVoteDraft(AboutMessage):
    """A vote: all options chosen now; none takes the vote back."""

    TYPE = "poll_vote"

    options: Chosen

    @property
    def content(self) -> Content:
        return outgoing.PollVote(message_id=self.message_id, options=self.options)


@frozen(kw_only=True)
class EventDraft(ToSomeone):
    """An invitation to an event."""

    TYPE = "event"

    name: Line
    description: Paragraph | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    location: Place | None = None
    join_link: WebUrl | None = None
    extra_guests: bool = False
    """Whether those invited may bring others."""

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            yield MismatchError("must be later than startsAt", path="endsAt")

    @property
    def content(self) -> Content:
        return outgoing.EventInvitation(
            name=self.name,
            description=self.description,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            location=None if self.location is None else self.location.location,
            join_link=self.join_link,
            extra_guests=self.extra_guests,
        )


@frozen(kw_only=True)
class ButtonDraft:
    """A button: `reply` answers with its `id`; `url`, `call` and `copy` open, dial and copy their `value`."""

    type: ButtonType = ButtonType.REPLY
    text: Line
    id: Reference | None = None
    value: Line | None = None

    def __attrs_post_init__(self) -> None:
        given, other = ("id", "value") if self.type is ButtonType.REPLY else ("value", "id")
        if getattr(self, given) is None:
            raise MismatchError(f"is required of a button of type {self.type}", path=given)
        if getattr(self, other) is not None:
            raise MismatchError(f"a button of type {self.type} has none", path=other)


@frozen(kw_only=True)
class ButtonsDraft(ToSomeone):
    """A text with 1 to 10 buttons. Not every version of WhatsApp shows them."""

    TYPE = "buttons"

    message: MessageText
    title: Line | None = None
    footer: Line | None = None
    buttons: tuple[ButtonDraft, ...]

    def problems(self) -> Wrong:
        yield from super().problems()
        if not 1 <= len(self.buttons) <= 10:
            yield MismatchError("expected 1 to 10 buttons", path="buttons")

    @property
    def content(self) -> Content:
        buttons = tuple(
            outgoing.Button(kind=each.type.value, text=each.text, id=each.id, value=each.value)
            for each in self.buttons
        )
        return outgoing.Buttons(text=self.message, title=self.title, footer=self.footer, buttons=buttons)


@frozen(kw_only=True)
class RowDraft:
    """A line to choose."""

    id: Reference
    title: Line
    description: Line | None = None


@frozen(kw_only=True)
class SectionDraft:
    """Lines under a heading."""

    title: Line
    rows: tuple[RowDraft, ...]


@frozen(kw_only=True)
class ListDraft(ToSomeone):
    """A text with a button that opens a list of 1 to 100 lines. Not every version of WhatsApp shows it."""

    TYPE = "list"

    title: Line
    message: MessageText
    button: Line
    footer: Line | None = None
    sections: tuple[SectionDraft, ...]

    def problems(self) -> Wrong:
        yield from super().problems()
        for number, section in enumerate(self.sections):
            if not section.rows:
                yield MismatchError("expected at least one row", path=f"sections[{number}].rows")
        if not 1 <= sum(len(section.rows) for section in self.sections) <= 100:
            yield MismatchError("expected 1 to 100 rows in all", path="sections")

    @property
    def content(self) -> Content:
        sections = tuple(
            outgoing.ListSection(
                title=section.title,
                rows=tuple(
                    outgoing.ListRow(id=row.id, title=row.title, description=row.description)
                    for row in section.rows
                ),
            )
            for section in self.sections
        )
        return outgoing.ListMenu(
            title=self.title, text=self.message, button=self.button, footer=self.footer, sections=sections
        )


# --- About other messages --------------------------------------------------------------------------------


@frozen(kw_only=True)
class ReactionDraft(AboutMessage):
    """An emoji on a message; an empty one takes it back."""

    TYPE = "reaction"

    emoji: Emoji

    @property
    def content(self) -> Content:
        return outgoing.Reaction(message_id=self.message_id, emoji=self.emoji)


@frozen(kw_only=True)
class ForwardDraft(ToSomeone):
    """A stored message, sent on."""

    TYPE = "forward"

    message_id: MessageId

    @property
    def content(self) -> Content:
        return outgoing.Forward(message_id=self.message_id)


# --- Stories ---------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class StoryText(Story):
    """A text on a coloured ground."""

    TYPE = "text"

    message: MessageText
    background: Colour = GREEN
    font: Font = PLAIN

    @property
    def content(self) -> Content:
        return outgoing.StatusText(text=self.message, background=self.background, font=self.font)


@frozen(kw_only=True)
class StoryImage(Story, Uploadable, Picture):
    """A picture."""

    TYPE = "image"


@frozen(kw_only=True)
class StoryVideo(Story, Uploadable, Film):
    """A video."""

    TYPE = "video"


AnyStory = StoryText | StoryImage | StoryVideo

# --- Many ------------------------------------------------------------------------------------------------

AnyDraft = (
    TextDraft
    | ImageDraft
    | VideoDraft
    | AudioDraft
    | VoiceDraft
    | DocumentDraft
    | StickerDraft
    | LocationDraft
    | ContactDraft
    | PollDraft
    | EventDraft
    | ButtonsDraft
    | ListDraft
    | ReactionDraft
    | ForwardDraft
)
"""What may be part of a batch, by its `type`."""


@frozen(kw_only=True)
class BatchDraft:
    """1 to 1,000 messages, each with its `type`, that are queued together."""

    items: tuple[AnyDraft, ...]

    def __attrs_post_init__(self) -> None:
        if not 1 <= len(self.items) <= 1000:
            raise MismatchError("expected 1 to 1000 items", path="items")
