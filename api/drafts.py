"""Messages as a client asks for them: a class for each kind; those with files are in `media_drafts`.

A draft says what it is as a plain `Content`; one with a file needs to be told where the media store has it.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from actors import outgoing
from actors.outgoing import Content
from api.attachments import Film, Picture, Uploadable
from api.checks import MismatchError
from api.constraints import sized
from api.draft import AboutMessage, Story, ToSomeone, Wrong
from api.fields import (
    GREEN,
    ONE,
    PLAIN,
    Choices,
    Chosen,
    Colour,
    Emoji,
    Font,
    Latitude,
    Line,
    Longitude,
    MessageId,
    MessageText,
    Paragraph,
    Phone,
    Reference,
    Selectable,
    WebUrl,
)
from api.media_drafts import AudioDraft, DocumentDraft, ImageDraft, StickerDraft, VideoDraft, VoiceDraft
from api.vcard import shown_name, vcard
from storage.rows import Json


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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        text, absent = {"type": "string"}, {"type": "null"}
        ready = {"type": "string", "pattern": r"^\s*[Bb][Ee][Gg][Ii][Nn]:[Vv][Cc][Aa][Rr][Dd]"}
        yield {
            "oneOf": [
                {
                    "required": ["vcard"],
                    "properties": {"vcard": ready, "phone": absent, "organization": absent},
                },
                {
                    "required": ["name", "phone"],
                    "properties": {"name": text, "phone": text, "vcard": absent},
                },
            ]
        }

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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield sized("contacts", 1, 100)

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


class ButtonType(StrEnum):
    """What a button does."""

    REPLY = "reply"
    URL = "url"
    CALL = "call"
    COPY = "copy"


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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        text, absent = {"type": "string"}, {"type": "null"}
        others = [str(each) for each in ButtonType if each is not ButtonType.REPLY]
        yield {
            "oneOf": [
                {
                    "required": ["id"],
                    "properties": {"type": {"enum": [ButtonType.REPLY]}, "id": text, "value": absent},
                },
                {
                    "required": ["type", "value"],
                    "properties": {"type": {"enum": others}, "value": text, "id": absent},
                },
            ]
        }


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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield sized("buttons", 1, 10)

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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield sized("rows", 1, 100)


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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield sized("sections", 1, 100)

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
    | PollVoteDraft
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

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield sized("items", 1, 1000)
