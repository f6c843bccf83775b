"""The account's profile, presence, calls, channels and labels over HTTP, as far as no WhatsApp is needed."""

from typing import Any

import httpx

from actors import errors
from actors.session.messages import Perform
from storage.rows import Event
from storage.writes import Append, NewEvent
from tests.api.stage import Stage

CHANNEL = "120363400000000001@newsletter"


def asked(stage: Stage) -> list[str]:
    """What the session was asked to do with its client."""
    return [each.name for each in stage.scripts["ana"].asked if isinstance(each, Perform)]


async def wrong_fields(client: httpx.AsyncClient, method: str, path: str, body: Any) -> set[str]:
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), answer.text
    return {error["path"] for error in answer.json()["errors"]}


UNFIT: list[tuple[str, str, Any, set[str]]] = [
    ("PATCH", "profile", {"name": "x" * 26}, {"name"}),
    ("PATCH", "profile", {"name": None}, {"name"}),
    ("PUT", "profile", {"about": "x" * 140, "picture": "x"}, {"about", "picture"}),
    ("PATCH", "profile/privacy", {"online": "none", "callAdd": "all"}, {"online"}),
    ("PATCH", "profile/privacy", {"lastSeen": "known", "readReceipts": None}, {"lastSeen"}),
    ("PATCH", "profile/privacy", {"readReceipts": None}, {"readReceipts"}),
    ("PUT", "profile/disappearing", {"ephemeralSeconds": 60}, {"ephemeralSeconds"}),
    ("PUT", "profile/picture", {}, {"imageUrl"}),
    ("PUT", "profile/picture", {"imageBase64": "AAAA", "mediaId": "m1"}, {"imageUrl"}),
    ("PUT", "presence", {"available": "yes"}, {"available"}),
    ("POST", "presence/subscribe", {}, {"to"}),
    ("POST", "calls/ABC/reject", {}, {"from"}),
    ("POST", "channels", {"name": ""}, {"name"}),
    ("POST", f"channels/{CHANNEL}/viewed", {"serverIds": []}, {"serverIds"}),
    ("POST", f"channels/{CHANNEL}/viewed", {"serverIds": [100, 0]}, {"serverIds[1]"}),
    ("POST", f"channels/{CHANNEL}/messages/100/reaction", {"emoji": "yes"}, {"emoji"}),
    ("GET", f"channels/{CHANNEL}/messages?limit=0&before=x", None, {"limit", "before"}),
]


async def test_what_does_not_fit_is_named_and_asked_of_nobody(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for method, path, body, paths in UNFIT:
            assert await wrong_fields(own, method, f"/api/{path}", body) == paths
        assert asked(stage) == []


NOWHERE: list[tuple[str, str, Any]] = [
    ("POST", "presence/subscribe", {"to": "nobody"}),
    ("GET", "presence/120363400000000001@else", None),
    ("POST", "calls/ABC/reject", {"from": "12"}),
    ("GET", "channels/628110000002@s.whatsapp.net", None),
    ("POST", "channels/120363000000000001@g.us/follow", None),
]


async def test_what_is_no_address_leads_nowhere(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for method, path, body in NOWHERE:
            answer = await own.request(method, f"/api/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid"), path
        assert asked(stage) == []


IMPOSSIBLE: list[tuple[str, str, Any]] = [
    ("GET", "labels", None),
    ("POST", "labels", {"name": "New customer"}),
    ("PATCH", "labels/1", {"name": "Old customer"}),
    ("DELETE", "labels/1", None),
    ("GET", "chats/628110000002@s.whatsapp.net/labels", None),
    ("PUT", "chats/628110000002@s.whatsapp.net/labels/1", None),
    ("DELETE", "chats/628110000002@s.whatsapp.net/labels/1", None),
    ("POST", "calls", None),
    ("GET", "profile/disappearing", None),
    ("DELETE", "profile/picture", None),
    ("PATCH", f"channels/{CHANNEL}", {"name": "Other news"}),
    ("DELETE", f"channels/{CHANNEL}", None),
    ("POST", f"channels/{CHANNEL}/viewed", {"serverIds": [256]}),
]


async def test_what_the_client_library_cannot_do_is_501_with_the_reason(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for method, path, body in IMPOSSIBLE:
            answer = await own.request(method, f"/api/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (501, "not_possible"), path
            assert answer.json()["detail"].endswith(".")
        assert asked(stage) == []


async def test_each_failure_has_its_status_and_code(stage: Stage) -> None:
    failures: list[tuple[errors.SessionError, int, str]] = [
        (errors.NoPushName(session_id="ana"), 409, "no_push_name"),
        (errors.ChannelNotFound(channel=CHANNEL), 404, "channel_not_found"),
        (errors.NotChannelAdmin(channel=CHANNEL), 403, "not_channel_admin"),
        (errors.SessionDisconnected(session_id="ana", state="stopped"), 403, "session_disconnected"),
        (errors.WhatsAppFailed(session_id="ana", reason="no", code=500), 502, "whatsapp_error"),
    ]
    async with await stage.session("ana") as own:
        for error, status, code in failures:
            stage.scripts["ana"].answers[Perform] = error
            answer = await own.put("/api/presence", json={"available": True})
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_key_may_look_and_not_change(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    key = await stage.key(session_id="ana", scopes=("read",))
    async with stage.client_with(key) as reader:
        for method, path in [
            ("PATCH", "profile"),
            ("PATCH", "profile/privacy"),
            ("POST", "profile/qr/revoke"),
            ("PUT", "presence"),
            ("POST", f"channels/{CHANNEL}/follow"),
            ("POST", "calls/ABC/reject"),
        ]:
            answer = await reader.request(method, f"/api/{path}", json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_denied"), path


async def test_presence_is_the_last_that_the_log_tells_by_either_address(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for jid, online, seen in [
            ("628110000002@s.whatsapp.net", True, None),
            ("628110000003@s.whatsapp.net", True, None),
            ("628110000002@s.whatsapp.net", False, 1769860800),
        ]:
            data = {"jid": jid, "jidAlt": "2@lid" if "2@" in jid else None, "online": online}
            event = NewEvent("presence.update", data | {"lastSeen": seen})
            await stage.services.writer.call(Append("ana", (event,)))
        told: Event | None = await stage.services.reads.last_presence("ana", "2@lid")
        assert told is not None
        for address in ("628110000002", "628110000002@s.whatsapp.net", "2@lid"):
            assert (await own.get(f"/api/presence/{address}")).json() == {
                "jid": "628110000002@s.whatsapp.net",
                "jidAlt": "2@lid",
                "online": False,
                "lastSeen": 1769860800,
                "at": int(told.occurred_at.timestamp()),
            }
        unknown = await own.get("/api/presence/628110000009")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "presence_not_found")
