"""Sessions over HTTP: their life, their settings, and linking them to a phone."""

import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from PIL import Image

from actors import errors
from actors.session.messages import GetQr, Logout, PairWithCode, Qr, RestartClient, Start, Stop
from storage.writes import Append, NewEvent
from tests.api.stage import Stage

CODE = "2@abc,DEF,ghi=,1"


async def test_a_session_is_made_with_a_key_that_is_shown_once(stage: Stage) -> None:
    body = {
        "id": "ana",
        "name": "Ana",
        "deviceName": "Kasir 1",
        "proxy": "socks5://user:geheim@10.0.0.1:1080",
        "limits": {"perMinute": 30},
        "metadata": {"shop": 7},
    }
    made = await stage.client.post("/api/sessions", json=body)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    session = made.json()["session"]
    assert session["limits"] == {"perMinute": 30}
    assert session["proxy"] == "socks5://10.0.0.1:1080"
    assert "geheim" not in made.text
    async with stage.client_with(made.json()["apiKey"]) as own:
        assert (await own.get("/api/session")).json() == session
        assert (await stage.client.get("/api/sessions/ana")).json() == session
    stored = await stage.services.reads.session("ana")
    assert stored is not None
    assert stored.settings["proxy"] == "socks5://user:geheim@10.0.0.1:1080"
    again = await stage.client.post("/api/sessions", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "session_exists")


async def test_sessions_are_listed_by_page_and_found(stage: Stage) -> None:
    for name in ("ana", "budi", "citra"):
        await (await stage.session(name, name.title())).aclose()
    first = (await stage.client.get("/api/sessions?limit=2")).json()
    rest = (await stage.client.get("/api/sessions", params={"limit": 2, "cursor": first["cursor"]})).json()
    assert [s["id"] for s in first["sessions"] + rest["sessions"]] == ["ana", "budi", "citra"]
    assert rest["cursor"] is None
    assert [s["id"] for s in (await stage.client.get("/api/sessions?q=ITR")).json()["sessions"]] == ["citra"]
    assert (await stage.client.get("/api/sessions?status=connected")).json()["sessions"] == []


async def test_a_patch_changes_what_it_names_and_null_sets_back(stage: Stage) -> None:
    body = {
        "id": "ana",
        "name": "Ana",
        "deviceName": "Kasir",
        "limits": {"perMinute": 30},
        "metadata": {"a": 1},
    }
    await stage.client.post("/api/sessions", json=body)
    changed = (
        await stage.client.patch("/api/sessions/ana", json={"deviceName": None, "autoRead": True})
    ).json()
    assert "deviceName" not in changed
    assert (changed["name"], changed["autoRead"], changed["limits"]) == ("Ana", True, {"perMinute": 30})
    changed = (
        await stage.client.patch("/api/sessions/ana", json={"name": "Bu Ana", "metadata": None})
    ).json()
    assert (changed["name"], changed["metadata"], changed["autoRead"]) == ("Bu Ana", {}, True)
    assert (await stage.client.patch("/api/sessions/ana", json={})).json() == changed
    refused = await stage.client.patch("/api/sessions/ana", json={"limits": {"perMinute": 0}, "jid": "x"})
    assert {error["path"] for error in refused.json()["errors"]} == {"limits.perMinute", "jid"}


async def test_each_order_reaches_the_session_and_answers_how_it_is(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for path, order in [
            ("start", Start()),
            ("stop", Stop()),
            ("restart", RestartClient()),
            ("logout", Logout()),
        ]:
            for client, prefix in [(own, "/api/session"), (stage.client, "/api/sessions/ana")]:
                stage.scripts["ana"].asked.clear()
                answer = await client.post(f"{prefix}/{path}")
                assert answer.status_code == 200
                assert answer.json()["actual"] == "connected"
                assert stage.scripts["ana"].asked[0] == order
        stage.scripts["ana"].answers[Start] = errors.AlreadyRunning(session_id="ana")
        refused = await own.post("/api/session/start")
        assert (refused.status_code, refused.json()["code"]) == (409, "already_running")


async def test_status_and_me_are_the_actor_s_own_words(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        assert (await own.get("/api/session/status")).json() == {
            "sessionId": "ana",
            "desired": "running",
            "actual": "connected",
            "since": "2026-01-31T12:00:00.000Z",
            "restarts": 0,
            "lastError": None,
            "liveness": {"lastInboundAt": None, "lastPongAt": "2026-01-31T12:00:00.000Z"},
            "cell": "cell-1",
            "lease": None,
        }
        assert (await own.get("/api/session/me")).json() == {
            "jid": "628110000001@s.whatsapp.net",
            "lid": "1@lid",
            "phone": "628110000001",
            "pushName": "Ana",
        }


async def test_a_deleted_session_is_gone_with_its_key(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        assert (await own.delete("/api/sessions/ana")).json()["code"] == "scope_denied"
        assert (await stage.client.delete("/api/sessions/ana")).status_code == 204
        assert (await own.get("/api/session")).json()["code"] == "key_invalid"
    for path in ("", "/status", "/qr"):
        answer = await stage.client.get(f"/api/sessions/ana{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert (await stage.client.delete("/api/sessions/ana")).status_code == 404


async def test_a_qr_code_comes_in_five_forms(stage: Stage) -> None:
    expires = (datetime.now(UTC) + timedelta(seconds=20)).replace(microsecond=0)
    async with await stage.session("ana") as own:
        stage.scripts["ana"].answers[GetQr] = Qr(CODE, expires)
        png = await own.get("/api/session/qr")
        assert png.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(png.content)) as picture:
            assert picture.size[0] == picture.size[1] >= 200
        svg = await own.get("/api/session/qr?format=svg")
        assert svg.headers["content-type"].startswith("image/svg+xml")
        assert svg.text.startswith("<svg")
        text = (await own.get("/api/session/qr?format=text")).text.splitlines()
        assert len(text) > 10
        assert len({len(line) for line in text if line}) <= 2  # a block, colour codes aside
        assert (await own.get("/api/session/qr?format=raw")).text == CODE
        as_json = await own.get("/api/sessions/ana/qr?format=json")
        stamp = expires.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert as_json.json() == {"code": CODE, "expiresAt": stamp}
        assert as_json.headers["cache-control"] == "no-store"
        assert (await own.get("/api/session/qr?format=gif")).json()["errors"][0]["path"] == "format"


async def test_no_qr_is_409(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        answer = await own.get("/api/session/qr")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_qr")


async def test_a_pairing_code_is_asked_for_a_number(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        answer = await own.post("/api/session/pairing-code", json={"phone": "628110000001"})
        assert answer.json() == {"code": "ABCD-1234"}
        assert stage.scripts["ana"].asked[-1] == PairWithCode("628110000001")
        refused = await own.post("/api/session/pairing-code", json={"phone": "+62 811"})
        assert refused.json()["errors"][0]["path"] == "phone"
        stage.scripts["ana"].answers[PairWithCode] = errors.PairingRefused(session_id="ana", reason="429")
        refused = await own.post("/api/session/pairing-code", json={"phone": "628110000001"})
        assert (refused.status_code, refused.json()["code"]) == (502, "whatsapp_error")


async def test_every_setting_comes_back_as_it_was_given_and_a_default_is_left_out(stage: Stage) -> None:
    settings = {
        "limits": {"perMinute": 30, "burst": 5, "newChatsPerDay": 50},
        "ignore": {"groups": True, "chats": ["628110000009@s.whatsapp.net", "9@lid"]},
        "autoRead": True,
        "autoRejectCalls": {"message": "Please write."},
    }
    made = await stage.client.post("/api/sessions", json={"id": "ana", "name": "Ana", **settings})
    assert made.status_code == 201, made.text
    assert "webhooks" not in made.json()
    session = made.json()["session"]
    assert {name: session[name] for name in settings} == settings
    assert (await stage.client.get("/api/sessions/ana")).json() == session
    changed = await stage.client.patch(
        "/api/sessions/ana", json={"autoRejectCalls": True, "ignore": {"status": True, "groups": False}}
    )
    assert (changed.json()["autoRejectCalls"], changed.json()["ignore"]) == (True, {"status": True})
    given = {"autoRejectCalls": None, "ignore": None, "limits": None, "autoRead": False}
    assert not settings.keys() & (await stage.client.patch("/api/sessions/ana", json=given)).json().keys()


async def test_settings_that_do_not_fit_are_named(stage: Stage) -> None:
    body = {
        "name": "Ana",
        "limits": {"newChatsPerDay": 0},
        "ignore": {"chats": ["nobody"], "stories": True},
        "autoRejectCalls": {"message": ""},
        "webhooks": [{"url": "ftp://example.org"}],
    }
    refused = await stage.client.post("/api/sessions", json=body)
    assert {error["path"] for error in refused.json()["errors"]} == {
        "limits.newChatsPerDay",
        "ignore.chats.0",
        "ignore.stories",
        "autoRejectCalls.message",
        "webhooks[0].url",
    }
    assert (await stage.client.get("/api/sessions")).json()["sessions"] == []


async def test_webhooks_are_made_with_the_session_or_neither_is(stage: Stage) -> None:
    hook = {"url": "https://127.0.0.1:9/hook", "events": ["messages.upsert"]}
    body = {"id": "ana", "name": "Ana", "start": False, "webhooks": [hook]}
    made = (await stage.client.post("/api/sessions", json=body)).json()
    (webhook,) = made["webhooks"]
    assert webhook["secret"].startswith("whsec_")
    listed = (await stage.client.get("/api/sessions/ana/webhooks")).json()["webhooks"]
    assert [(each["id"], each["sessionId"], each["url"]) for each in listed] == [
        (webhook["webhook"]["id"], "ana", hook["url"])
    ]
    body = {"id": "budi", "name": "Budi", "webhooks": [hook, {"url": "https://10.0.0.1/hook"}]}
    refused = await stage.client.post("/api/sessions", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "url_forbidden")
    assert (await stage.client.get("/api/sessions/budi")).status_code == 404


async def test_the_timeline_tells_each_change_of_state_newest_first(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        states = ["stopped", "starting", "connected", "reconnecting"]
        for before, now in pairwise(states):
            data = {"status": now, "previous": before, "reason": "lost" if now == "reconnecting" else None}
            await stage.services.writer.call(Append("ana", (NewEvent("session.status", data),)))
            await stage.event("ana", 1)  # which is no change of state
        first = (await own.get("/api/session/timeline?limit=3")).json()
        rest = (await own.get("/api/session/timeline", params={"limit": 3, "cursor": first["cursor"]})).json()
        changes = first["changes"] + rest["changes"]
        assert [change["status"] for change in changes] == states[::-1]  # the first came with the session
        assert changes[0]["reason"] == "lost"
        assert changes[0]["seq"] > changes[1]["seq"]
        assert rest["cursor"] is None
        assert (await stage.client.get("/api/sessions/nobody/timeline")).status_code == 404
