"""Webhooks over HTTP: made, changed and forgotten; the deliveries themselves have tests of their own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from api.server import Server
from tests.api.stage import Stage

NEW = {"url": "https://example.com/hook", "events": ["messages.upsert"]}


@asynccontextmanager
async def endpoint() -> AsyncIterator[tuple[str, trio.MemoryReceiveChannel[bytes]]]:
    """A webhook's receiver: its URL, and the bodies it was sent."""
    put, bodies = trio.open_memory_channel[bytes](100)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        put.send_nowait(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with trio.open_nursery() as nursery:
        host, port = await nursery.start(Server(app=app, graceful_timeout=0).start)
        yield f"http://{host}:{port}/", bodies
        nursery.cancel_scope.cancel()


async def test_the_secret_is_shown_once_and_headers_only_by_name(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        made = await own.post("/api/webhooks", json={**NEW, "headers": {"authorization": "Bearer geheim"}})
        assert made.status_code == 201
        assert made.json()["secret"].startswith("whsec_")
        webhook = made.json()["webhook"]
        assert (webhook["sessionId"], webhook["headers"]) == ("ana", ["authorization"])
        got = await own.get(f"/api/webhooks/{webhook['id']}")
        assert got.json() == webhook
        listed = await own.get("/api/webhooks")
        assert listed.json() == {"webhooks": [webhook]}
        for answer in (got, listed):
            assert made.json()["secret"] not in answer.text
            assert "geheim" not in answer.text


async def test_a_webhook_is_told_of_what_happens_after_it_was_made_but_not_while_paused(stage: Stage) -> None:
    async with await stage.session("ana") as own, endpoint() as (url, bodies):
        await stage.event("ana", 1)
        made = await own.post("/api/webhooks", json={"url": url, "events": ["messages.upsert"]})
        path = f"/api/webhooks/{made.json()['webhook']['id']}"
        await stage.event("ana", 2)
        with trio.fail_after(5):
            assert b'"number":2' in await bodies.receive()
        assert (await own.post(f"{path}/pause")).json()["active"] is False
        await stage.event("ana", 3)
        assert (await own.post(f"{path}/resume")).json()["active"] is True
        with trio.fail_after(5):
            assert b'"number":3' in await bodies.receive()
        assert (await own.delete(path)).status_code == 204
        assert (await own.get(path)).json()["code"] == "webhook_not_found"
        await stage.event("ana", 4)
        assert bodies.statistics().current_buffer_used == 0


async def test_an_admin_has_webhooks_of_all_sessions_and_a_session_its_own(stage: Stage) -> None:
    async with await stage.session("ana") as ana, await stage.session("budi") as budi:
        for_all = (await stage.client.post("/api/webhooks", json=NEW)).json()["webhook"]
        of_ana = (await stage.client.post("/api/sessions/ana/webhooks", json=NEW)).json()["webhook"]
        assert (for_all["sessionId"], of_ana["sessionId"]) == (None, "ana")
        assert (await ana.get("/api/webhooks")).json() == {"webhooks": [of_ana]}
        assert len((await stage.client.get("/api/webhooks")).json()["webhooks"]) == 2
        for path in (of_ana["id"], for_all["id"]):
            assert (await budi.get(f"/api/webhooks/{path}")).json()["code"] == "webhook_not_found"
            assert (await budi.delete(f"/api/webhooks/{path}")).json()["code"] == "webhook_not_found"
    missing = await stage.client.post("/api/sessions/nobody/webhooks", json=NEW)
    assert missing.json()["code"] == "session_not_found"


async def test_a_patch_changes_what_it_names_and_a_rotation_keeps_the_old_secret_for_a_while(
    stage: Stage,
) -> None:
    async with await stage.session("ana") as own:
        made = (await own.post("/api/webhooks", json=NEW)).json()
        path = f"/api/webhooks/{made['webhook']['id']}"
        changed = (await own.patch(path, json={"events": None, "headers": {"x-a": "b"}})).json()
        assert (changed["url"], changed["events"], changed["headers"]) == (NEW["url"], [], ["x-a"])
        rotated = (await own.post(f"{path}/rotate-secret", json={"graceSeconds": 60})).json()
        assert rotated["secret"] != made["secret"]
        stored = await stage.services.reads.webhook(made["webhook"]["id"])
        assert stored is not None
        assert stored.previous_secret == made["secret"]


async def test_what_could_not_work_is_refused(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        for body, path in [
            ({}, "url"),
            ({"url": "ftp://example.com"}, "url"),
            ({"url": "https://user:pw@example.com"}, "url"),
            ({"url": "https://"}, "url"),
            ({"url": "https://a:99999"}, "url"),
            ({**NEW, "events": ["messages.upsrt"]}, "events[0]"),
            ({**NEW, "secret": "whsec_short"}, "secret"),
            ({**NEW, "headers": {"Host": "x"}}, "headers.Host"),
            ({**NEW, "headers": {"a": "b\r\nc: d"}}, "headers.a"),
        ]:
            answer = await own.post("/api/webhooks", json=body)
            assert answer.status_code == 400, body
            assert [error["path"] for error in answer.json()["errors"]] == [path]


async def test_what_became_of_an_event_is_listed_and_it_can_be_sent_again(stage: Stage) -> None:
    async with (
        await stage.session("ana") as own,
        await stage.session("budi") as budi,
        endpoint() as (url, got),
    ):
        made = await own.post("/api/webhooks", json={"url": url})
        path = f"/api/webhooks/{made.json()['webhook']['id']}"
        await stage.event("ana", 1)
        with trio.fail_after(5):
            sent = json.loads(await got.receive())
            while not (listed := (await own.get(f"{path}/deliveries")).json())["deliveries"]:
                await trio.sleep(0.01)
        (delivery,) = listed["deliveries"]
        assert (delivery["id"], delivery["status"], delivery["attempts"]) == (sent["eventId"], "delivered", 1)
        assert delivery["response"] == {"status": 200, "body": ""}
        assert (await own.get(f"{path}/deliveries?status=dead,failing")).json()["deliveries"] == []
        assert (await own.get(f"{path}/deliveries?status=gone")).json()["code"] == "validation_failed"
        again = await own.post(f"{path}/deliveries/{sent['eventId']}/redeliver")
        assert (again.status_code, again.json()["attempts"]) == (200, 2)
        assert json.loads(await got.receive()) == sent
        for wrong in (f"{path}/deliveries/evt_none/redeliver", f"{path}x/deliveries/x/redeliver"):
            assert (await own.post(wrong)).status_code == 404
        assert (await budi.get(f"{path}/deliveries")).json()["code"] == "webhook_not_found"


async def test_a_test_event_tells_at_once_how_it_went(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        async with endpoint() as (url, got):
            made = await own.post("/api/webhooks", json={"url": url, "active": False})
            path = f"/api/webhooks/{made.json()['webhook']['id']}"
            outcome = (await own.post(f"{path}/test")).json()
            assert (outcome["delivered"], outcome["error"]) == (True, None)
            assert outcome["response"] == {"status": 200, "body": ""}
            sent = json.loads(got.receive_nowait())
            assert (sent["sessionId"], sent["event"]) == ("ana", "webhook.test")
        outcome = (await own.post(f"{path}/test")).json()
        assert (outcome["delivered"], outcome["response"]) == (False, None)
        assert outcome["error"] in {"no connection", "the connection broke off"}


async def test_what_happened_before_can_be_replayed_from_a_cursor_or_a_time(stage: Stage) -> None:
    async with await stage.session("ana") as own, endpoint() as (url, got):
        for number in range(4):
            await stage.event("ana", number)
        events = (await own.get("/api/events?events=messages.upsert")).json()["events"]
        made = await own.post("/api/webhooks", json={"url": url, "events": ["messages.upsert"]})
        path = f"/api/webhooks/{made.json()['webhook']['id']}/replay"
        for body, expected in [
            ({"after": events[0]["cursor"], "until": events[2]["cursor"]}, [1, 2]),
            ({"after": "2020-01-01T00:00:00Z"}, [0, 1, 2, 3]),
        ]:
            answer = await own.post(path, json=body)
            assert answer.status_code == 202
            with trio.fail_after(5):
                numbers = [json.loads(await got.receive())["data"]["number"] for _ in expected]
            assert numbers == expected
        wrong = await own.post(path, json={"after": "yesterday"})
        assert [error["path"] for error in wrong.json()["errors"]] == ["after"]


async def test_where_nobody_else_may_go_a_webhook_may_not_either(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        made = (await own.post("/api/webhooks", json=NEW)).json()
        for url in (
            "http://169.254.169.254/latest",
            "http://10.0.0.7/",
            "http://0xa000007/",
            "http://[::1]/",
        ):
            for answer in (
                await own.post("/api/webhooks", json={"url": url}),
                await own.patch(f"/api/webhooks/{made['webhook']['id']}", json={"url": url}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (422, "url_forbidden")


async def test_filters_are_checked_kept_and_taken_back(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        filters = {"chats": ["628110000002@s.whatsapp.net"], "fromMe": False, "types": ["text", "image"]}
        made = (await own.post("/api/webhooks", json={**NEW, "filters": filters})).json()
        webhook = made["webhook"]
        assert webhook["filters"] == filters
        assert webhook["circuit"] == {"state": "closed", "failures": 0, "openedAt": None}
        assert (webhook["sessionsHeld"], webhook["replay"]) == (0, None)
        path = f"/api/webhooks/{webhook['id']}"
        assert (await own.patch(path, json={"filters": {"fromMe": True}})).json()["filters"] == {
            "fromMe": True
        }
        assert (await own.patch(path, json={"filters": None})).json()["filters"] == {}
        bad: tuple[dict[str, Any], ...] = (
            {"chats": ["nobody"]},
            {"types": ["smoke"]},
            {"types": []},
            {"fromMe": 1},
            {"more": 1},
        )
        for wrong in bad:
            assert (await own.patch(path, json={"filters": wrong})).status_code == 400


async def test_options_are_checked_kept_and_taken_back(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        plain = (await own.post("/api/webhooks", json=NEW)).json()["webhook"]
        assert (plain["batch"], plain["format"]) == (None, "terzetto")
        given = {"batch": {"maxEvents": 50, "maxWaitMs": 200}, "format": "waha"}
        made = (await own.post("/api/webhooks", json={**NEW, **given})).json()["webhook"]
        assert (made["batch"], made["format"]) == (given["batch"], "waha")
        path = f"/api/webhooks/{made['id']}"
        changed = (await own.patch(path, json={"batch": {"maxEvents": 2}})).json()
        assert (changed["batch"], changed["format"]) == ({"maxEvents": 2, "maxWaitMs": 0}, "waha")
        back = (await own.patch(path, json={"batch": None, "format": None})).json()
        assert (back["batch"], back["format"]) == (None, "terzetto")
        for wrong, where in (
            ({"batch": {"maxEvents": 0}}, "batch.maxEvents"),
            ({"batch": {"maxEvents": 501}}, "batch.maxEvents"),
            ({"batch": {"maxEvents": 5, "maxWaitMs": 10_001}}, "batch.maxWaitMs"),
            ({"batch": {"maxWaitMs": 5}}, "batch.maxEvents"),
            ({"format": "xml"}, "format"),
        ):
            for answer in (
                await own.post("/api/webhooks", json={**NEW, **wrong}),
                await own.patch(path, json=wrong),
            ):
                assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, where)


async def test_a_test_event_has_the_shape_that_deliveries_have(stage: Stage) -> None:
    async with await stage.session("ana") as own, endpoint() as (url, got):
        made = await own.post(
            "/api/webhooks", json={"url": url, "batch": {"maxEvents": 5}, "format": "waha", "active": False}
        )
        path = f"/api/webhooks/{made.json()['webhook']['id']}"
        assert (await own.post(f"{path}/test")).json()["delivered"] is True
        (told,) = json.loads(got.receive_nowait())
        assert (told["event"], told["session"]) == ("webhook.test", "ana")
