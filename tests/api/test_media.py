"""Files over HTTP: stored, listed, read in ranges; never a page in a browser, never too much at once."""

import base64
import gzip
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from actors.errors import MediaGone, SessionDisconnected
from actors.session.messages import Perform
from actors.whatsapp.proto import e2e
from api.config import Config, Media
from storage import Message, MessageStatus, StoreMessage
from storage.media import PART, MediaFile, MediaSource
from tests.actors.media.hostile import OPENED, Names, answer, moved, saying, serving
from tests.actors.media.test_ssrf import ELSEWHERE, LOOPBACK, MALFORMED, NAMES
from tests.api.stage import Stage, running_api

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HTML = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
KB = 1024


@pytest.fixture
async def files(database: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """An API that takes files of up to 2 MB, and fetches from the tests' own server."""
    media = Media(
        allow_networks=(f"{OPENED}/32",), max_document_mb=2, max_video_mb=2, max_image_mb=1, max_audio_mb=1
    )
    async with running_api(database, tmp_path, config=Config(media=media)) as running:
        yield running


@pytest.fixture
async def ana(files: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """The client of a session's own key."""
    async with await files.session("ana") as client:
        yield client


async def stored(ana: httpx.AsyncClient, data: bytes = PNG, **more: Any) -> dict[str, Any]:
    given = {"base64": base64.b64encode(data).decode(), **more}
    response = await ana.post("/api/media", json=given)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def content(ana: httpx.AsyncClient, media_id: str, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await ana.get(f"/api/media/{media_id}/content", headers=given)


# --- Stored ----------------------------------------------------------------------------------------------


async def test_a_file_is_stored_from_json_a_form_its_own_body_and_a_url(ana: httpx.AsyncClient) -> None:
    async with serving(saying(answer(PNG, "Content-Type: text/html")), OPENED) as server:
        given: list[dict[str, Any]] = [
            {"json": {"base64": base64.b64encode(PNG).decode(), "fileName": "a.png"}},
            {
                "json": {
                    "base64": "data:image/png;base64," + base64.b64encode(PNG).decode(),
                    "fileName": "a.png",
                }
            },
            {"files": {"file": ("a.png", PNG, "text/html")}},
            {"files": {"file": ("b.txt", PNG)}, "data": {"fileName": "a.png"}},
            {
                "content": PNG,
                "headers": {
                    "content-type": "image/png",
                    "content-disposition": 'attachment; filename="a.png"',
                },
            },
            {"json": {"url": f"{server.url}/pictures/a.png?size=3"}},
        ]
        for each in given:
            response = await ana.post("/api/media", **each)
            assert response.status_code == 201, response.text
            view = response.json()
            assert view["mimeType"] == "image/png"
            assert (view["size"], view["fileName"]) == (len(PNG), "a.png")
            assert view["sha256"] == hashlib.sha256(PNG).hexdigest()
            assert view["source"] == ("fetched" if "url" in str(each.get("json")) else "upload")
            assert (await content(ana, view["id"])).content == PNG
            assert (await ana.get(f"/api/media/{view['id']}")).json() == view


async def test_what_is_no_file_is_refused_with_what_is_wrong(ana: httpx.AsyncClient) -> None:
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"json": {}}, 400, "validation_failed"),
        ({"json": {"base64": "####"}}, 400, "validation_failed"),
        ({"json": {"base64": ""}}, 400, "validation_failed"),
        ({"json": {"base64": "YQ==", "url": "https://x.example/"}}, 400, "validation_failed"),
        ({"json": {"url": "ftp://x.example/"}}, 400, "validation_failed"),
        ({"json": {"base64": "YQ==", "mimeType": "no type"}}, 400, "validation_failed"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_json"),
        ({"content": b"", "headers": {"content-type": "image/png"}}, 400, "validation_failed"),
        ({"files": {"other": ("a.png", PNG)}}, 400, "validation_failed"),
    ]
    for request, status, code in wrong:
        response = await ana.post("/api/media", **request)
        assert (response.status_code, response.json()["code"]) == (status, code), request


async def test_a_file_belongs_to_its_session_and_needs_the_scope(
    files: Stage, ana: httpx.AsyncClient
) -> None:
    view = await stored(ana)
    async with await files.session("ben") as ben:
        for path in ("", "/content"):
            assert (await ben.get(f"/api/media/{view['id']}{path}")).status_code == 404
        missing = await ben.delete(f"/api/media/{view['id']}")
        assert (missing.status_code, missing.json()["code"]) == (404, "media_not_found")
    async with files.client_with(await files.key(session_id="ana", scopes=("read", "send"))) as reader:
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/med_1"), ("DELETE", "/med_1")):
            response = await reader.request(method, f"/api/media{path}")
            assert response.json()["code"] == "scope_denied"
    assert (await files.client.get(view["contentUrl"])).content == PNG
    assert (await ana.delete(f"/api/media/{view['id']}")).status_code == 204
    assert (await ana.get(f"/api/media/{view['id']}")).status_code == 404


async def test_files_are_listed_newest_first_and_by_pages(ana: httpx.AsyncClient) -> None:
    ids = [(await stored(ana, b"file %d" % number))["id"] for number in range(3)]
    first = (await ana.get("/api/media?limit=2")).json()
    assert [each["id"] for each in first["media"]] == ids[:0:-1]
    rest = (await ana.get(f"/api/media?limit=2&cursor={first['cursor']}")).json()
    assert ([each["id"] for each in rest["media"]], rest["cursor"]) == (ids[:1], None)


async def test_where_bytes_tell_little_whoever_has_the_file_may_say_what_it_is(
    ana: httpx.AsyncClient,
) -> None:
    assert (await stored(ana, b"a,b\n1,2\n", fileName="a.csv"))["mimeType"] == "text/csv"
    assert (await stored(ana, b"a,b\n1,2\n", mimeType="text/x-own"))["mimeType"] == "text/x-own"
    assert (await stored(ana, PNG, fileName="a.html", mimeType="text/html"))["mimeType"] == "image/png"


# --- Read ------------------------------------------------------------------------------------------------


async def test_ranges_of_a_file_are_answered_as_asked(ana: httpx.AsyncClient) -> None:
    data = os.urandom(2 * PART + 100)
    view = await stored(ana, data)
    tag = f'"{hashlib.sha256(data).hexdigest()}"'
    size = len(data)
    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        (f"bytes={PART - 2}-{PART + 1}", PART - 2, PART + 2),
        (f"bytes={PART}-", PART, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=5-{size + 99}", 5, size),
    ):
        response = await content(ana, view["id"], range=asked)
        assert (response.status_code, response.content) == (206, data[start:end]), asked
        assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert response.headers["content-length"] == str(end - start)
    for asked in ("bytes=0-0,5-9", "lines=1-2", "bytes=", "bytes=x-y", "bytes=9-3"):
        response = await content(ana, view["id"], range=asked)
        assert (response.status_code, response.content) == (200, data), asked
    outside = await content(ana, view["id"], range=f"bytes={size}-")
    assert (outside.status_code, outside.json()["code"]) == (416, "range_outside")
    assert outside.headers["content-range"] == f"bytes */{size}"
    same = await content(ana, view["id"], range="bytes=0-0", if_range=tag)
    other = await content(ana, view["id"], range="bytes=0-0", if_range='"other"')
    assert (same.status_code, other.status_code) == (206, 200)
    assert (await content(ana, view["id"], if_none_match=tag)).status_code == 304


async def test_head_tells_all_but_the_bytes(ana: httpx.AsyncClient) -> None:
    view = await stored(ana)
    path = f"/api/media/{view['id']}/content"
    head, whole = await ana.head(path), await ana.get(path)
    assert head.content == b""
    ours = ("content-type", "content-length", "etag", "accept-ranges", "content-disposition")
    assert [head.headers[name] for name in ours] == [whole.headers[name] for name in ours]
    assert (await ana.head(path, headers={"range": "bytes=0-9"})).headers["content-length"] == "10"


async def test_nothing_that_a_browser_would_run_is_shown_by_it(ana: httpx.AsyncClient) -> None:
    for data, more in (
        (HTML, {"fileName": "a.html", "mimeType": "text/html"}),
        (HTML, {"fileName": "a.xhtml", "mimeType": "application/xhtml+xml"}),
        (SVG, {"fileName": "a.svg", "mimeType": "image/svg+xml"}),
        (b'<?xml version="1.0"?>' + SVG, {"mimeType": "text/xml"}),
        (b"alert(1)", {"fileName": "a.js", "mimeType": "text/javascript"}),
        (b"%PDF-1.7 " + HTML, {"fileName": "a.pdf"}),
        (PNG + HTML, {"fileName": "a.html"}),
        (b"GIF89a" + HTML, {"mimeType": "text/html"}),
        (b"\0\1\2 nothing known", {"mimeType": "text/html"}),
    ):
        response = await content(ana, (await stored(ana, data, **more))["id"])
        kind = response.headers["content-type"]
        shown = response.headers["content-disposition"].startswith("inline")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert not any(word in kind for word in ("html", "svg", "xml", "script")), more
        assert not shown or kind in {"image/png", "image/gif"}


async def test_a_file_s_name_cannot_leave_its_header(ana: httpx.AsyncClient) -> None:
    name = "attachment; filename*=UTF-8''a%22%3Bb%3D%C3%A9%0D%0Ax.png"
    headers = {"content-type": "image/png", "content-disposition": name}
    view = (await ana.post("/api/media", content=PNG, headers=headers)).json()
    given = (await content(ana, view["id"])).headers["content-disposition"]
    assert given.isascii()
    assert given.count('"') == 2


@pytest.mark.parametrize("folder", ["..%2F..%2Fetc%2F", "..%5C", "C%3A%5C"])
async def test_a_file_s_name_leads_to_no_folder(ana: httpx.AsyncClient, folder: str) -> None:
    name = f"attachment; filename*=UTF-8''{folder}a.png"
    view = (
        await ana.post(
            "/api/media", content=PNG, headers={"content-type": "image/png", "content-disposition": name}
        )
    ).json()
    given = (await content(ana, view["id"])).headers["content-disposition"]
    assert given == "inline; filename=\"a.png\"; filename*=UTF-8''a.png"


# --- Too much --------------------------------------------------------------------------------------------


async def test_a_file_beyond_the_limit_is_refused_in_any_form(ana: httpx.AsyncClient) -> None:
    large = bytes(2 * KB * KB + 1)
    async with serving(saying(answer(large)), OPENED) as server:
        for request in (
            {"json": {"base64": base64.b64encode(large).decode()}},
            {"files": {"file": ("a.bin", large)}},
            {"content": large, "headers": {"content-type": "application/octet-stream"}},
            {"content": large * 2, "headers": {"content-type": "application/octet-stream"}},
            {"json": {"url": server.url}},
        ):
            response = await ana.post("/api/media", **request)
            assert (response.status_code, response.json()["code"]) == (413, "media_too_large")


async def test_large_bodies_wait_for_room_and_small_requests_do_not(database: str, tmp_path: Path) -> None:
    media = Media(max_document_mb=4, memory_mb=12)
    body = bytes(3 * KB * KB)
    async with (
        running_api(database, tmp_path, config=Config(media=media)) as stage,
        await stage.session("ana") as ana,
    ):
        uploads = stage.services.uploads
        answers: list[int] = []
        gate = trio.Event()

        async def slow_body() -> AsyncIterator[bytes]:
            yield body[:-1]
            await gate.wait()
            yield body[-1:]

        async def upload(content: Any) -> None:
            headers = {"content-type": "application/octet-stream", "content-length": str(len(body))}
            response = await ana.post("/api/media", content=content, headers=headers, timeout=30)
            answers.append(response.status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload, slow_body())
            while uploads.held == 0:
                await trio.sleep(0.01)
            for _ in range(3):
                nursery.start_soon(upload, body)
            while uploads.waiting < 3:
                await trio.sleep(0.01)
            assert (await ana.get("/api/media")).status_code == 200
            assert (await stored(ana))["size"] == len(PNG)
            assert answers == []
            gate.set()
        assert answers == [201] * 4
        while uploads.held:
            await trio.sleep(0.01)


# --- From a URL ------------------------------------------------------------------------------------------


async def test_no_hostile_url_is_fetched_through_the_api(ana: httpx.AsyncClient) -> None:
    trio.socket.set_custom_hostname_resolver(
        Names({name: [list(each) for each in known] for name, known in NAMES.items()})
    )
    async with serving(saying(answer(b"secret")), "127.0.0.1") as trap:
        for url in (*LOOPBACK, *ELSEWHERE, *MALFORMED):
            response = await ana.post("/api/media", json={"url": url.format(port=trap.port)})
            code = response.json()["code"]
            expected = {(422, "url_forbidden"), (400, "validation_failed")}
            assert (response.status_code, code) in expected, (url, response.text)
            assert "secret" not in response.text
        assert trap.connections == 0


async def test_what_a_server_does_wrong_is_told_without_its_words(ana: httpx.AsyncClient) -> None:
    for script, status, code in (
        (saying(answer(b"private words", status="404 Not Found")), 422, "media_fetch_failed"),
        (saying(b"private words\r\n\r\n"), 422, "media_fetch_failed"),
        (saying(answer(b"")), 422, "media_fetch_failed"),
        (saying(moved("/again")), 422, "media_fetch_failed"),
        (saying(moved("http://127.0.0.1/private")), 422, "url_forbidden"),
        (saying(moved("file:///etc/private")), 422, "url_forbidden"),
        (
            saying(answer(gzip.compress(bytes(50 * KB * KB)), "Content-Encoding: gzip")),
            413,
            "media_too_large",
        ),
    ):
        async with serving(script, OPENED) as server:
            response = await ana.post("/api/media", json={"url": f"{server.url}/file"})
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert "private" not in response.text
        assert OPENED not in response.text


# --- Of messages -----------------------------------------------------------------------------------------


def image(**more: Any) -> bytes:
    part = e2e.ImageMessage(directPath="/v/image", mimetype="image/png", fileLength=len(PNG))
    return bytes(e2e.Message(imageMessage=part).SerializeToString())


async def message(stage: Stage, message_id: str = "m1", **more: Any) -> None:
    row: dict[str, Any] = {
        "session_id": "ana",
        "id": message_id,
        "wa_id": f"3EB0{message_id}",
        "chat": "1@lid",
        "sender": "1@lid",
        "from_me": False,
        "type": "image",
        "status": MessageStatus.RECEIVED,
    }
    await stage.services.writer.call(StoreMessage(message=Message(**row | more)))


async def kept(stage: Stage, data: bytes = PNG) -> MediaFile:
    file = MediaFile(
        session_id="ana",
        sha256=hashlib.sha256(data).digest(),
        mime_type="image/png",
        size=len(data),
        source=MediaSource.INBOUND,
    )
    await stage.services.media.put(file, data)
    return file


async def test_the_file_of_a_message_is_read_with_the_scope_read(
    files: Stage, ana: httpx.AsyncClient
) -> None:
    await message(files, media_id=(await kept(files)).id, raw=image())
    async with files.client_with(await files.key(session_id="ana", scopes=("read",))) as reader:
        for message_id in ("m1", "3EB0m1"):
            path = f"/api/messages/{message_id}/media"
            response = await reader.get(path, headers={"range": "bytes=0-3"})
            assert (response.status_code, response.content) == (206, PNG[:4])
    assert files.scripts["ana"].asked == []


async def test_a_file_that_is_not_here_is_asked_of_the_session(files: Stage, ana: httpx.AsyncClient) -> None:
    await message(files, raw=image())
    await message(files, "m2", raw=image(), media_id="med_long_gone")
    file = await kept(files)
    files.scripts["ana"].answers[Perform] = file
    for message_id in ("m1", "m2"):
        assert (await ana.get(f"/api/messages/{message_id}/media")).content == PNG
    assert [each.name for each in files.scripts["ana"].asked] == ["media.download"] * 2


async def test_a_file_that_cannot_be_had_is_told_with_the_reason(
    files: Stage, ana: httpx.AsyncClient
) -> None:
    await message(files, raw=image())
    await message(files, "m2", raw=e2e.Message(conversation="hello").SerializeToString())
    await message(files, "m3")
    files.scripts["ana"].answers[Perform] = MediaGone(reason="WhatsApp has the file no longer.")
    gone = await ana.get("/api/messages/m1/media")
    assert (gone.status_code, gone.json()["code"]) == (404, "media_not_found")
    assert gone.json()["detail"] == "WhatsApp has the file no longer."
    for message_id in ("m2", "m3"):
        none = await ana.get(f"/api/messages/{message_id}/media")
        assert (none.status_code, none.json()["code"]) == (404, "media_not_found")
    unknown = await ana.get("/api/messages/m9/media")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "message_not_found")
    files.scripts["ana"].answers[Perform] = SessionDisconnected(session_id="ana", state="stopped")
    assert (await ana.get("/api/messages/m1/media")).status_code == 403
