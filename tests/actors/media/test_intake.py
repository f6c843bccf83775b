"""A file becomes what WhatsApp takes, or is refused; what it says of itself changes nothing."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from actors.decoding import Decoders
from actors.egress import Egress, UrlForbidden
from actors.errors import MediaNotFound
from actors.media.errors import MediaBusy, MediaTooLarge, MediaTypeUnsupported
from actors.media.fetch import Fetcher
from actors.media.intake import FromBytes, FromStore, FromUrl, Intake
from actors.media.limits import MediaLimits
from actors.media.preview import preview
from actors.outgoing import MediaKind
from storage import Pool, WriteRefused
from storage.media import MediaSource, MediaStore
from tests.actors.decoding.media import animation, encoded, picture, tone
from tests.actors.media.hostile import OPENED, Server, Stream, answer, saying, serving
from tests.storage.gateway import running_writer

SCRIPT = b"<script>alert(document.cookie)</script>"
HTML = b"<!doctype html><html><body>" + SCRIPT + b"</body></html>"
PNG = encoded(picture(), "PNG")
# Of no kind that is shown: a page that begins like a picture, and pictures that are programs or nothing.
HOSTILE = {
    "html": HTML,
    "html with a png's head": PNG[:8] + HTML,
    "html with a png's first chunk": PNG[:33] + HTML,
    "html with a jpeg's head": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + HTML,
    "html with a gif's head": b"GIF89a" + HTML,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
    "svg in xml": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "svg with entities": b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
    "imagemagick": b"push graphic-context\nviewbox 0 0 1 1\nfill 'url(https://127.0.0.1/)'\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
    "pdf": b"%PDF-1.7\n" + HTML,
    "playlist": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
    "ffconcat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    "zeros": bytes(1000),
    "cut short": PNG[: len(PNG) // 2],
}


@pytest.fixture
async def intake(database: str) -> AsyncIterator[Intake]:
    """Without decoders: those who need them start them."""
    async with running_writer(database) as gateway:
        await gateway.session()
        pool = Pool(database, 2, writable=True)
        yield Intake(
            store=MediaStore(pool),
            fetcher=Fetcher(Egress(allow_networks=[f"{OPENED}/32"])),
            decoders=Decoders(),
            limits=MediaLimits(document=3 << 20, video=2 << 20, audio=1 << 20, image=1 << 20),
        )
        pool.close()


async def test_each_kind_becomes_what_whatsapp_takes_and_keeps_what_there_is_to_say(intake: Intake) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(intake.decoders.run)
        gif = animation()
        for data, kind, mime_type, details in (
            (encoded(picture(), "BMP"), MediaKind.IMAGE, "image/jpeg", {"width": 320, "height": 200}),
            (gif, MediaKind.GIF, "video/mp4", {"width": 120, "height": 80}),
            (gif, MediaKind.STICKER, "image/webp", {"width": 512, "height": 512, "animated": True}),
            (tone("wav"), MediaKind.VOICE, "audio/ogg; codecs=opus", {"seconds": 2}),
            (tone("mp3"), MediaKind.AUDIO, "audio/mpeg", {"seconds": 2}),
        ):
            file = await intake.obtain("s1", FromBytes(data), kind, file_name="a.txt", mime_type="text/html")
            assert (file.mime_type, file.source) == (mime_type, MediaSource.UPLOAD)
            assert {name: file.details.get(name) for name in details} == details
            assert file.details["kind"] == kind
            assert ("waveform" in file.details) == (kind is MediaKind.VOICE)
            stored = await intake.store.content(file)
            assert hashlib.sha256(stored).digest() == file.sha256
            # What is converted already is not converted again.
            assert await intake.obtain("s1", FromStore(file.id), kind) == file
        kept = await intake.keep("s1", FromBytes(PNG), file_name="a.png")
        made = await intake.obtain("s1", FromStore(kept.id), MediaKind.STICKER)
        assert (made.mime_type, made.id == kept.id) == ("image/webp", False)
        with pytest.raises(MediaNotFound):
            await intake.obtain("s2", FromStore(kept.id), MediaKind.IMAGE)
        nursery.cancel_scope.cancel()


async def test_what_only_looks_like_a_picture_becomes_none(intake: Intake) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(intake.decoders.run)
        for name, data in HOSTILE.items():
            for kind in MediaKind:
                if kind is MediaKind.DOCUMENT:
                    continue
                try:
                    file = await intake.obtain("s1", FromBytes(data), kind, file_name="a.png")
                except MediaTypeUnsupported:
                    continue
                # A picture was cut short, and shown as far as it goes.
                assert (name, b"script" in await intake.store.content(file)) == ("cut short", False)
        nursery.cancel_scope.cancel()


async def test_what_is_hidden_behind_a_picture_does_not_go_along(intake: Intake) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(intake.decoders.run)
        jpeg = encoded(picture(), "JPEG", comment=SCRIPT)
        for data in (PNG + HTML, encoded(picture(), "GIF") + HTML, encoded(picture(), "JPEG") + HTML, jpeg):
            for kind in (MediaKind.IMAGE, MediaKind.STICKER):
                file = await intake.obtain("s1", FromBytes(data), kind)
                assert b"script" not in await intake.store.content(file)
                assert b"script" not in (file.thumbnail or b"")
        nursery.cancel_scope.cancel()


async def test_a_document_goes_as_it_is_and_its_bytes_say_what_it_is(intake: Intake) -> None:
    for data, name, claimed, expected in (
        (PNG, "a.html", "text/html", "image/png"),
        (b"PK\x03\x04" + bytes(30), "a.docx", None, None),
        (b"a,b\n", "a.csv", None, "text/csv"),
        (b"\0\1\2", None, "application/x-own", "application/x-own"),
        (b"\0\1\2", None, "no type\r\nx: y", "application/octet-stream"),
    ):
        file = await intake.obtain(
            "s1", FromBytes(data), MediaKind.DOCUMENT, file_name=name, mime_type=claimed
        )
        assert await intake.store.content(file) == data
        assert expected is None or file.mime_type == expected
        assert file.details == {"kind": "document"}


async def test_limits_are_those_of_what_it_is_to_be(intake: Intake) -> None:
    data = bytes((1 << 20) + 1)
    with pytest.raises(MediaTooLarge):
        await intake.obtain("s1", FromBytes(data), MediaKind.IMAGE)
    kept = await intake.obtain("s1", FromBytes(data), MediaKind.DOCUMENT)
    with pytest.raises(MediaTooLarge):
        await intake.obtain("s1", FromStore(kept.id), MediaKind.VOICE)
    async with serving(saying(answer(data)), OPENED) as server:
        with pytest.raises(MediaTooLarge):
            await intake.obtain("s1", FromUrl(server.url), MediaKind.STICKER)
    assert intake.room.held == 0


async def test_without_decoders_and_without_a_session_nothing_is_stored(intake: Intake) -> None:
    with pytest.raises(MediaBusy) as busy:
        await intake.obtain("s1", FromBytes(PNG), MediaKind.IMAGE)
    assert busy.value.retry_after > 0
    with pytest.raises(WriteRefused):
        await intake.keep("nobody", FromBytes(PNG))
    assert (await intake.store.listing("s1")).items == []


async def test_a_page_s_card_has_its_words_and_its_picture(intake: Intake) -> None:
    page = (
        b"<title>T</title><meta property='og:description' content='D'>"
        b"<meta property='og:image' content='/a.png'>"
    )
    files = {b"/page": page, b"/a.png": PNG, b"/blank": HTML}

    async def script(server: Server, stream: Stream) -> None:
        await server.send(stream, answer(files[server.requests[-1].split()[1]]))

    async with serving(script, OPENED) as server, trio.open_nursery() as nursery:
        await nursery.start(intake.decoders.run)
        card = await preview(intake, "s1", f"{server.url}/page")
        assert card is not None
        assert (card.url, card.title, card.description) == (f"{server.url}/page", "T", "D")
        assert card.thumbnail is not None
        file = await intake.store.get("s1", card.thumbnail)
        assert file is not None
        assert file.mime_type == "image/jpeg"
        assert await preview(intake, "s1", f"{server.url}/blank") is None
        assert await preview(intake, "s1", "http://127.0.0.1/") is None
        files[b"/page"] = page.replace(b"/a.png", b"http://127.0.0.1/a.png")
        card = await preview(intake, "s1", f"{server.url}/page")
        assert card is not None
        assert card.thumbnail is None
        nursery.cancel_scope.cancel()


async def test_where_a_url_leads_is_judged_here_too(intake: Intake) -> None:
    given: list[tuple[Any, ...]] = [(intake.obtain, MediaKind.DOCUMENT), (intake.keep,)]
    for take, *more in given:
        with pytest.raises(UrlForbidden):
            await take("s1", FromUrl("http://169.254.169.254/latest/meta-data/"), *more)
