"""The composer over a database and a client: what it looks up, uploads and refuses."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import asdict, define, evolve, field

from actors.errors import (
    MediaNotFound,
    MessageNotFound,
    MessageUnsuitable,
    NotSupported,
    SessionRestarting,
    WhatsAppFailed,
)
from actors.outgoing import (
    AlbumHeader,
    Content,
    Edit,
    Forward,
    LinkPreview,
    Media,
    MediaKind,
    Options,
    Pin,
    Poll,
    PollVote,
    Reaction,
    Revoke,
    Text,
)
from actors.outgoing.compose import Composed, Composer
from actors.outgoing.files import album_message
from actors.outgoing.intent import Intent
from actors.outgoing.uploads import Uploads
from actors.session.reading import Secret, read_content
from actors.whatsapp.client import Client
from actors.whatsapp.control import decode_call
from actors.whatsapp.errors import CallTimedOut, WhatsAppError
from actors.whatsapp.jid import to_proto
from actors.whatsapp.proto import neonize
from actors.whatsapp.secrets import Use, open_sealed
from storage import Message, MessageStatus, Pool, StoreMessage, UpdateMessage
from storage.media import MediaFile, MediaSource, MediaStore
from tests.actors.outgoing.stored import (
    BEN,
    BEN_LID,
    GROUP,
    OWN,
    SECRET,
    in_group,
    ours,
    picture,
    poll,
    row,
    text,
)
from tests.storage.conftest import gateway
from tests.storage.gateway import Gateway

__all__ = ["gateway"]

OWN_LID = "711@lid"
LIDS = {OWN: OWN_LID, BEN: BEN_LID}
CHANNEL = "1@newsletter"
DATA = b"a film"


@define(eq=False)
class Cell:
    """Answers the client's calls as the library would."""

    id: str = "cell-1"
    uploaded: list[tuple[bytes, int]] = field(factory=list)
    fails: Exception | None = None

    async def call(self, client: int, payload: bytes) -> bytes:
        function, arguments = decode_call(payload)
        if self.fails is not None:
            raise self.fails
        answer: Any
        match function:
            case "GetLIDFromPN":
                asked = neonize.JID.FromString(arguments[0])
                lid = LIDS.get(f"{asked.User}@{asked.Server}")
                answer = neonize.GetJIDFromStoreReturnFunction(Jid=None if lid is None else to_proto(lid))
                if lid is None:
                    answer.Error = "not known"
            case "Upload":
                self.uploaded.append((arguments[0], arguments[1]))  # type: ignore[arg-type]
                put = neonize.UploadResponse(
                    url="https://host/v/1",
                    DirectPath="/v/1",
                    MediaKey=b"k" * 32,
                    FileEncSHA256=b"e" * 32,
                    FileSHA256=b"f" * 32,
                    FileLength=len(arguments[0]),  # type: ignore[arg-type]
                )
                answer = neonize.UploadReturnFunction(UploadResponse=put)
            case "GetGroupInfo":
                answer = neonize.GetGroupInfoReturnFunction()
                for jid in (OWN_LID, BEN_LID):
                    answer.GroupInfo.Participants.add(JID=to_proto(jid))
            case _:
                raise AssertionError(function)
        return bytes(answer.SerializePartialToString())

    def acknowledge(self, client: int, seq: int) -> None:
        raise AssertionError((client, seq))

    async def stop_client(self, client: int) -> None:
        raise AssertionError(client)


@define(eq=False)
class Bench:
    """A composer of one session, and where its messages go."""

    gateway: Gateway
    composer: Composer
    cell: Cell
    now: float = 0.0
    in_the_air: list[UpdateMessage] = field(factory=list)
    """What is stored once all is settled."""

    async def compose(self, content: Content, *, to: str = BEN, **options: Any) -> Composed:
        intent = Intent(to=to, content=content, options=Options(**options))
        client = Client("s1", 1, self.cell)
        return await self.composer.compose(intent, chat=to, own_jid=OWN, client=client)

    async def store(self, *rows: Message) -> None:
        for each in rows:
            write = StoreMessage(message=evolve(each, session_id="s1"))
            await self.gateway.writer.call(write)

    async def file(self, **more: Any) -> str:
        given: dict[str, Any] = {
            "session_id": "s1",
            "sha256": hashlib.sha256(DATA).digest(),
            "mime_type": "video/mp4",
            "size": len(DATA),
            "source": MediaSource.UPLOAD,
        }
        made = MediaFile(**given | more)
        await self.composer.media.put(made, DATA)
        return made.id


@pytest.fixture
async def bench(gateway: Gateway) -> AsyncIterator[Bench]:
    await gateway.session()
    pool = Pool(gateway.dsn, 2, writable=True)

    async def settled() -> None:
        for write in found.in_the_air:
            await gateway.writer.call(write)

    uploads = Uploads(clock=lambda: found.now)
    composer = Composer("s1", gateway.reads, MediaStore(pool), settled, uploads)
    found = Bench(gateway, composer, Cell())
    yield found
    pool.close()


async def test_every_message_that_may_be_answered_has_a_secret_that_listeners_do_not_see(
    bench: Bench,
) -> None:
    composed = await bench.compose(Text(text="hi"))
    assert (composed.type, composed.text, composed.payload) == ("text", "hi", {"conversation": "hi"})
    assert len(composed.message.messageContextInfo.messageSecret) == 32
    asked = await bench.compose(Poll(question="Tea?", options=("yes", "no")))
    assert len(asked.message.messageContextInfo.messageSecret) == 32
    assert set(asked.payload) == {"pollCreationMessage"}


async def test_a_file_is_uploaded_once_for_all_who_get_it_within_the_hour(bench: Bench) -> None:
    film = Media(kind=MediaKind.VIDEO, media_id=await bench.file(), caption="waves")
    first = await bench.compose(film)
    again = await bench.compose(film, to=GROUP)
    assert bench.cell.uploaded == [(DATA, 1)]
    assert (first.type, first.text, first.media_id) == ("video", "waves", film.media_id)
    assert first.message.videoMessage.directPath == again.message.videoMessage.directPath == "/v/1"
    bench.now = 3601.0
    await bench.compose(film)
    assert len(bench.cell.uploaded) == 2


async def test_what_is_quoted_is_looked_up_by_our_id_or_whatsapp_s(bench: Bench) -> None:
    await bench.store(row(text("tea?")))
    for message_id in ("msg_1", "A1"):
        composed = await bench.compose(Text(text="yes"), quoted_message_id=message_id)
        context = composed.message.extendedTextMessage.contextInfo
        assert (context.stanzaID, context.quotedMessage) == ("A1", text("tea?"))
        assert composed.payload["extendedTextMessage"]["contextInfo"]["stanzaId"] == "A1"


async def test_everyone_in_the_group_is_mentioned_and_nobody_elsewhere(bench: Bench) -> None:
    composed = await bench.compose(Text(text="@all"), to=GROUP, mention_all=True, mentions=(BEN_LID,))
    context = composed.message.extendedTextMessage.contextInfo
    assert (list(context.mentionedJID), context.nonJIDMentions) == ([BEN_LID, OWN_LID], 1)
    with pytest.raises(NotSupported, match="in a group only"):
        await bench.compose(Text(text="@all"), mention_all=True)


async def test_a_vote_is_made_with_hidden_addresses_where_they_are_known(bench: Bench) -> None:
    await bench.store(row(poll("yes", "no"), type="poll"))
    composed = await bench.compose(PollVote(message_id="A1", options=("yes",)))
    assert (composed.type, composed.text) == ("poll_vote", "yes")
    said = read_content(composed.message)
    assert isinstance(said, Secret)
    opened = open_sealed(
        said.sealed, SECRET, Use.POLL_VOTE, message_id="A1", authors=[BEN_LID], senders=[OWN_LID]
    )
    assert opened is not None
    assert said.author == BEN_LID


async def test_in_a_group_an_author_is_named_by_the_hidden_address(bench: Bench) -> None:
    await bench.store(in_group(text("hi")))
    composed = await bench.compose(Reaction(message_id="A1", emoji="!"), to=GROUP)
    assert composed.message.reactionMessage.key.participant == BEN_LID
    assert (composed.type, composed.text) == ("reaction", "!")


async def test_a_forwarded_message_is_what_it_was_and_keeps_its_file(bench: Bench) -> None:
    await bench.store(ours(picture("sunset"), type="image", media_id="med_1"))
    composed = await bench.compose(Forward(message_id="A1"), to=GROUP)
    assert (composed.type, composed.text, composed.media_id) == ("image", "sunset", "med_1")
    assert composed.message.imageMessage.contextInfo.isForwarded
    assert composed.message.messageContextInfo.messageSecret != SECRET
    assert bench.cell.uploaded == []


async def test_edits_deletions_and_pins_say_what_they_are(bench: Bench) -> None:
    await bench.store(ours(text("helo")))
    edit = await bench.compose(Edit(message_id="A1", text="hello"))
    assert (edit.type, edit.text) == ("edit", "hello")
    revoke = await bench.compose(Revoke(message_id="A1"))
    assert (revoke.type, revoke.text) == ("revoke", None)
    pin = await bench.compose(Pin(message_id="A1", seconds=3600))
    assert (pin.type, pin.text) == ("pin", None)


async def test_an_album_s_pictures_are_sent_after_its_header(bench: Bench) -> None:
    await bench.store(ours(album_message(AlbumHeader(images=1, videos=1)), type="album"))
    part = Media(kind=MediaKind.VIDEO, media_id=await bench.file(), album_id="msg_1")
    key = (await bench.compose(part)).message.messageContextInfo.messageAssociation.parentMessageKey
    assert (key.ID, key.fromMe) == ("A1", True)


async def test_a_message_about_one_that_is_in_the_air_waits_for_its_id(bench: Bench) -> None:
    header = album_message(AlbumHeader(images=1, videos=1))
    await bench.store(ours(header, type="album", wa_id=None, status=MessageStatus.SENDING))
    known = UpdateMessage(session_id="s1", id="msg_1", wa_id="A1", status=MessageStatus.SENT)
    bench.in_the_air.append(known)
    part = Media(kind=MediaKind.VIDEO, media_id=await bench.file(), album_id="msg_1")
    key = (await bench.compose(part)).message.messageContextInfo.messageAssociation.parentMessageKey
    assert key.ID == "A1"


async def test_a_link_s_card_shows_its_picture(bench: Bench) -> None:
    thumbnail = await bench.file(mime_type="image/jpeg")
    preview = LinkPreview(url="https://a.test", title="A", thumbnail=thumbnail)
    composed = await bench.compose(Text(text="https://a.test", preview=preview))
    assert composed.message.extendedTextMessage.JPEGThumbnail == DATA
    assert composed.media_id is None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (Reaction(message_id="nowhere", emoji="!"), MessageNotFound(message_id="nowhere")),
        (Media(kind=MediaKind.IMAGE, media_id="nowhere"), MediaNotFound(media_id="nowhere")),
        (
            PollVote(message_id="A1", options=("yes",)),
            MessageUnsuitable(message_id="A1", reason="it is no poll"),
        ),
    ],
)
async def test_what_is_not_there_or_does_not_suit_is_refused(
    bench: Bench, content: Content, error: Any
) -> None:
    await bench.store(row(text("hi")))
    with pytest.raises(type(error)) as caught:
        await bench.compose(content)
    raised: Any = caught.value
    assert asdict(raised) == asdict(error)


async def test_a_channel_gets_no_files_reactions_and_pins(bench: Bench) -> None:
    await bench.store(ours(text("news"), chat=CHANNEL), ours(picture(), id="msg_2", wa_id="A2"))
    for content in (
        Forward(message_id="A2"),
        Media(kind=MediaKind.VIDEO, media_id=await bench.file()),
        Reaction(message_id="A1", emoji="!"),
        Pin(message_id="A1", seconds=60),
    ):
        with pytest.raises(NotSupported, match="to a channel"):
            await bench.compose(content, to=CHANNEL)
    assert bench.cell.uploaded == []


async def test_an_upload_that_fails_is_told_as_a_session_s_error(bench: Bench) -> None:
    film = Media(kind=MediaKind.VIDEO, media_id=await bench.file())
    bench.cell.fails = CallTimedOut("Upload", 75.0)
    with pytest.raises(SessionRestarting):
        await bench.compose(film)
    bench.cell.fails = WhatsAppError(413, "too large")
    with pytest.raises(WhatsAppFailed, match="too large"):
        await bench.compose(film)
