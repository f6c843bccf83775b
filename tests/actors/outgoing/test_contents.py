"""What each kind of content becomes on the wire, and that it is read back as what it was."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from actors.errors import MessageUnsuitable, NotSupported
from actors.outgoing import cards, files, menus, polls, texts
from actors.outgoing.content import (
    AlbumHeader,
    Button,
    Buttons,
    Contacts,
    Content,
    EventInvitation,
    LinkPreview,
    ListMenu,
    ListRow,
    ListSection,
    Location,
    Media,
    MediaKind,
    Poll,
    StatusText,
    Text,
)
from actors.outgoing.describe import described
from actors.outgoing.intent import Intent
from actors.session.content import KINDS
from actors.session.content import Content as Said
from actors.session.reading import read_content
from actors.whatsapp import client as wa
from actors.whatsapp.proto import e2e
from storage.media import MediaFile, MediaSource
from tests.actors.outgoing.stored import BEN, ours, target, text

PREVIEW = LinkPreview(url="https://a.test", title="A", description="all of it")
UPLOADED = wa.Uploaded("https://host/v/1", "/v/1", b"k" * 32, b"e" * 32, b"f" * 32, 1234)
FILE = MediaFile(
    session_id="s",
    sha256=b"f" * 32,
    mime_type="video/mp4",
    size=1234,
    file_name="film.mp4",
    source=MediaSource.UPLOAD,
    details={"width": 640, "height": 480, "seconds": 7, "waveform": "AQID", "animated": True},
    thumbnail=b"\xff\xd8jpeg",
)
EVENT = EventInvitation(
    name="Party",
    description="with cake",
    starts_at=datetime(2027, 1, 2, 18, tzinfo=UTC),
    ends_at=datetime(2027, 1, 2, 23, tzinfo=UTC),
    location=Location(latitude=-6.2, longitude=106.8, name="Home"),
    join_link="https://call.whatsapp.com/video/x",
    extra_guests=True,
)
BUTTONS = Buttons(
    text="choose",
    title="Order",
    footer="thanks",
    buttons=(
        Button(kind="reply", text="Yes", id="y"),
        Button(kind="url", text="Site", value="https://a.test"),
        Button(kind="call", text="Call", value="+62811"),
        Button(kind="copy", text="Copy", value="CODE"),
    ),
)
MENU = ListMenu(
    title="Lunch",
    text="choose",
    button="Open",
    sections=(ListSection(title="Hot", rows=(ListRow(id="s", title="Soup", description="of the day"),)),),
)


def shown(kind: MediaKind, **more: Any) -> tuple[Media, Any]:
    content = Media(kind=kind, media_id="med_1", **more)
    return content, files.file_message(content, FILE, UPLOADED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Text(text="hi"), texts.text_message(Text(text="hi"))),
        (Text(text="see https://a.test", preview=PREVIEW), None),
        (StatusText(text="hello all"), None),
        (Location(latitude=1.5, longitude=2.5), None),
        (Location(latitude=1.5, longitude=2.5, name="Home", address="Street 1"), None),
        (Contacts(cards=(("Ana", "BEGIN:VCARD"),)), None),
        (Contacts(cards=(("Ana", "BEGIN:VCARD"), ("Ben", "BEGIN:VCARD"))), None),
        (EVENT, None),
        (Poll(question="Tea?", options=("yes", "no")), None),
        (Poll(question="Tea?", options=("yes", "no", "later"), selectable=0), None),
        (BUTTONS, None),
        (MENU, None),
        (AlbumHeader(images=2, videos=1), None),
        *(shown(kind, caption="look") for kind in MediaKind),
        *(
            shown(kind, view_once=True)
            for kind in MediaKind
            if kind not in {MediaKind.DOCUMENT, MediaKind.STICKER}
        ),
    ],
)
def test_what_is_composed_is_read_as_what_its_row_said_before(content: Content, message: Any) -> None:
    message = message or made(content)
    said = read_content(e2e.Message.FromString(message.SerializeToString()))
    assert isinstance(said, Said)
    kind, words, _ = described(Intent(to=BEN, content=content))
    assert (said.kind, said.text) == (kind, words)
    assert kind in KINDS


def made(content: Content) -> Any:
    match content:
        case Text():
            return texts.text_message(content)
        case StatusText():
            return texts.status_message(content)
        case Location():
            return cards.location_message(content)
        case Contacts():
            return cards.contacts_message(content)
        case EventInvitation():
            return cards.event_message(content)
        case Poll():
            return polls.poll_message(content)
        case Buttons():
            return menus.buttons_message(content)
        case ListMenu():
            return menus.list_message(content)
        case AlbumHeader():
            return files.album_message(content)
        case _:
            raise AssertionError(content)


def test_a_plain_text_is_a_conversation_and_a_card_makes_it_an_extended_text() -> None:
    assert texts.text_message(Text(text="hi")) == e2e.Message(conversation="hi")
    text_ = texts.text_message(Text(text="see https://a.test", preview=PREVIEW), b"jpeg").extendedTextMessage
    assert (text_.text, text_.matchedText, text_.title) == ("see https://a.test", "https://a.test", "A")
    assert (text_.description, text_.JPEGThumbnail) == ("all of it", b"jpeg")


def test_a_status_has_its_ground_and_font() -> None:
    text_ = texts.status_message(StatusText(text="hi", background="#102030", font=2)).extendedTextMessage
    assert (text_.backgroundArgb, text_.textArgb, text_.font) == (0xFF102030, 0xFFFFFFFF, 2)
    with pytest.raises(NotSupported, match="no such font"):
        texts.status_message(StatusText(text="hi", font=3))


def test_a_location_has_only_what_was_given() -> None:
    place = cards.location_message(Location(latitude=-6.2, longitude=106.8, url="https://m")).locationMessage
    assert (place.degreesLatitude, place.degreesLongitude, place.URL) == (-6.2, 106.8, "https://m")
    assert not place.HasField("name")


def test_one_contact_is_a_card_and_several_are_an_array() -> None:
    one = cards.contacts_message(Contacts(cards=(("Ana", "V1"),))).contactMessage
    assert (one.displayName, one.vcard) == ("Ana", "V1")
    several = cards.contacts_message(Contacts(cards=(("Ana", "V1"), ("Ben", "V2")))).contactsArrayMessage
    assert [(each.displayName, each.vcard) for each in several.contacts] == [("Ana", "V1"), ("Ben", "V2")]
    assert several.displayName == "2 contacts"


def test_an_event_has_times_in_seconds_and_its_place() -> None:
    event = cards.event_message(EVENT).eventMessage
    assert (event.startTime, event.endTime) == (1798912800, 1798930800)
    assert (event.name, event.description, event.location.name) == ("Party", "with cake", "Home")
    assert (event.joinLink, event.extraGuestsAllowed, event.isCanceled) == (EVENT.join_link, True, False)


@pytest.mark.parametrize(("selectable", "count"), [(1, 1), (0, 0), (2, 2), (3, 0)])
def test_a_poll_has_the_form_that_the_library_knows(selectable: int, count: int) -> None:
    message = polls.poll_message(Poll(question="Tea?", options=("a", "b"), selectable=selectable))
    poll = message.pollCreationMessage
    assert (poll.name, [each.optionName for each in poll.options]) == ("Tea?", ["a", "b"])
    assert poll.selectableOptionsCount == count


def test_buttons_and_lists_are_a_native_flow() -> None:
    interactive = menus.buttons_message(BUTTONS).interactiveMessage
    assert (interactive.header.title, interactive.footer.text) == ("Order", "thanks")
    flow = [(each.name, json.loads(each.buttonParamsJSON)) for each in interactive.nativeFlowMessage.buttons]
    assert flow == [
        ("quick_reply", {"display_text": "Yes", "id": "y"}),
        ("cta_url", {"display_text": "Site", "url": "https://a.test", "merchant_url": "https://a.test"}),
        ("cta_call", {"display_text": "Call", "phone_number": "+62811"}),
        ("cta_copy", {"display_text": "Copy", "id": "Copy", "copy_code": "CODE"}),
    ]
    (button,) = menus.list_message(MENU).interactiveMessage.nativeFlowMessage.buttons
    assert button.name == "single_select"
    assert json.loads(button.buttonParamsJSON)["sections"][0]["rows"][0] == {
        "header": "",
        "title": "Soup",
        "description": "of the day",
        "id": "s",
    }


@pytest.mark.parametrize(
    ("kind", "field", "uploaded_as"),
    [
        (MediaKind.IMAGE, "imageMessage", wa.MediaKind.IMAGE),
        (MediaKind.VIDEO, "videoMessage", wa.MediaKind.VIDEO),
        (MediaKind.GIF, "videoMessage", wa.MediaKind.VIDEO),
        (MediaKind.VIDEO_NOTE, "ptvMessage", wa.MediaKind.VIDEO),
        (MediaKind.AUDIO, "audioMessage", wa.MediaKind.AUDIO),
        (MediaKind.VOICE, "audioMessage", wa.MediaKind.AUDIO),
        (MediaKind.DOCUMENT, "documentMessage", wa.MediaKind.DOCUMENT),
        (MediaKind.STICKER, "stickerMessage", wa.MediaKind.IMAGE),
    ],
)
def test_a_file_names_its_place_on_the_media_host(
    kind: MediaKind, field: str, uploaded_as: wa.MediaKind
) -> None:
    _, message = shown(kind)
    part = getattr(message, field)
    assert (part.URL, part.directPath, part.mediaKey) == ("https://host/v/1", "/v/1", b"k" * 32)
    assert (part.fileSHA256, part.fileEncSHA256, part.fileLength) == (b"f" * 32, b"e" * 32, 1234)
    assert part.mimetype == "video/mp4"
    assert part.mediaKeyTimestamp > 1_700_000_000
    assert files.upload_kind(kind) is uploaded_as
    for name, value in (("width", 640), ("height", 480), ("seconds", 7)):
        if name in part.DESCRIPTOR.fields_by_name:
            assert getattr(part, name) == value
    if "JPEGThumbnail" in part.DESCRIPTOR.fields_by_name:
        assert part.JPEGThumbnail == b"\xff\xd8jpeg"


def test_what_is_told_of_a_kind_alone() -> None:
    assert shown(MediaKind.GIF)[1].videoMessage.gifPlayback
    assert not shown(MediaKind.VIDEO)[1].videoMessage.gifPlayback
    voice = shown(MediaKind.VOICE)[1].audioMessage
    assert (voice.PTT, voice.waveform) == (True, b"\1\2\3")
    assert not shown(MediaKind.AUDIO)[1].audioMessage.HasField("waveform")
    assert shown(MediaKind.STICKER)[1].stickerMessage.isAnimated
    document = shown(MediaKind.DOCUMENT)[1].documentMessage
    assert (document.fileName, document.title) == ("film.mp4", "film.mp4")
    assert shown(MediaKind.DOCUMENT, file_name="b.mp4")[1].documentMessage.fileName == "b.mp4"


def test_what_is_seen_once_and_a_document_with_a_caption_travel_in_an_envelope() -> None:
    once = shown(MediaKind.IMAGE, view_once=True, caption="psst")[1].viewOnceMessageV2.message.imageMessage
    assert (once.viewOnce, once.caption) == (True, "psst")
    heard = shown(MediaKind.VOICE, view_once=True)[1].viewOnceMessageV2Extension.message.audioMessage
    assert heard.viewOnce
    document = shown(MediaKind.DOCUMENT, caption="read")[1].documentWithCaptionMessage.message
    assert document.documentMessage.caption == "read"
    with pytest.raises(NotSupported, match="seen once"):
        shown(MediaKind.DOCUMENT, view_once=True)


def test_pictures_of_an_album_name_its_header() -> None:
    header = target(ours(files.album_message(AlbumHeader(images=2, videos=0)), type="album"))
    _, message = shown(MediaKind.IMAGE)
    files.put_in_album(message, header, BEN)
    belongs = message.messageContextInfo.messageAssociation
    assert belongs.associationType == e2e.MessageAssociation.MEDIA_ALBUM
    key = belongs.parentMessageKey
    assert (key.remoteJID, key.fromMe, key.ID) == (BEN, True, "A1")
    with pytest.raises(MessageUnsuitable, match="no album"):
        files.put_in_album(message, target(ours(text("hi"))), BEN)
