"""Every kind of message, from a request through WhatsApp's protocol to another session, and what both say."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import av
import pytest
from attrs import define
from PIL import Image

from tests.actors.decoding.media import clip, encoded, picture, tone
from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Json, Network, Session, gateway, until

ANA, BEA, CLEO = "628160000001", "628160000002", "628160000003"
JID_OF_ANA, JID_OF_BEA = f"{ANA}@s.whatsapp.net", f"{BEA}@s.whatsapp.net"
LOCAL = """
[media]
allow_networks = ["127.0.0.0/8"]
"""


@define(eq=False)
class Pair:
    """Two sessions that write to each other."""

    gw: Gateway
    wa: Network
    ana: Session
    bea: Session

    async def post(self, kind: str, body: Json, *, status: int = 200, to: str | None = BEA) -> Json:
        """Ana sends something, to Bea unless the body says otherwise."""
        whole = body if to is None else {"phone": to, **body}
        return await self.gw.call("POST", f"/api/messages/{kind}", whole, session=self.ana, status=status)

    async def row(self, session: Session, message_id: str) -> Json | None:
        answer = await self.gw.http.get(f"/api/messages/{message_id}", headers=session.headers)
        return dict(answer.json()) if answer.is_success else None

    async def arrived(self, sent: Json) -> Json:
        """The message as Bea has it; and Ana's own row agrees with the answer she got."""
        found: Json = await until(partial(self.row, self.bea, sent["messageId"]), "Bea has it")
        own = await self.row(self.ana, sent["messageId"])
        assert own is not None
        assert (own["fromMe"], own["chat"], own["timestamp"]) == (True, sent["chat"], sent["timestamp"])
        assert own["status"] in {"sent", "delivered", "read"}
        assert (found["fromMe"], found["chat"], found["from"]) == (False, JID_OF_ANA, JID_OF_ANA)
        assert own["type"] == found["type"]
        assert own["text"] == found["text"]
        return found

    async def goes(self, kind: str, body: Json) -> Json:
        """What Bea has of something that Ana sends her."""
        sent = await self.post(kind, body)
        assert sent["status"] == "sent"
        assert sent["key"] == {"remoteJid": JID_OF_BEA, "fromMe": True, "id": sent["messageId"]}
        return await self.arrived(sent)

    async def event(self, session: Session, name: str, **about: Any) -> Json:
        """The data of the first event of this name whose data, or key, has these values."""

        async def found() -> Json | None:
            query = {"after": "0", "events": name, "limit": "500"}
            answer = await self.gw.http.get("/api/events", params=query, headers=session.headers)
            for event in answer.json()["events"]:
                data: Json = event["data"]
                if about.items() <= {**data, **data.get("key", {})}.items():
                    return data
            return None

        return dict(await until(found, f"{name} {about}"))


@pytest.fixture
async def pair(tmp_path: Path, wa: Network) -> AsyncIterator[Pair]:
    async with gateway(tmp_path / "gateway", wa, QUICK + LOCAL) as gw:
        await wa.phone(CLEO)
        yield Pair(gw, wa, await gw.pair("ana", ANA), await gw.pair("bea", BEA))


@contextmanager
def served(**files: bytes) -> Iterator[str]:
    """A web server with these files; its address, below which they lie by name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").replace(".", "_")
            self.send_response(200 if name in files else 404)
            body = files.get(name, b"")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_what_is_written_arrives_as_it_was_meant(pair: Pair) -> None:
    await _texts(pair)
    await _structured(pair)
    await _about_messages(pair)
    await _votes(pair)
    await _groups(pair)
    await _stories(pair)
    await _later(pair)


async def _texts(pair: Pair) -> None:
    plain = await pair.goes("text", {"message": "Halo 🥭", "clientRef": "order-7"})
    assert (plain["type"], plain["text"]) == ("text", "Halo 🥭")
    assert plain["message"]["conversation"] == "Halo 🥭"
    told = await pair.event(pair.bea, "messages.upsert", id=plain["messageId"])
    assert told["message"] == plain["message"]
    own = await pair.event(pair.ana, "messages.update", id=plain["messageId"], status="sent")
    assert own["clientRef"] == "order-7"

    quoting = await pair.goes("text", {"message": "That one", "quotedMessageId": plain["messageId"]})
    context = quoting["message"]["extendedTextMessage"]["contextInfo"]
    assert context["stanzaId"] == plain["messageId"]
    assert context["quotedMessage"] == {"conversation": "Halo 🥭"}

    mentioning = await pair.goes("text", {"message": f"@{CLEO} look", "mentions": [CLEO], "forwarded": True})
    context = mentioning["message"]["extendedTextMessage"]["contextInfo"]
    assert len(context["mentionedJid"]) == 1
    assert context["isForwarded"] is True

    fleeting = await pair.goes("text", {"message": "Gone soon", "ephemeralSeconds": 86400})
    assert fleeting["text"] == "Gone soon"
    assert "86400" in str(fleeting["message"])

    card = {"url": "https://example.org/a", "title": "A page", "description": "About it"}
    linked = await pair.goes("text", {"message": "See https://example.org/a", "linkPreview": card})
    shown = linked["message"]["extendedTextMessage"]
    assert (shown["matchedText"], shown["title"], shown["description"]) == tuple(card.values())


async def _structured(pair: Pair) -> None:
    place = {"latitude": -6.1754, "longitude": 106.8272, "name": "Monas", "address": "Gambir, Jakarta"}
    found = (await pair.goes("location", place))["message"]["locationMessage"]
    assert found["degreesLatitude"] == pytest.approx(-6.1754)
    assert found["degreesLongitude"] == pytest.approx(106.8272)
    assert (found["name"], found["address"]) == ("Monas", "Gambir, Jakarta")

    one = await pair.goes(
        "contact", {"contacts": [{"name": "Budi; S", "phone": CLEO, "organization": "Toko"}]}
    )
    card = one["message"]["contactMessage"]
    assert card["displayName"] == "Budi; S"
    assert f"waid={CLEO}:+{CLEO}" in card["vcard"]
    assert "ORG:Toko;" in card["vcard"]
    vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Citra\nEND:VCARD"
    two = await pair.goes("contact", {"contacts": [{"vcard": vcard}, {"name": "Dewi", "phone": CLEO}]})
    cards = two["message"]["contactsArrayMessage"]["contacts"]
    assert [each["displayName"] for each in cards] == ["Citra", "Dewi"]
    assert cards[0]["vcard"] == vcard

    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    party = {
        "name": "Party",
        "description": "Bring cake",
        "startsAt": starts.isoformat(),
        "extraGuests": True,
    }
    event = (await pair.goes("event", {**party, "location": place}))["message"]["eventMessage"]
    assert (event["name"], event["description"]) == ("Party", "Bring cake")
    assert int(event["startTime"]) == int(starts.timestamp())
    assert event["location"]["name"] == "Monas"

    buttons = [{"text": "Yes", "id": "y"}, {"type": "url", "text": "Open", "value": "https://example.org"}]
    menu = await pair.goes("buttons", {"message": "Well?", "footer": "Toko", "buttons": buttons})
    assert (menu["type"], menu["text"]) == ("buttons", "Well?")
    assert "https://example.org" in str(menu["message"])
    rows = [{"id": "a", "title": "Satu"}, {"id": "b", "title": "Dua", "description": "2"}]
    sections = [{"title": "Numbers", "rows": rows}]
    listed = await pair.goes(
        "list", {"title": "Pick", "message": "One of them", "button": "Open", "sections": sections}
    )
    assert listed["type"] == "list"
    assert "Dua" in str(listed["message"])


async def _about_messages(pair: Pair) -> None:
    first = await pair.goes("text", {"message": "Frist"})
    message_id = first["messageId"]
    reacted = await pair.post("reaction", {"messageId": message_id, "emoji": "👍"}, to=None)
    assert reacted["chat"] == JID_OF_BEA
    told = await pair.event(pair.bea, "messages.reaction", id=message_id)
    assert told["reaction"]["text"] == "👍"
    await pair.post("reaction", {"messageId": message_id, "emoji": ""}, to=None)

    edit = {"message": "First"}
    edited = await pair.gw.call("PATCH", f"/api/messages/{message_id}", edit, session=pair.ana)
    assert edited["status"] == "sent"
    await pair.event(pair.bea, "messages.edited", id=message_id)
    for session in (pair.ana, pair.bea):

        async def changed(session: Session = session) -> bool:
            row = await pair.row(session, message_id)
            return row is not None and row["text"] == "First"

        await until(changed, f"{session.id} has the new text")

    pinned = await pair.gw.call(
        "POST", f"/api/messages/{message_id}/pin", {"seconds": 86400}, session=pair.ana
    )
    assert pinned["status"] == "sent"
    await pair.gw.call("POST", f"/api/messages/{message_id}/unpin", session=pair.ana)
    starred = await pair.gw.call("POST", f"/api/messages/{message_id}/star", session=pair.ana, status=501)
    assert starred["code"] == "not_possible"

    again = await pair.goes("forward", {"messageId": message_id})
    assert again["text"] == "First"
    assert again["message"]["extendedTextMessage"]["contextInfo"]["isForwarded"] is True

    await pair.gw.call("POST", f"/api/messages/{message_id}/read", session=pair.bea, status=204)
    row = await pair.row(pair.bea, message_id)
    assert row is not None
    assert row["status"] == "read"
    await pair.event(pair.ana, "messages.update", id=message_id, status="read")

    await pair.gw.call("DELETE", f"/api/messages/{message_id}", session=pair.ana)
    await pair.event(pair.bea, "messages.revoked", id=message_id)
    gone = again["messageId"]
    await pair.gw.call("DELETE", f"/api/messages/{gone}?for=me", session=pair.ana, status=204)
    assert await pair.row(pair.ana, gone) is None
    assert await pair.row(pair.bea, gone) is not None


async def _votes(pair: Pair) -> None:
    poll = await pair.goes(
        "poll", {"question": "Kapan?", "options": ["Senin", "Selasa"], "selectableCount": 1}
    )
    assert (poll["type"], poll["text"]) == ("poll", "Kapan?")
    body = {"messageId": poll["messageId"], "options": ["Selasa"]}
    await pair.gw.call("POST", "/api/messages/poll-vote", body, session=pair.bea)
    told = await pair.event(pair.ana, "poll.vote", id=poll["messageId"])
    assert "Selasa" in str(told)


async def _groups(pair: Pair) -> None:
    made = {"subject": "Trip", "participants": [BEA]}
    group = await pair.gw.call("POST", "/api/chats/groups", made, session=pair.ana)
    body = {"to": group["jid"], "message": "All aboard", "mentions": "all"}
    sent = await pair.post("text", body, to=None)
    assert (sent["chat"], sent["key"]["remoteJid"]) == (group["jid"], group["jid"])
    found: Json = await until(partial(pair.row, pair.bea, sent["messageId"]), "Bea has it")
    assert (found["chat"], found["from"], found["text"]) == (group["jid"], JID_OF_ANA, "All aboard")
    assert found["message"]["extendedTextMessage"]["contextInfo"]["nonJidMentions"] == 1
    await pair.post("reaction", {"messageId": sent["messageId"], "emoji": "🚀"}, to=None)
    told = await pair.event(pair.bea, "messages.reaction", id=sent["messageId"])
    assert told["key"]["remoteJid"] == group["jid"]


async def _stories(pair: Pair) -> None:
    """They go to those in the phone's address book."""
    named = {"contact": BEA, "fullName": "Bea of the Book"}
    (await pair.wa.control.patch(f"/phones/{ANA}/settings", json=named)).raise_for_status()

    async def known() -> bool:
        found = await pair.gw.call("GET", f"/api/contacts/{BEA}", session=pair.ana)
        return bool(found["name"] == "Bea of the Book")

    await until(known, "the phone's name for Bea is known")
    text = await _story(pair, {"type": "text", "message": "Buka!", "background": "#ff8800"})
    assert (text["type"], text["text"]) == ("text", "Buka!")
    assert text["message"]["extendedTextMessage"]["backgroundArgb"] == 0xFFFF8800
    shown = b64encode(encoded(picture(), "JPEG")).decode()
    image = await _story(pair, {"type": "image", "imageBase64": shown, "caption": "Baru"})
    assert (image["type"], image["text"]) == ("image", "Baru")
    assert Image.open(BytesIO(await _file(pair, image))).size == (320, 200)


async def _story(pair: Pair, body: Json) -> Json:
    """What Bea has of a story that Ana posts."""
    posted = await pair.post("status", body, to=None)
    found: Json = await until(partial(pair.row, pair.bea, posted["messageId"]), "Bea has it")
    own = await pair.row(pair.ana, posted["messageId"])
    assert own is not None
    assert own["status"] in {"sent", "delivered"}
    assert posted["chat"] == own["chat"] == found["chat"] == "status@broadcast"
    assert (own["fromMe"], found["fromMe"], found["from"]) == (True, False, JID_OF_ANA)
    assert (own["type"], own["text"]) == (found["type"], found["text"])
    return found


async def _later(pair: Pair) -> None:
    gw, ana = pair.gw, pair.ana
    prefer = {**ana.headers, "prefer": "respond-async"}
    answer = await gw.http.post(
        "/api/messages/text", json={"phone": BEA, "message": "Nanti", "clientRef": "n-1"}, headers=prefer
    )
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    queued = answer.json()
    assert queued.keys() == {"messageId", "status", "position", "etaMs", "statusUrl"}
    assert queued["status"] == "queued"
    assert queued["statusUrl"] == f"/api/messages/{queued['messageId']}"
    await until(partial(_text_of, pair, "Nanti"), "Bea has it")
    await pair.event(ana, "messages.update", status="sent", clientRef="n-1")
    followed = await gw.call("GET", queued["statusUrl"], session=ana)
    assert followed["status"] in {"sent", "delivered"}

    at = datetime.now(UTC) + timedelta(seconds=2)
    later = await pair.post(
        "location", {"latitude": 0, "longitude": 0, "name": "Nol", "sendAt": at.isoformat()}, status=202
    )
    assert 0 < later["etaMs"] <= 2000
    waiting = await gw.call("GET", later["statusUrl"], session=ana)
    assert (waiting["status"], waiting["type"]) == ("queued", "location")

    items: list[Json] = [{"type": "text", "phone": BEA, "message": f"Nomor {number}"} for number in range(8)]
    items += [
        {"type": "reaction", "messageId": followed["messageId"], "emoji": "🎉"},
        {"type": "poll", "to": JID_OF_BEA, "question": "Ya?", "options": ["Ya", "Tidak"], "priority": "high"},
    ]
    batch = await pair.post("batch", {"items": items}, to=None, status=202)
    assert (batch["total"], len(batch["messages"])) == (10, 10)
    assert batch["statusUrl"] == f"/api/batches/{batch['batchId']}"
    await until(partial(_text_of, pair, "Nomor 7"), "the batch arrives")
    texts = await gw.received(pair.bea)
    assert [text for text in texts if text and text.startswith("Nomor")] == [f"Nomor {n}" for n in range(8)]
    await pair.event(pair.bea, "messages.reaction", id=followed["messageId"])

    await until(partial(_text_of, pair, "Nol"), "what was for later arrives")
    assert datetime.now(UTC) >= at


async def _text_of(pair: Pair, text: str) -> bool:
    return text in await pair.gw.received(pair.bea)


async def test_files_arrive_as_they_were_sent_or_as_whatsapp_has_them(pair: Pair) -> None:
    page = b"<html><head><title>Toko</title><meta property='og:image' content='/photo.png'></head></html>"
    files = {
        "photo_png": encoded(picture(), "PNG"),
        "photo_jpg": encoded(picture(), "JPEG"),
        "film_mp4": clip(),
        "song_mp3": tone("mp3"),
        "song_wav": tone("wav"),
        "song_ogg": tone("ogg_vorbis"),
        "list_pdf": b"%PDF-1.4\n" + bytes(range(256)) * 40,
        "page_html": page,
    }
    with served(**files) as web:
        await _pictures(pair, web, files)
        await _films(pair, web)
        await _sounds(pair, web)
        await _documents(pair, web, files)
        await _albums(pair, web)
        await _links(pair, web)
        await _refusals(pair, web)


async def _file(pair: Pair, message: Json) -> bytes:
    """The file as Bea downloads it."""
    path = f"/api/messages/{message['messageId']}/media"
    answer = await pair.gw.http.get(path, headers=pair.bea.headers)
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).digest() == b64decode(_part(message)["fileSha256"])
    return answer.content


def _part(message: Json) -> Json:
    """What of a message is about its file."""
    return next(value for value in message["message"].values() if "mimetype" in value)


async def _pictures(pair: Pair, web: str, files: dict[str, bytes]) -> None:
    shown = await pair.goes("image", {"imageUrl": f"{web}/photo.png", "caption": "Merah"})
    assert (shown["type"], shown["text"]) == ("image", "Merah")
    image = Image.open(BytesIO(await _file(pair, shown)))
    assert (image.format, image.size) == ("JPEG", (320, 200))
    part = _part(shown)
    assert (part["mimetype"], part["width"], part["height"]) == ("image/jpeg", 320, 200)

    same = await pair.goes("image", {"imageBase64": b64encode(files["photo_jpg"]).decode(), "viewOnce": True})
    assert _part(same)["viewOnce"] is True
    assert Image.open(BytesIO(await _file(pair, same))).size == (320, 200)

    form = {"phone": BEA, "caption": "Lewat form", "forwarded": "true", "mentions": f'["{CLEO}"]'}
    sent = await pair.gw.http.post(
        "/api/messages/image",
        data=form,
        files={"file": ("photo.png", files["photo_png"], "image/png")},
        headers=pair.ana.headers,
    )
    assert sent.status_code == 200, sent.text
    posted = await pair.arrived(sent.json())
    assert posted["text"] == "Lewat form"
    assert _part(posted)["contextInfo"]["isForwarded"] is True
    assert len(_part(posted)["contextInfo"]["mentionedJid"]) == 1

    sticker = await pair.goes("sticker", {"stickerUrl": f"{web}/photo.png"})
    assert sticker["type"] == "sticker"
    image = Image.open(BytesIO(await _file(pair, sticker)))
    assert (image.format, image.size) == ("WEBP", (512, 512))

    again = await pair.goes("forward", {"messageId": shown["messageId"]})
    assert await _file(pair, again) == await _file(pair, shown)

    story = {"type": "image", "imageUrl": f"{web}/photo.png", "caption": "Baru"}
    posted = await pair.post("status", story, to=None)
    assert posted["chat"] == "status@broadcast"


async def _films(pair: Pair, web: str) -> None:
    film = await pair.goes("video", {"videoUrl": f"{web}/film.mp4", "caption": "Jalan"})
    assert (film["type"], film["text"]) == ("video", "Jalan")
    with av.open(BytesIO(await _file(pair, film)), "r") as played:
        assert played.streams.video[0].codec_context.name == "h264"
    assert _part(film)["seconds"] == 1
    gif = await pair.goes("video", {"videoUrl": f"{web}/film.mp4", "gif": True})
    assert gif["type"] == "gif"
    assert _part(gif)["gifPlayback"] is True
    note = await pair.goes("video", {"videoUrl": f"{web}/film.mp4", "note": True})
    assert note["type"] == "video_note"
    assert "ptvMessage" in note["message"]


async def _sounds(pair: Pair, web: str) -> None:
    for name in ("mp3", "ogg", "wav"):
        song = await pair.goes("audio", {"audioUrl": f"{web}/song.{name}"})
        assert song["type"] == "audio"
        part = song["message"]["audioMessage"]
        assert part.get("ptt", False) is False
        with av.open(BytesIO(await _file(pair, song)), "r") as played:
            assert any(frame.samples for frame in played.decode(audio=0))
    for kind, more in (("voice", {}), ("audio", {"ptt": True})):
        voice = await pair.goes(kind, {"audioUrl": f"{web}/song.wav", **more})
        assert voice["type"] == "voice"
        part = voice["message"]["audioMessage"]
        assert (part["ptt"], part["seconds"], part["mimetype"]) == (True, 2, "audio/ogg; codecs=opus")
        assert len(b64decode(part["waveform"])) == 64
        with av.open(BytesIO(await _file(pair, voice)), "r") as played:
            assert played.streams.audio[0].codec_context.name == "opus"
    await pair.gw.call("POST", f"/api/messages/{voice['messageId']}/read", session=pair.bea, status=204)
    row = await pair.row(pair.bea, voice["messageId"])
    assert row is not None
    assert row["status"] == "played"
    await pair.event(pair.ana, "messages.update", id=voice["messageId"], status="played")


async def _documents(pair: Pair, web: str, files: dict[str, bytes]) -> None:
    body = {"documentUrl": f"{web}/list.pdf", "fileName": "Daftar harga.pdf", "caption": "Ini"}
    document = await pair.goes("document", body)
    part = _part(document)
    assert (document["type"], document["text"]) == ("document", "Ini")
    assert (part["fileName"], part["mimetype"]) == ("Daftar harga.pdf", "application/pdf")
    assert await _file(pair, document) == files["list_pdf"]


async def _albums(pair: Pair, web: str) -> None:
    items = [
        {"type": "image", "imageUrl": f"{web}/photo.png", "caption": "Satu"},
        {"type": "video", "videoUrl": f"{web}/film.mp4"},
    ]
    sent = await pair.post("album", {"items": items})
    header = await pair.arrived(sent)
    assert header["type"] == "album"
    assert header["message"]["albumMessage"] == {"expectedImageCount": 1, "expectedVideoCount": 1}
    assert [each["status"] for each in sent["items"]] == ["sent", "sent"]
    for item, kind in zip(sent["items"], ("image", "video"), strict=True):
        found: Json = await until(partial(pair.row, pair.bea, item["messageId"]), "the item arrives")
        assert found["type"] == kind
        assert sent["messageId"] in str(found["message"]["messageContextInfo"])


async def _links(pair: Pair, web: str) -> None:
    linked = await pair.goes("text", {"message": f"Lihat {web}/page.html", "linkPreview": True})
    shown = linked["message"]["extendedTextMessage"]
    assert (shown["matchedText"], shown["title"]) == (f"{web}/page.html", "Toko")
    assert Image.open(BytesIO(b64decode(shown["jpegThumbnail"]))).format == "JPEG"


async def _refusals(pair: Pair, web: str) -> None:
    gone = await pair.post("image", {"imageUrl": f"{web}/none.png"}, status=422)
    assert gone["code"] == "media_fetch_failed"
    inside = await pair.post("image", {"imageUrl": "http://169.254.169.254/latest"}, status=422)
    assert inside["code"] == "url_forbidden"
    text = await pair.post("image", {"imageUrl": f"{web}/page.html"}, status=415)
    assert text["code"] == "media_type_unsupported"
    nobody = await pair.post("image", {"imageUrl": f"{web}/photo.png", "phone": "628199999999"}, status=404)
    assert nobody["code"] == "recipient_not_on_whatsapp"
