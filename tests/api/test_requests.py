"""Whatever a stranger sends is answered with a problem document; the log has no secrets."""

import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.outgoing import Text
from actors.session.messages import GetQr, Qr, Send
from api.bodies import parse_json
from api.checks import CHECKS, MismatchError, is_jid
from api.converter import camel, structure
from api.drafts import TextDraft
from api.refusals import InvalidJson, ValidationFailed
from api.server import Server
from api.services import LoopbackControl
from tests.api.stage import SENT_AT, Stage, running_api
from tests.api.test_server import exchange, problem_in

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    JSON | st.fixed_dictionaries({"message": JSON}, optional={"phone": JSON, "to": JSON, "clientRef": JSON})
)
def test_any_json_either_fits_or_is_refused_with_paths(value: Any) -> None:
    with suppress(ValidationFailed):
        text = structure(value, TextDraft)
        assert (text.phone is None) != (text.to is None)
        assert text.message.encode()


@given(st.binary() | st.text())
def test_any_body_is_json_or_refused(raw: bytes | str) -> None:
    with suppress(InvalidJson):
        json.dumps(parse_json(raw), allow_nan=False)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"NaN", b"[1e999999999, Infinity]", b"1" * 5000, b'"\xff"', b"{} {}"]
)
def test_json_that_breaks_parsers_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_json(raw)


@given(st.sampled_from(list(CHECKS.values())), JSON)
def test_no_check_fails_otherwise_than_by_a_mismatch(check: Any, value: Any) -> None:
    with suppress(MismatchError):
        check(value)


@given(st.text())
def test_what_passes_for_a_jid_is_ascii_of_known_servers(value: str) -> None:
    assert not is_jid(value) or value.isascii()


def test_names_become_camel_case() -> None:
    assert [camel(name) for name in ("per_minute", "id", "from_", "api_key")] == [
        "perMinute",
        "id",
        "from",
        "apiKey",
    ]


async def test_unknown_paths_wrong_methods_and_strange_bodies_are_problems(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        json_type = {"content-type": "application/json"}
        text = b'{"phone":"628110000002","message":"a"}'
        cases: list[tuple[str, str, bytes, dict[str, str], int, str | None]] = [
            ("GET", "/nowhere", b"", {}, 404, "route_not_found"),
            ("GET", "/api", b"", {}, 404, "route_not_found"),
            ("GET", "/api/%00/%ff", b"", {}, 404, "route_not_found"),
            ("GET", "/api//sessions", b"", {}, 404, "route_not_found"),
            ("GET", "/api/messages/%00", b"", {}, 400, "validation_failed"),
            ("GET", "/api/ws", b"", {}, 400, "bad_request"),
            ("PUT", "/api/messages/text", b"", {}, 405, "method_not_allowed"),
            ("BREW", "/api/messages/text", b"", {}, 405, "method_not_allowed"),
            ("POST", "/api/messages/text", b"{", json_type, 400, "invalid_json"),
            ("POST", "/api/messages/text", b"\xff", json_type, 400, "invalid_json"),
            ("POST", "/api/messages/text", b"", json_type, 400, "validation_failed"),
            ("POST", "/api/messages/text", b"[" * 99999, json_type, 400, "invalid_json"),
            (
                "POST",
                "/api/messages/text",
                text,
                {"content-type": "text/plain"},
                415,
                "media_type_unsupported",
            ),
            ("POST", "/api/messages/text", text, {"content-type": "\x01;;="}, 415, "media_type_unsupported"),
            ("POST", "/api/messages/text", b"a" * (1 << 20) + b"b", json_type, 413, "media_too_large"),
            ("POST", "/api/messages/text", text, {"content-type": "application/json; charset=x"}, 200, None),
            ("POST", "/api/messages/text/", text, json_type, 200, None),
        ]
        for method, path, content, headers, status, code in cases:
            answer = await own.request(method, path, content=content, headers=headers)
            found = None if answer.is_success else answer.json()["code"]
            assert (answer.status_code, found) == (status, code), (method, path, headers)
            if not answer.is_success:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["requestId"] == answer.headers["x-request-id"]
        allowed = await own.request("PUT", "/api/messages/text")
        assert "POST" in allowed.headers["allow"]


RAW = [
    b"POST ?x HTTP/1.1\r\nHost: x\r\n",
    b"POST * HTTP/1.1\r\nHost: x\r\n",
    b"POST http://[/ HTTP/1.1\r\nHost: x\r\n",
    b"GET http://other/api HTTP/1.1\r\nHost: x\r\n",
    b"GET /api HTTP/1.1\r\nHost: \xff/@:99999\r\n",
    b"GET /api HTTP/1.1\r\nHost: [::1\r\n",
    b"GET /api HTTP/1.0\r\n",
    b"BREW * HTTP/1.1\r\nHost: x\r\n",
    b"POST /api/keys HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"POST /api/keys HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n",
    b"GET /api/version HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + b"k" * 9000 + b"\r\n",
    b"GET /api/version HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b\x80\r\n",
]


async def test_requests_that_are_hardly_requests_are_problems_too(stage: Stage) -> None:
    for request in RAW:
        answer = await exchange(stage.address, request + b"Connection: close\r\n\r\n")
        assert 400 <= problem_in(answer)["status"] < 500, request
    assert (await stage.client.get("/api/version")).status_code == 200


async def test_random_bytes_never_end_the_server(stage: Stage) -> None:
    rng = random.Random(7)
    starts = [
        b"",
        b"GET /",
        b"POST /api/messages/text HTTP/1.1\r\nHost: x\r\n",
        b"GET /api/ws HTTP/1.1\r\nHost: x\r\n",
    ]
    for _ in range(150):
        request = rng.choice(starts) + rng.randbytes(rng.randrange(60))
        with trio.move_on_after(1):
            async with await trio.open_tcp_stream(*stage.address) as stream:
                try:
                    await stream.send_all(request + b"\r\n\r\n")
                    await stream.send_eof()
                    answer = b"".join([chunk async for chunk in stream])
                except trio.BrokenResourceError:
                    continue
                assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert (await stage.client.get("/api/version")).status_code == 200


async def test_a_failure_that_nobody_foresaw_is_a_500_whose_log_line_has_no_words_of_the_user(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with await stage.session("ana") as own:
        stage.scripts["ana"].answers[Send] = "not an answer"  # so that the handler fails on it
        with caplog.at_level(logging.INFO):
            body = {"phone": "628110000002", "message": "sangat rahasia"}
            answer = await own.post("/api/messages/text", json=body)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    (record,) = [r for r in caplog.records if r.message.startswith("request_failed")]
    assert answer.json()["requestId"] in record.message
    assert "AssertionError" in record.message
    assert "rahasia" not in caplog.text
    assert "628110000002" not in caplog.text


async def test_each_request_leaves_one_line_without_secrets(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with await stage.session("ana") as own:
        with caplog.at_level(logging.INFO, "api.requests"):
            await own.get("/api/messages/628110000002?q=rahasia", headers={"x-request-id": "r-7"})
            await own.get("/nowhere/628110000002")
    lines = [r.message for r in caplog.records if r.name == "api.requests"]
    key = own.headers["x-api-key"]
    assert len(lines) == 2
    assert "method=GET path=/api/messages/<message_id> status=404 code=message_not_found" in lines[0]
    assert f"request=r-7 key={key[:11]}" in lines[0]
    assert "path=- status=404 code=route_not_found" in lines[1]
    for secret in (key, "628110000002", "rahasia"):
        assert secret not in caplog.text


async def test_health_needs_no_key_and_readiness_tells_its_reason(database: str, tmp_path: Path) -> None:
    reason: str | None = None
    async with (
        running_api(database, tmp_path, ready=lambda: reason) as stage,
        stage.client_with(None) as stranger,
    ):
        assert (await stranger.get("/healthz")).json() == {"status": "ok"}
        assert (await stranger.get("/readyz")).json() == {"status": "ready"}
        reason = "The database is being migrated."
        answer = await stranger.get("/readyz")
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            503,
            "not_ready",
            reason,
        )
        assert answer.headers["retry-after"] == "2"
        assert (await stage.client.get("/api/version")).json() == {"name": "terzetto", "version": "1.2.3"}


async def test_the_tree_shows_every_actor_and_the_dead_letters_name_types_only(stage: Stage) -> None:
    async with await stage.session("ana"):
        tree = (await stage.client.get("/api/tree")).json()
        names = {child["id"]: child for child in tree["children"]}
        assert names.keys() == {"hub", "writer", "webhooks", "sessions"}
        (ana,) = names["sessions"]["children"]
        assert (ana["id"], ana["state"]) == ("ana", "running")
        ref = stage.services.sessions.ref("ana")
        await stage.services.sessions.supervisor.terminate_child("ana")
        await ref.cast(Send(to="628110000002", content=Text(text="rahasia")))
        letters = (await stage.client.get("/api/dead-letters")).json()
        assert letters["count"] == 1
        assert letters["letters"] == [{"recipient": "ana", "type": "Send", "reason": "gone"}]


class Control:
    """The loopback network's control API, as far as it is asked here."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["method"], scope["path"], headers.get("authorization"), body))
        status, answer = (409, b"no such code") if scope["path"].endswith("unlink") else (200, b'{"ok":true}')
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
        await send(start)
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def network() -> AsyncIterator[tuple[Control, LoopbackControl]]:
    control = Control()
    async with trio.open_nursery() as nursery:
        host, port = await nursery.start(Server(app=control, graceful_timeout=0).start)
        yield control, LoopbackControl(f"http://{host}:{port}", "bearer-of-the-network")
        nursery.cancel_scope.cancel()


async def test_in_a_sandbox_phones_are_steered_through_the_api(
    database: str, tmp_path: Path, network: tuple[Control, LoopbackControl]
) -> None:
    control, where = network
    async with running_api(database, tmp_path, loopback=where) as stage, await stage.session("ana") as own:
        stage.scripts["ana"].answers[GetQr] = Qr("2@the,code", SENT_AT)
        answer = await stage.client.post("/api/loopback/phones/628110000001/scan", json={"sessionId": "ana"})
        assert answer.json() == {"ok": True}
        token = "Bearer bearer-of-the-network"
        assert control.asked[-1] == ("POST", "/phones/628110000001/scan", token, b'{"qr":"2@the,code"}')
        await stage.client.post("/api/loopback/phones/628110000001/scan", json={"qr": "2@another"})
        assert control.asked[-1] == ("POST", "/phones/628110000001/scan", token, b'{"qr":"2@another"}')
        for wrong in ({}, {"sessionId": "ana", "qr": "2@another"}):
            answer = await stage.client.post("/api/loopback/phones/628110000001/scan", json=wrong)
            assert answer.status_code == 400
        await stage.client.post("/api/loopback/phones", content=b'{"phone":"1"}')
        assert control.asked[-1] == ("POST", "/phones", token, b'{"phone":"1"}')
        refused = await stage.client.post("/api/loopback/phones/628110000001/unlink")
        assert (refused.status_code, refused.json()["code"]) == (409, "loopback_refused")
        assert (await own.post("/api/loopback/faults")).json()["code"] == "scope_denied"
        for path in ("phones/..%2f..%2ffaults/messages", "other"):
            assert (await stage.client.get(f"/api/loopback/{path}")).json()["code"] == "route_not_found"


async def test_outside_a_sandbox_there_are_no_phones(stage: Stage) -> None:
    answer = await stage.client.post("/api/loopback/phones", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")


async def test_a_network_that_is_gone_is_503(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, loopback=LoopbackControl("http://127.0.0.1:1", "t")) as stage:
        answer = await stage.client.get("/api/loopback/phones")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
