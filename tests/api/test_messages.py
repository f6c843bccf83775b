"""Sending and looking up messages over HTTP."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio

from actors import errors
from actors.outgoing import Content, Edit, Pin, Revoke, Text
from actors.session.messages import CheckContacts, MarkRead, Perform, Send
from storage.rows import Json, Message, MessageStatus
from storage.writes import StoreMessage
from tests.api.stage import SENT_AT, Stage

TEXT = {"phone": "628110000002", "message": "halo"}
BUDI = "628110000002@s.whatsapp.net"


async def test_a_text_is_answered_byte_for_byte_as_clients_expect(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        answer = await client.post("/api/messages/text", json=TEXT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (
        b'{"messageId":"3EB0C0FFEE","status":"sent","timestamp":1769860800,'
        b'"chat":"628110000002@s.whatsapp.net",'
        b'"key":{"remoteJid":"628110000002@s.whatsapp.net","fromMe":true,"id":"3EB0C0FFEE"}}'
    )
    assert stage.scripts["ana"].asked[-1] == Send(to="628110000002", content=Text(text="halo"))


async def test_to_takes_a_jid_and_the_client_s_reference_goes_along(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        body = {"to": "120363000000000001@g.us", "message": "🥭", "clientRef": "order-7"}
        assert (await client.post("/api/messages/text", json=body)).status_code == 200
    assert stage.scripts["ana"].asked[-1] == Send(
        to="120363000000000001@g.us", content=Text(text="🥭"), client_ref="order-7"
    )


async def test_an_admin_key_sends_for_a_session_named_by_path_or_header(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    by_path = await stage.client.post("/api/sessions/ana/messages/text", json=TEXT)
    by_header = await stage.client.post("/api/messages/text", json=TEXT, headers={"x-session-id": "ana"})
    assert by_path.status_code == by_header.status_code == 200
    nameless = await stage.client.post("/api/messages/text", json=TEXT)
    assert nameless.status_code == 400
    assert nameless.json()["errors"][0]["path"] == "x-session-id"


FAILURES: list[tuple[errors.SessionError, int, str]] = [
    (errors.SessionDisconnected(session_id="ana", state="stopped"), 403, "session_disconnected"),
    (errors.SessionLoggedOut(session_id="ana"), 403, "session_logged_out"),
    (errors.SessionRestarting(session_id="ana", retry_after=5.5), 503, "session_restarting"),
    (errors.AccountRestricted(session_id="ana", reason="spam", until=SENT_AT), 403, "account_restricted"),
    (errors.RateLimited(session_id="ana", limit=10, retry_after=5.5), 429, "rate_limited"),
    (errors.QueueFull(session_id="ana", retry_after=5.5), 429, "queue_full"),
    (errors.RecipientNotOnWhatsApp(recipient="628110000002"), 404, "recipient_not_on_whatsapp"),
    (errors.WhatsAppFailed(session_id="ana", reason="479", code=479), 502, "whatsapp_error"),
    (errors.OutcomeUnknown(session_id="ana", message_id="m1"), 504, "upstream_timeout"),
]


async def test_each_failure_of_a_send_has_its_status_and_code(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for error, status, code in FAILURES:
            stage.scripts["ana"].answers[Send] = error
            answer = await client.post("/api/messages/text", json=TEXT, headers={"x-request-id": "r-1"})
            problem = answer.json()
            assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status)
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["requestId"] == answer.headers["x-request-id"] == "r-1"
            assert problem["instance"] == "/api/messages/text"
            assert problem.get("sessionId") == getattr(error, "session_id", None)
            if hasattr(error, "retry_after"):
                assert (problem["retryAfterMs"], answer.headers["retry-after"]) == (5500, "6")
            else:
                assert "retry-after" not in answer.headers
            assert "628110000002" not in answer.text  # nothing of the request comes back


async def test_the_rate_limit_is_told_in_headers(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = errors.RateLimited(session_id="ana", limit=10, retry_after=5.5)
        answer = await client.post("/api/messages/text", json=TEXT)
    assert {name: value for name, value in answer.headers.items() if name.startswith("ratelimit")} == {
        "ratelimit-limit": "10",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "6",
        "ratelimit-policy": "10;w=60",
    }


async def test_a_restriction_tells_until_when(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        error = errors.AccountRestricted(session_id="ana", reason="spam", until=SENT_AT)
        stage.scripts["ana"].answers[Send] = error
        problem = (await client.post("/api/messages/text", json=TEXT)).json()
    assert problem["until"] == "2026-01-31T12:00:00Z"


async def test_a_session_that_crashes_while_sending_answers_503_and_comes_back(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        stage.scripts["ana"].answers[Send] = ZeroDivisionError()
        crashed = await client.post("/api/messages/text", json=TEXT)
        assert (crashed.status_code, crashed.json()["code"]) == (503, "session_restarting")
        del stage.scripts["ana"].answers[Send]
        assert (await client.post("/api/messages/text", json=TEXT)).status_code == 200


async def test_a_client_that_goes_away_does_not_stop_its_send(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        script = stage.scripts["ana"]
        script.gate = trio.Event()
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/api/messages/text", json=TEXT, timeout=0.3)
        assert isinstance(script.asked[-1], Send)
        script.gate.set()
        with trio.fail_after(2):
            await script.finished.wait()
        script.gate = None
        assert (await client.post("/api/messages/text", json=TEXT)).status_code == 200


BAD_BODIES: list[tuple[object, dict[str, str | None]]] = [
    ({}, {"message": "is required"}),
    ({"message": "a"}, {"phone": "give exactly one of phone and to"}),
    ({"message": "a", "phone": "628110000002", "to": BUDI}, {"phone": "give exactly one of phone and to"}),
    ({"message": 1, "phone": "+628110000002"}, {"message": None, "phone": None}),
    ({"message": "", "phone": "08110000002"}, {"message": None, "phone": None}),
    ({"message": "a" * 65537, "phone": "628110000002"}, {"message": None}),
    ({"message": "a\0b", "phone": "628110000002"}, {"message": None}),
    ({"message": "a", "phone": "628110000002", "mesage": "b"}, {"mesage": "unknown field"}),
    ([], {"": "expected an object"}),
    ("text", {"": "expected an object"}),
]


async def test_every_bad_field_is_named(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for body, wrong in BAD_BODIES:
            answer = await client.post("/api/messages/text", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), body
            named = {error["path"]: error["message"] for error in answer.json()["errors"]}
            assert named.keys() == wrong.keys()
            assert all(message is None or named[path] == message for path, message in wrong.items())
    assert not any(isinstance(asked, Send) for asked in stage.scripts["ana"].asked)


NO_ADDRESSES = ["nobody", "1@s.whatsapp.net", "6281@c.us", "6281100@g.us@g.us", "@lid", "+628110000002"]


async def test_an_address_that_cannot_be_is_404_invalid_jid(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for to in NO_ADDRESSES:
            answer = await client.post("/api/messages/text", json={"to": to, "message": "a"})
            assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid"), to


def inbound(number: int, **changes: object) -> Message:
    fields: dict[str, object] = {
        "session_id": "ana",
        "id": f"msg_{number}",
        "wa_id": f"WA{number}",
        "chat": BUDI,
        "sender": BUDI,
        "from_me": False,
        "type": "text",
        "text": f"nomor {number}",
        "payload": {"conversation": f"nomor {number}"},
        "status": MessageStatus.RECEIVED,
        "occurred_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
    }
    return Message(**{**fields, **changes})  # type: ignore[arg-type]


async def test_messages_are_listed_newest_first_by_page_and_found_by_either_id(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for number in range(5):
            await stage.services.writer.call(StoreMessage(message=inbound(number)))
        first = (await client.get("/api/messages?limit=3")).json()
        rest = (await client.get("/api/messages", params={"limit": 3, "cursor": first["cursor"]})).json()
        assert [m["messageId"] for m in first["messages"] + rest["messages"]] == [
            "WA4",
            "WA3",
            "WA2",
            "WA1",
            "WA0",
        ]
        assert rest["cursor"] is None
        ours, theirs = await client.get("/api/messages/msg_2"), await client.get("/api/messages/WA2")
        assert ours.json() == theirs.json() == first["messages"][2]
        assert ours.json()["message"] == {"conversation": "nomor 2"}
        found = (await client.get("/api/messages", params={"q": "nomor 3", "chat": "628110000002"})).json()
        assert [m["id"] for m in found["messages"]] == ["msg_3"]
        missing = await client.get("/api/messages/none")
        assert (missing.status_code, missing.json()["code"]) == (404, "message_not_found")


BAD_QUERIES = [
    "limit=0",
    "limit=x",
    "cursor=zz",
    "fromMe=yes",
    "status=gone",
    "colour=red",
    "since=today",
    "q=%00",
    "limit=1&limit=2",
]


async def test_a_bad_query_is_refused_with_the_parameter_s_name(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        for query in BAD_QUERIES:
            answer = await client.get(f"/api/messages?{query}")
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), query
            assert answer.json()["errors"][0]["path"] == query.partition("=")[0]


async def test_marking_as_read_names_chat_sender_and_whatsapp_s_id(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))
        answer = await client.post("/api/messages/msg_1/read")
        assert (answer.status_code, answer.content) == (204, b"")
        assert stage.scripts["ana"].asked[-1] == MarkRead(BUDI, BUDI, ("WA1",))
        await stage.services.writer.call(StoreMessage(message=inbound(2, from_me=True, status="sent")))
        assert (await client.post("/api/messages/msg_2/read")).status_code == 422


async def test_numbers_are_checked_in_the_order_asked(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        answer = await client.post("/api/contacts/check", json={"phones": ["628110000003", "628110000002"]})
        assert answer.content == (
            b'[{"phone":"628110000003","exists":true,"jid":"628110000003@s.whatsapp.net","lid":null},'
            b'{"phone":"628110000002","exists":true,"jid":"628110000002@s.whatsapp.net","lid":null}]'
        )
        for phones in ([], ["62811"] * 101, ["628110000002", "x"], "628110000002"):
            refused = await client.post("/api/contacts/check", json={"phones": phones})
            assert refused.json()["code"] == "validation_failed"
    assert sum(isinstance(asked, CheckContacts) for asked in stage.scripts["ana"].asked) == 1


async def test_an_admin_key_lists_all_sessions_and_a_session_s_key_its_own(stage: Stage) -> None:
    async with await stage.session("ana") as ana, await stage.session("bea") as bea:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))
        await stage.services.writer.call(StoreMessage(message=inbound(2, session_id="bea")))
        everyone = (await stage.client.get("/api/messages")).json()
        assert [(m["sessionId"], m["id"]) for m in everyone["messages"]] == [
            ("bea", "msg_2"),
            ("ana", "msg_1"),
        ]
        for client, query in ((bea, {}), (stage.client, {"headers": {"x-session-id": "bea"}})):
            listed = (await client.get("/api/messages", **query)).json()  # type: ignore[arg-type]
            assert [m["id"] for m in listed["messages"]] == ["msg_2"]
        by_path = (await stage.client.get("/api/sessions/ana/messages")).json()
        assert [m["id"] for m in by_path["messages"]] == ["msg_1"]
        foreign = await ana.get("/api/sessions/bea/messages")
        assert (foreign.status_code, foreign.json()["code"]) == (403, "scope_denied")


async def test_a_message_is_shown_byte_for_byte_as_clients_know_it(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        await stage.services.writer.call(StoreMessage(message=inbound(0, created_at=at, updated_at=at)))
        answer = await client.get("/api/messages/msg_0")
    assert answer.content == (
        b'{"messageId":"WA0","id":"msg_0","sessionId":"ana","chat":"628110000002@s.whatsapp.net",'
        b'"from":"628110000002@s.whatsapp.net","fromMe":false,"type":"text","text":"nomor 0",'
        b'"status":"received","error":null,"clientRef":null,"mediaId":null,"timestamp":1767225600,'
        b'"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z",'
        b'"message":{"conversation":"nomor 0"}}'
    )


async def test_many_are_marked_as_read_by_chat_and_sender_and_stored_as_such(stage: Stage) -> None:
    group, citra = "120363000000000001@g.us", "628110000003@s.whatsapp.net"
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))
        await stage.services.writer.call(StoreMessage(message=inbound(2)))
        await stage.services.writer.call(StoreMessage(message=inbound(3, chat=group, sender=citra)))
        ids = {"messageIds": ["WA1", "msg_2", "WA3"]}
        assert (await client.post("/api/messages/read", json=ids)).status_code == 204
        marked = [asked for asked in stage.scripts["ana"].asked if isinstance(asked, MarkRead)]
        assert marked == [MarkRead(BUDI, BUDI, ("WA1", "WA2")), MarkRead(group, citra, ("WA3",))]
        statuses = [m["status"] for m in (await client.get("/api/messages")).json()["messages"]]
        assert statuses == ["read"] * 3
        told = (await client.get("/api/events?events=messages.update&after=0")).json()["events"]
        assert [(e["data"]["key"]["id"], e["data"]["status"]) for e in told] == [
            ("WA1", "read"),
            ("WA2", "read"),
            ("WA3", "read"),
        ]
        for body, status in (({"messageIds": []}, 400), ({"messageIds": ["none"]}, 404), ({}, 400)):
            assert (await client.post("/api/messages/read", json=body)).status_code == status


async def test_who_sent_a_voice_note_is_told_that_it_was_heard(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1, type="voice")))
        assert (await client.post("/api/messages/WA1/read")).status_code == 204
        assert (await client.get("/api/messages/WA1")).json()["status"] == "played"
    heard = stage.scripts["ana"].asked[-1]
    assert isinstance(heard, Perform)
    assert heard.name == "message.played"


async def test_editing_pinning_and_deleting_go_to_the_message_s_chat(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1, from_me=True, status="sent")))
        acts: list[tuple[str, str, Json | None, Content]] = [
            ("PATCH", "", {"message": "baru"}, Edit(message_id="msg_1", text="baru")),
            ("POST", "/pin", {"seconds": 86400}, Pin(message_id="msg_1", seconds=86400)),
            ("POST", "/pin", None, Pin(message_id="msg_1", seconds=604800)),
            ("POST", "/unpin", None, Pin(message_id="msg_1", seconds=0)),
            ("DELETE", "", None, Revoke(message_id="msg_1")),
            ("DELETE", "?for=everyone", None, Revoke(message_id="msg_1")),
        ]
        for method, rest, body, content in acts:
            answer = await client.request(method, f"/api/messages/WA1{rest}", json=body)
            assert answer.status_code == 200, answer.text
            assert answer.json()["messageId"] == "3EB0C0FFEE"
            assert stage.scripts["ana"].asked[-1] == Send(to=BUDI, content=content)
            gone = await client.request(method, f"/api/messages/none{rest}", json=body)
            assert (gone.status_code, gone.json()["code"]) == (404, "message_not_found")
        for method, rest, body, path in (
            ("PATCH", "", {"message": ""}, "message"),
            ("POST", "/pin", {"seconds": -1}, "seconds"),
            ("DELETE", "?for=us", None, "for"),
        ):
            refused = await client.request(method, f"/api/messages/WA1{rest}", json=body)
            assert [each["path"] for each in refused.json()["errors"]] == [path]
        starred = await client.post("/api/messages/WA1/star")
        assert (starred.status_code, starred.json()["code"]) == (501, "not_possible")


async def test_a_message_deleted_for_me_is_forgotten_and_nobody_is_told(stage: Stage) -> None:
    async with await stage.session("ana") as client:
        await stage.services.writer.call(StoreMessage(message=inbound(1)))
        answer = await client.delete("/api/messages/WA1?for=me")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get("/api/messages/WA1")).status_code == 404
    assert not any(isinstance(asked, Send) for asked in stage.scripts["ana"].asked)


async def test_deleting_wants_its_own_scope(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    key = await stage.key(session_id="ana", scopes=("read", "send"))
    async with stage.client_with(key) as client:
        refused = await client.delete("/api/messages/WA1?for=me")
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_denied")
