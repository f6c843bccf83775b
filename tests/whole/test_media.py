"""The files of messages that arrive: downloaded, stored, told of, and had again when they were deleted."""

import base64
import hashlib
import os
from typing import Any

import trio

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, CUSTOMER = "628150000001", "628150000002"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_files_of_messages_are_here_whatever_became_of_them(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)

    # As they arrive: stored by what they are, and told of.
    large = os.urandom(3_000_000)
    for kind, data, more in (
        ("image", PNG, {"mimetype": "text/html"}),
        ("document", large, {"mimetype": "application/x-own", "fileName": "../a\nb.bin"}),
        ("audio", b"OggS" + bytes(100), {"mimetype": "audio/ogg; codecs=opus"}),
    ):
        message_id = await _send(wa, kind, data, **more)
        event = await _told_of(gw, ana, message_id)
        assert event["size"] == len(data)
        answer = await _file(gw, ana, message_id)
        assert answer.content == data
        assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        view = await gw.call("GET", f"/api/media/{event['mediaId']}", session=ana)
        assert view["source"] == "inbound"
        row = await gw.call("GET", f"/api/messages/{message_id}", session=ana)
        assert row["mediaId"] == event["mediaId"]
        assert view["mimeType"] == event["mimeType"]
        if kind == "image":
            assert event["mimeType"] == "image/png"
        if kind == "document":
            assert (view["fileName"], view["mimeType"]) == ("ab.bin", "application/x-own")

    # One that was deleted is downloaded again, once for all who ask.
    await gw.call("DELETE", f"/api/media/{event['mediaId']}", session=ana, status=204)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(_same, gw, ana, message_id, data)
    assert len((await gw.call("GET", "/api/media", session=ana))["media"]) == 3

    # One that WhatsApp does not give now is had later; one that it has no longer is told so.
    await wa.fault("mediaError", code=404)
    message_id = await _send(wa, "image", PNG, mimetype="image/png")
    await until(lambda: _row(gw, ana, message_id), "the message is stored")
    gone = await _file(gw, ana, message_id)
    assert (gone.status_code, gone.json()["code"]) == (404, "media_not_found")
    assert gone.json()["detail"] == "WhatsApp has the file no longer."
    await wa.lift()
    assert (await _file(gw, ana, message_id)).content == PNG
    assert (await _told_of(gw, ana, message_id))["mimeType"] == "image/png"

    # A session that is stopped still shows what is here, and says what it would need for what is not.
    await gw.call("POST", "/api/session/stop", session=ana)
    assert (await _file(gw, ana, message_id)).content == PNG
    stored = await gw.call("GET", "/api/media", session=ana)
    for each in stored["media"]:
        await gw.call("DELETE", f"/api/media/{each['id']}", session=ana, status=204)
    assert (await _file(gw, ana, message_id)).status_code == 403


async def _send(wa: Network, kind: str, data: bytes, **more: Any) -> str:
    media = {"kind": kind, "data": base64.b64encode(data).decode(), **more}
    answer = await wa.control.post(f"/phones/{CUSTOMER}/messages", json={"to": ANA, "media": media})
    assert answer.is_success, answer.text
    return str(answer.json()["messageId"])


async def _file(gw: Gateway, ana: Session, message_id: str) -> Any:
    return await gw.http.get(f"/api/messages/{message_id}/media", headers=ana.headers)


async def _same(gw: Gateway, ana: Session, message_id: str, data: bytes) -> None:
    assert (await _file(gw, ana, message_id)).content == data


async def _row(gw: Gateway, ana: Session, message_id: str) -> bool:
    return (await gw.http.get(f"/api/messages/{message_id}", headers=ana.headers)).is_success


async def _told_of(gw: Gateway, ana: Session, message_id: str) -> Json:
    """The last `messages.media` of a message."""

    async def told() -> Json | None:
        answer = await gw.http.get("/api/events?after=0&limit=500", headers=ana.headers)
        return next(
            (
                dict(each["data"])
                for each in reversed(answer.json()["events"])
                if each["event"] == "messages.media" and each["data"]["key"]["id"] == message_id
            ),
            None,
        )

    found: Json = await until(told, "the file of the message is told of")
    return found
