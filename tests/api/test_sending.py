"""What clients may ask to be sent: each kind's fields, how files come in, and what is answered."""

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors import errors, outgoing
from actors.outgoing import MediaKind, Options
from actors.session.messages import Queued, Send, SendMany, Sent
from api.converter import structure
from api.drafts import AnyStory, BatchDraft
from api.multipart import parts_of
from api.refusals import ValidationFailed
from api.submission import RESPOND_ASYNC
from storage.media import MediaFile, MediaSource
from storage.rows import Json
from storage.writes import StoreMessage
from tests.api.stage import SENT_AT, Stage
from tests.api.test_messages import BUDI, inbound

PHONE = "628110000002"
AHEAD = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
DOCUMENT = b"%PDF-1.4\n" + bytes(range(256))
PLACE = {"latitude": -6.2, "longitude": 106.8}
POLL = {"question": "Kapan?", "options": ["Senin", "Selasa"]}
LIST = {"title": "T", "message": "M", "button": "B"}
EVENT = {"name": "Pesta", "startsAt": AHEAD.isoformat()}


def asked(stage: Stage) -> Send:
    found = stage.scripts["ana"].asked[-1]
    assert isinstance(found, Send)
    return found


SENDS: list[tuple[str, Json, outgoing.Content]] = [
    ("text", {"message": "halo"}, outgoing.Text(text="halo")),
    (
        "text",
        {"message": "a", "linkPreview": {"url": "https://a.example", "title": "A"}},
        outgoing.Text(text="a", preview=outgoing.LinkPreview(url="https://a.example", title="A")),
    ),
    ("text", {"message": "no link here", "linkPreview": True}, outgoing.Text(text="no link here")),
    ("location", PLACE, outgoing.Location(latitude=-6.2, longitude=106.8)),
    (
        "location",
        {"latitude": 0, "longitude": 180, "name": "N", "address": "A"},
        outgoing.Location(latitude=0.0, longitude=180.0, name="N", address="A"),
    ),
    ("poll", POLL, outgoing.Poll(question="Kapan?", options=("Senin", "Selasa"), selectable=1)),
    (
        "poll",
        {**POLL, "selectableCount": 0},
        outgoing.Poll(question="Kapan?", options=("Senin", "Selasa"), selectable=0),
    ),
    ("event", EVENT, outgoing.EventInvitation(name="Pesta", starts_at=AHEAD)),
    (
        "buttons",
        {
            "message": "M",
            "buttons": [{"text": "Ya", "id": "y"}, {"type": "call", "text": "C", "value": "+62"}],
        },
        outgoing.Buttons(
            text="M",
            buttons=(
                outgoing.Button(kind="reply", text="Ya", id="y"),
                outgoing.Button(kind="call", text="C", value="+62"),
            ),
        ),
    ),
    (
        "list",
        {**LIST, "sections": [{"title": "S", "rows": [{"id": "1", "title": "R"}]}]},
        outgoing.ListMenu(
            title="T",
            text="M",
            button="B",
            sections=(outgoing.ListSection(title="S", rows=(outgoing.ListRow(id="1", title="R"),)),),
        ),
    ),
    (
        "contact",
        {"contacts": [{"name": "Budi, S", "phone": "628110000003", "organization": "Toko; Jaya"}]},
        outgoing.Contacts(
            cards=(
                (
                    "Budi, S",
                    (
                        "BEGIN:VCARD\nVERSION:3.0\nN:;Budi\\, S;;;\nFN:Budi\\, S\nORG:Toko\\; Jaya;\n"
                        "TEL;type=CELL;type=VOICE;waid=628110000003:+628110000003\nEND:VCARD"
                    ),
                ),
            )
        ),
    ),
    ("forward", {"messageId": "WA1"}, outgoing.Forward(message_id="WA1")),
    (
        "contact",
        {"contacts": [{"vcard": "BEGIN:VCARD\nFN:Budi\\, S\nEND:VCARD"}]},
        outgoing.Contacts(cards=(("Budi, S", "BEGIN:VCARD\nFN:Budi\\, S\nEND:VCARD"),)),
    ),
]


async def test_each_kind_becomes_its_content(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for kind, body, content in SENDS:
            answer = await client.post(f"/api/messages/{kind}", json={"phone": PHONE, **body})
            assert answer.status_code == 200, answer.text
            assert answer.content == (
                b'{"messageId":"3EB0C0FFEE","status":"sent","timestamp":1769860800,'
                b'"chat":"628110000002@s.whatsapp.net",'
                b'"key":{"remoteJid":"628110000002@s.whatsapp.net","fromMe":true,"id":"3EB0C0FFEE"}}'
            )
            assert asked(stage) == Send(to=PHONE, content=content)


async def test_every_send_may_carry_the_common_fields(stage: Stage) -> None:
    until = AHEAD + timedelta(hours=1)
    common = {
        "to": "120363000000000001@g.us",
        "quotedMessageId": "WA7",
        "mentions": [PHONE, "123@lid"],
        "forwarded": True,
        "ephemeralSeconds": 86400,
        "typingMs": 1500,
        "expiresAt": until.isoformat(),
        "priority": "high",
        "clientRef": "order-7",
    }
    async with await stage.session("ana") as client:
        for kind, body, content in SENDS:
            answer = await client.post(f"/api/messages/{kind}", json={**common, **body})
            assert answer.status_code == 200, (kind, answer.text)
            assert asked(stage) == Send(
                to="120363000000000001@g.us",
                content=content,
                options=Options(
                    quoted_message_id="WA7",
                    mentions=(BUDI, "123@lid"),
                    forwarded=True,
                    ephemeral_seconds=86400,
                    typing_ms=1500,
                ),
                client_ref="order-7",
                priority=1,
                expires_at=until,
            )
        more = {"phone": PHONE, "message": "a", "mentions": "all", "typingMs": "auto", "priority": "low"}
        assert (await client.post("/api/messages/text", json=more)).status_code == 200
    assert asked(stage).options == Options(mention_all=True, typing_ms=-1)
    assert asked(stage).priority == -1


WRONG: list[tuple[str, Json, dict[str, str | None]]] = [
    ("text", {"message": "a", "mentions": "some"}, {"mentions": None}),
    ("text", {"message": "a", "mentions": [PHONE, "x"]}, {"mentions[1]": "expected a phone number or a JID"}),
    ("text", {"message": "a", "typingMs": 30001, "priority": "urgent"}, {"typingMs": None, "priority": None}),
    (
        "text",
        {"message": "a", "ephemeralSeconds": -1, "sendAt": "soon"},
        {"ephemeralSeconds": None, "sendAt": None},
    ),
    ("text", {"message": "a", "expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt": None}),
    ("text", {"message": "a", "to": BUDI}, {"phone": "give exactly one of phone and to"}),
    ("text", {"message": "a", "linkPreview": "yes"}, {"linkPreview": "expected true, false or an object"}),
    (
        "text",
        {"message": "a", "linkPreview": {"url": "ftp://a"}},
        {"linkPreview.url": None, "linkPreview.title": None},
    ),
    ("text", {"message": "a", "text": "b"}, {"text": "unknown field"}),
    ("image", {}, {"imageUrl": "give exactly one of imageUrl, imageBase64, mediaId and file"}),
    ("image", {"imageUrl": "https://a.example/b", "mediaId": "med_1"}, {"imageUrl": None}),
    ("image", {"imageUrl": "a.png"}, {"imageUrl": "expected an http or https URL without user and password"}),
    ("image", {"imageBase64": "?"}, {"imageBase64": "expected base64"}),
    ("image", {"file": "x"}, {"file": "expected a file in a multipart/form-data body"}),
    (
        "image",
        {"imageUrl": "https://a.example", "viewOnce": 1, "caption": 3},
        {"viewOnce": None, "caption": None},
    ),
    ("video", {"videoUrl": "https://a.example", "gif": True, "note": True}, {"gif": None}),
    ("audio", {"videoUrl": "https://a.example"}, {"videoUrl": "unknown field"}),
    ("document", {"documentBase64": "AAAA", "fileName": "a/b"}, {"fileName": None}),
    ("sticker", {"stickerBase64": ""}, {"stickerBase64": "must not be empty"}),
    ("album", {"items": [{"type": "image", "mediaId": "m"}]}, {"items": "expected 2 to 30 items"}),
    (
        "album",
        {"items": [{"type": "image"}, {"type": "audio"}]},
        {"items[0].imageUrl": None, "items[1].type": None},
    ),
    ("location", {"latitude": 91, "longitude": "1"}, {"latitude": None, "longitude": None}),
    ("contact", {"contacts": []}, {"contacts": "expected 1 to 100 contacts"}),
    (
        "contact",
        {"contacts": [{"name": "A"}, {"vcard": "x"}]},
        {"contacts[0].vcard": None, "contacts[1].vcard": None},
    ),
    ("poll", {"question": "?", "options": ["a"]}, {"options": "expected an array of 2 to 12 texts"}),
    ("poll", {"question": "?", "options": ["a", "a"]}, {"options": "expected different texts"}),
    ("poll", {**POLL, "selectableCount": 3}, {"selectableCount": None}),
    ("event", {**EVENT, "endsAt": EVENT["startsAt"]}, {"endsAt": "must be later than startsAt"}),
    ("event", {**EVENT, "location": {"latitude": 1}}, {"location.longitude": "is required"}),
    ("buttons", {"message": "M", "buttons": []}, {"buttons": "expected 1 to 10 buttons"}),
    ("buttons", {"message": "M", "buttons": [{"text": "a"}]}, {"buttons[0].id": None}),
    (
        "list",
        {**LIST, "sections": [{"title": "S", "rows": []}]},
        {"sections[0].rows": None, "sections": None},
    ),
    ("forward", {}, {"messageId": "is required"}),
]


async def test_every_bad_field_is_named_with_its_path(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for kind, body, wrong in WRONG:
            answer = await client.post(f"/api/messages/{kind}", json={"phone": PHONE, **body})
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), (kind, body)
            named = {error["path"]: error["message"] for error in answer.json()["errors"]}
            assert named.keys() == wrong.keys(), (kind, body)
            assert all(message is None or named[path] == message for path, message in wrong.items()), named
    assert not any(isinstance(each, Send) for each in stage.scripts["ana"].asked)


async def test_an_address_is_judged_before_a_file_is_fetched(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        body = {"to": "628110000002@c.us", "imageUrl": "http://169.254.169.254/a.png"}
        answer = await client.post("/api/messages/image", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid")
        answer = await client.post("/api/messages/image", json={**body, "to": PHONE})
        assert (answer.status_code, answer.json()["code"]) == (422, "url_forbidden")


# Later


def waits(request: Send) -> Queued:
    return Queued(message_id="msg_1", chat=BUDI, position=3, eta=datetime.now(UTC) + timedelta(minutes=1))


async def test_who_prefers_not_to_wait_is_told_where_to_ask(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = answering(waits)
        for prefer in ("respond-async", "Respond-Async", 'return=minimal, respond-async; x="y"'):
            answer = await client.post(
                "/api/messages/text", json={"phone": PHONE, "message": "a"}, headers={"prefer": prefer}
            )
            assert answer.status_code == 202
            assert answer.headers["preference-applied"] == RESPOND_ASYNC
            body = answer.json()
            assert 55_000 < body.pop("etaMs") <= 60_000
            assert body == {
                "messageId": "msg_1",
                "status": "queued",
                "position": 3,
                "statusUrl": "/api/messages/msg_1",
            }
            assert asked(stage) == Send(to=PHONE, content=outgoing.Text(text="a"), queued=True)


async def test_what_is_for_later_is_answered_202_without_a_preference(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = answering(waits)
        body = {"phone": PHONE, "message": "a", "sendAt": AHEAD.isoformat()}
        answer = await client.post("/api/messages/text", json=body, headers={"prefer": "wait=5"})
        assert answer.status_code == 202
        assert "preference-applied" not in answer.headers
    assert (asked(stage).send_at, asked(stage).queued) == (AHEAD, False)


# About other messages


async def test_a_reaction_and_a_vote_go_to_the_chat_of_their_message(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))
        for kind, body, content in (
            ("reaction", {"emoji": "👍"}, outgoing.Reaction(message_id="WA1", emoji="👍")),
            ("reaction", {"emoji": ""}, outgoing.Reaction(message_id="WA1", emoji="")),
            ("poll-vote", {"options": ["a"]}, outgoing.PollVote(message_id="WA1", options=("a",))),
            ("poll-vote", {"options": []}, outgoing.PollVote(message_id="WA1", options=())),
        ):
            answer = await client.post(f"/api/messages/{kind}", json={"messageId": "WA1", **body})
            assert answer.status_code == 200, answer.text
            assert asked(stage) == Send(to=BUDI, content=content)
        named = {"messageId": "other", "emoji": "👍", "phone": PHONE}
        assert (await client.post("/api/messages/reaction", json=named)).status_code == 200
        assert asked(stage).to == PHONE
        missing = await client.post("/api/messages/reaction", json={"messageId": "none", "emoji": "👍"})
        assert (missing.status_code, missing.json()["code"]) == (404, "message_not_found")
        letters = await client.post("/api/messages/reaction", json={"messageId": "WA1", "emoji": "ok"})
        assert letters.json()["errors"] == [{"path": "emoji", "message": "expected an emoji, or nothing"}]


# Files


async def test_a_file_comes_as_base64_as_a_data_url_as_a_form_or_from_the_store(stage: Stage) -> None:
    encoded = b64encode(DOCUMENT).decode()
    async with await stage.session("ana") as client:
        for source in (encoded, f"data:application/pdf;base64,{encoded}"):
            body = {"phone": PHONE, "documentBase64": source, "fileName": "a.pdf", "caption": "Ini"}
            assert (await client.post("/api/messages/document", json=body)).status_code == 200
            await _is_stored(stage, "a.pdf")
        form = {"phone": PHONE, "caption": "Ini", "forwarded": "true", "typingMs": "auto", "clientRef": "7"}
        file = {"file": ("b.pdf", DOCUMENT, "application/pdf")}
        answer = await client.post("/api/messages/document", data=form, files=file)
        assert answer.status_code == 200, answer.text
        stored = await _is_stored(stage, "b.pdf")
        assert (asked(stage).options, asked(stage).client_ref) == (Options(forwarded=True, typing_ms=-1), "7")
        again = {"phone": PHONE, "mediaId": stored, "fileName": "c.pdf", "caption": "Ini"}
        assert (await client.post("/api/messages/document", json=again)).status_code == 200
        await _is_stored(stage, "c.pdf")
        gone = await client.post("/api/messages/document", json={"phone": PHONE, "mediaId": "med_none"})
        assert (gone.status_code, gone.json()["code"]) == (404, "media_not_found")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f'["{PHONE}", "123@lid"]', (BUDI, "123@lid")),
        ([PHONE, "123@lid"], (BUDI, "123@lid")),
        (PHONE, (BUDI,)),
        ("null", ()),
    ],
)
async def test_a_list_in_a_form_is_json_or_parts_of_its_name(
    stage: Stage, given: str | list[str], expected: tuple[str, ...]
) -> None:
    async with await stage.session("ana") as client:
        file = {"file": ("b.pdf", DOCUMENT, "application/pdf")}
        form = {"phone": PHONE, "mentions": given}
        answer = await client.post("/api/messages/document", data=form, files=file)
        assert answer.status_code == 200, answer.text
        assert asked(stage).options.mentions == expected
        everyone = {"phone": PHONE, "mentions": "all"}
        assert (await client.post("/api/messages/document", data=everyone, files=file)).status_code == 200
        assert asked(stage).options.mention_all


async def _is_stored(stage: Stage, name: str) -> str:
    """The id of the file of what was asked for last."""
    content = asked(stage).content
    assert isinstance(content, outgoing.Media)
    assert (content.kind, content.caption, content.file_name) == (MediaKind.DOCUMENT, "Ini", name)
    file = await stage.services.media.get("ana", content.media_id)
    assert file is not None
    assert (file.mime_type, file.size) == ("application/pdf", len(DOCUMENT))
    return content.media_id


async def test_a_form_s_fields_are_checked_as_json_is(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        form = {"phone": "x", "forwarded": "yes", "mentions": '["y"]', "colour": "red"}
        answer = await client.post("/api/messages/image", data=form, files={"file": ("a.png", b"")})
        assert {each["path"] for each in answer.json()["errors"]} == {
            "phone",
            "forwarded",
            "mentions[0]",
            "colour",
            "file",
        }
        twice = {"phone": [PHONE, PHONE]}
        answer = await client.post("/api/messages/image", data=twice, files={"other": ("a.png", b"a")})
        assert answer.json()["errors"] == [
            {"path": "phone", "message": "is given more than once"},
            {"path": "other", "message": "is a file; only the part named file may be one"},
        ]
        headers = {"content-type": "multipart/form-data; boundary=x"}
        for raw in (
            b"",
            b"nothing",
            b"--x\r\n",
            b"--x\r\n\r\na\r\n--x--",
            b"--x\r\ncontent-disposition: form-data",
        ):
            answer = await client.post("/api/messages/image", content=raw, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), raw
        text = await client.post("/api/messages/location", data={"phone": PHONE}, files={"file": b"a"})
        assert (text.status_code, text.json()["code"]) == (415, "media_type_unsupported")


async def test_parts_keep_every_byte_of_a_file() -> None:
    data = bytes(range(256)) + b"\r\n--x\r\n--xy--\r\n" + b"\r\n-" * 300_000
    raw = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a b.bin"\r\n\r\n' + data
    raw += b'\r\n--b\r\ncontent-disposition: form-data; name="caption"\r\n\r\n\xc3\xa9\r\n--b--\r\n'
    texts, file = await parts_of(raw, "b")
    assert texts == {"caption": ["é"]}
    assert file is not None
    assert (file.data, file.name, file.mime_type) == (data, "a b.bin", None)


# Albums


async def _picture(stage: Stage) -> str:
    """The id of a stored file that may be sent as a picture as it is."""
    file = MediaFile(
        session_id="ana",
        sha256=hashlib.sha256(DOCUMENT).digest(),
        mime_type="image/jpeg",
        size=len(DOCUMENT),
        source=MediaSource.UPLOAD,
        details={"kind": "image"},
    )
    await stage.services.media.put(file, DOCUMENT)
    return file.id


def album(picture: str, **more: Any) -> Json:
    items = [{"type": "image", "mediaId": picture, "caption": str(number)} for number in range(4)]
    return {"phone": PHONE, "items": items, "quotedMessageId": "WA1", "typingMs": 10, **more}


async def test_an_album_s_items_follow_its_header_and_only_that_quotes(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        answer = await client.post("/api/messages/album", json=album(await _picture(stage)))
    assert answer.status_code == 200, answer.text
    item = {"messageId": "3EB0C0FFEE", "status": "sent", "error": None}
    assert answer.json() == {
        "messageId": "3EB0C0FFEE",
        "status": "sent",
        "timestamp": 1769860800,
        "chat": BUDI,
        "key": {"remoteJid": BUDI, "fromMe": True, "id": "3EB0C0FFEE"},
        "items": [item] * 4,
    }
    header, *items = [each for each in stage.scripts["ana"].asked if isinstance(each, Send)]
    assert header.content == outgoing.AlbumHeader(images=4, videos=0)
    assert header.options == Options(quoted_message_id="WA1", typing_ms=10)
    assert [each.options for each in items] == [Options()] * 4
    contents = [each.content for each in items if isinstance(each.content, outgoing.Media)]
    assert [(each.caption, each.album_id) for each in contents] == [(str(n), "3EB0C0FFEE") for n in range(4)]


async def test_items_of_an_album_that_may_not_be_sent_yet_wait_and_none_overtakes(stage: Stage) -> None:
    async with await stage.session("ana") as client:

        def limited(request: Send) -> Sent | Queued:
            if request.queued:
                return waits(request)
            content = request.content
            if isinstance(content, outgoing.Media) and content.caption == "1":
                raise errors.RateLimited(session_id="ana", limit=10, retry_after=5.5)
            return Sent(message_id="WA", chat=BUDI, timestamp=SENT_AT)

        stage.scripts["ana"].answers[Send] = answering(limited)
        answer = await client.post("/api/messages/album", json=album(await _picture(stage)))
    assert answer.status_code == 200
    assert [each["status"] for each in answer.json()["items"]] == ["sent", "queued", "queued", "queued"]


async def test_an_item_of_an_album_that_fails_is_told_with_its_code(stage: Stage) -> None:
    failures = {
        "1": errors.WhatsAppFailed(session_id="ana", reason="479", code=479),
        "2": errors.OutcomeUnknown(session_id="ana", message_id="msg_9"),
    }
    async with await stage.session("ana") as client:

        def failing(request: Send) -> Sent:
            content = request.content
            if isinstance(content, outgoing.Media) and content.caption in failures:
                raise failures[content.caption]
            return Sent(message_id="WA", chat=BUDI, timestamp=SENT_AT)

        stage.scripts["ana"].answers[Send] = answering(failing)
        picture = await _picture(stage)
        answer = await client.post("/api/messages/album", json=album(picture))
        assert answer.json()["items"] == [
            {"messageId": "WA", "status": "sent", "error": None},
            {"messageId": None, "status": "failed", "error": "whatsapp_error"},
            {"messageId": "msg_9", "status": "unknown", "error": "upstream_timeout"},
            {"messageId": "WA", "status": "sent", "error": None},
        ]
        # Where nothing was begun, its failure is the answer.
        stage.scripts["ana"].answers[Send] = errors.RateLimited(session_id="ana", limit=10, retry_after=5.5)
        answer = await client.post("/api/messages/album", json=album(picture))
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


async def test_an_album_for_later_waits_whole(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = answering(waits)
        body = album(await _picture(stage), sendAt=AHEAD.isoformat())
        answer = await client.post("/api/messages/album", json=body)
    assert answer.status_code == 202
    assert answer.json()["statusUrl"] == "/api/messages/msg_1"
    assert [each["status"] for each in answer.json()["items"]] == ["queued"] * 4
    sends = [each for each in stage.scripts["ana"].asked if isinstance(each, Send)]
    assert {each.send_at for each in sends} == {AHEAD}


# Many


async def test_a_batch_is_asked_for_at_once_and_answered_with_each_message_s_place(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))

        def queue(request: SendMany) -> tuple[Queued, ...]:
            return tuple(
                Queued(message_id=f"msg_{n}", chat=BUDI, position=n, eta=SENT_AT)
                for n in range(len(request.sends))
            )

        stage.scripts["ana"].answers[SendMany] = answering(queue)
        items = [
            {"type": "text", "phone": PHONE, "message": "satu", "clientRef": "1"},
            {"type": "reaction", "messageId": "WA1", "emoji": "👍"},
            {"type": "location", "to": BUDI, **PLACE, "sendAt": AHEAD.isoformat(), "priority": "high"},
        ]
        answer = await client.post("/api/messages/batch", json={"items": items})
        assert answer.status_code == 202, answer.text
        body = answer.json()
        batch = stage.scripts["ana"].asked[-1]
        assert isinstance(batch, SendMany)
        assert (body["batchId"], body["total"]) == (batch.batch_id, 3)
        assert body["statusUrl"] == f"/api/batches/{batch.batch_id}"
        assert [each["messageId"] for each in body["messages"]] == ["msg_0", "msg_1", "msg_2"]
        common: Any = {"queued": True, "batch_id": batch.batch_id}
        assert batch.sends == (
            Send(to=PHONE, content=outgoing.Text(text="satu"), client_ref="1", **common),
            Send(to=BUDI, content=outgoing.Reaction(message_id="WA1", emoji="👍"), **common),
            Send(
                to=BUDI,
                content=outgoing.Location(latitude=-6.2, longitude=106.8),
                priority=1,
                send_at=AHEAD,
                **common,
            ),
        )


async def test_a_batch_with_one_bad_item_is_refused_whole_and_names_it(stage: Stage) -> None:
    fine = {"type": "text", "phone": PHONE, "message": "a"}
    async with await stage.session("ana") as client:
        bad = {
            "items": [
                fine,
                {"type": "poll", "phone": "x", "question": "?"},
                {"type": "fax"},
                {"message": "a"},
            ]
        }
        answer = await client.post("/api/messages/batch", json=bad)
        assert {each["path"] for each in answer.json()["errors"]} == {
            "items[1].phone",
            "items[1].options",
            "items[2].type",
            "items[3].type",
        }
        for item, status, code in (
            ({"type": "reaction", "messageId": "none", "emoji": "👍"}, 404, "message_not_found"),
            ({"type": "text", "to": "nobody", "message": "a"}, 404, "invalid_jid"),
            ({"type": "image", "phone": PHONE, "mediaId": "none"}, 404, "media_not_found"),
            ({"type": "image", "phone": PHONE, "imageUrl": "http://10.0.0.1/a"}, 422, "url_forbidden"),
        ):
            answer = await client.post("/api/messages/batch", json={"items": [fine, item, fine]})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert [each["path"] for each in answer.json()["errors"]] == ["items[1]"]
    assert not any(isinstance(each, SendMany) for each in stage.scripts["ana"].asked)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_items(count: int) -> None:
    item = {"type": "text", "phone": PHONE, "message": "a"}
    with pytest.raises(ValidationFailed) as caught:
        structure({"items": [item] * count}, BatchDraft)
    assert [each.path for each in caught.value.errors] == ["items"]


async def test_a_file_that_many_messages_carry_is_taken_in_once(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[SendMany] = answering(lambda request: ())
        encoded = b64encode(DOCUMENT).decode()
        items = [{"type": "document", "phone": PHONE, "documentBase64": encoded}] * 30
        answer = await client.post("/api/messages/batch", json={"items": items})
        assert answer.status_code == 202
    batch = stage.scripts["ana"].asked[-1]
    assert len({each.content.media_id for each in batch.sends}) == 1


# Stories


async def test_a_story_is_told_apart_by_its_type(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        story = {"type": "text", "message": "Buka!", "background": "#ff0000", "font": 2}
        assert (await client.post("/api/messages/status", json=story)).status_code == 200
        assert asked(stage) == Send(
            to="status@broadcast",
            content=outgoing.StatusText(text="Buka!", background="#ff0000", font=2),
        )
        for body, path in (
            ({"message": "Buka!"}, "type"),
            ({**story, "phone": PHONE}, "phone"),
            ({"type": "image"}, "imageUrl"),
            ({**story, "background": "red"}, "background"),
        ):
            answer = await client.post("/api/messages/status", json=body)
            assert [each["path"] for each in answer.json()["errors"]] == [path], answer.text


def test_no_draft_fails_otherwise_than_by_named_fields() -> None:
    strange: list[Any] = [None, [], "x", 1, {"items": {}}, {"items": [[]]}, {"type": []}]
    for kind in (AnyStory, BatchDraft):
        for value in strange:
            with pytest.raises(ValidationFailed):
                structure(json.loads(json.dumps(value)), kind)  # type: ignore[arg-type] # a union, too


def answering(answer: Any) -> Any:
    """A script's answer, worked out from the request."""

    async def act(request: Any) -> Any:
        return answer(request)

    return act
