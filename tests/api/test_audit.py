"""Who did what: every act on the gateway is in the record before it is answered."""

from typing import Any

import trio

from actors import errors
from actors.session.messages import Logout, Stop
from tests.api.stage import ADMIN_KEY, Stage


async def entries(stage: Stage, **query: Any) -> list[dict[str, Any]]:
    answer = await stage.client.get("/api/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_each_act_on_a_session_is_recorded_with_key_address_and_outcome(stage: Stage) -> None:
    made = (await stage.client.post("/api/sessions", json={"id": "ana", "name": "Ana"})).json()
    async with stage.client_with(made["apiKey"]) as own:
        for order in ("stop", "start", "restart", "logout"):
            assert (await own.post(f"/api/session/{order}")).is_success
        await own.patch("/api/session", json={"name": "Bu Ana", "deviceName": "Kasir"})
    answer = await stage.client.delete("/api/sessions/ana", headers={"x-request-id": "the-end"})
    assert answer.status_code == 204
    found = await entries(stage, target="ana")
    assert [entry["action"] for entry in found] == [
        "session.delete",
        "session.update",
        "session.logout",
        "session.restart",
        "session.start",
        "session.stop",
        "session.create",
    ]
    assert {entry["outcome"] for entry in found} == {"ok"}
    assert {entry["address"] for entry in found} == {"127.0.0.1"}
    by_admin, by_session, *_ = found
    assert by_admin["requestId"] == "the-end"
    assert by_admin["key"]["prefix"] == ADMIN_KEY[: len(by_admin["key"]["prefix"])]
    assert made["apiKey"].startswith(by_session["key"]["prefix"])
    assert by_session["key"]["id"] != by_admin["key"]["id"]
    assert by_session["detail"] == {"fields": ["deviceName", "name"]}


async def test_keys_and_webhooks_are_in_the_record_and_their_secrets_are_not(stage: Stage) -> None:
    made = (await stage.client.post("/api/keys", json={"name": "k"})).json()
    rotated = (await stage.client.post(f"/api/keys/{made['key']['id']}/rotate", json={})).json()
    await stage.client.delete(f"/api/keys/{rotated['key']['id']}")
    hook = (await stage.client.post("/api/webhooks", json={"url": "http://127.0.0.1:9/geheim"})).json()
    path = f"/api/webhooks/{hook['webhook']['id']}"
    changed = (await stage.client.post(f"{path}/rotate-secret", json={})).json()
    await stage.client.patch(path, json={"headers": {"x-token": "geheim"}})
    for order in ("pause", "resume"):
        await stage.client.post(f"{path}/{order}")
    await stage.client.delete(path)
    text = (await stage.client.get("/api/audit")).text
    found = await entries(stage)
    assert [entry["action"] for entry in found] == [
        "webhook.delete",
        "webhook.resume",
        "webhook.pause",
        "webhook.update",
        "webhook.rotate_secret",
        "webhook.create",
        "key.revoke",
        "key.rotate",
        "key.create",
    ]
    assert found[-2]["detail"] == {"newKeyId": rotated["key"]["id"], "graceSeconds": 0}
    for secret in (made["apiKey"], rotated["apiKey"], hook["secret"], changed["secret"], "geheim"):
        assert secret not in text


async def test_an_act_that_fails_is_recorded_with_the_code_of_its_answer(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        stage.scripts["ana"].answers[Logout] = errors.OutcomeUnknown(session_id="ana")
        assert (await own.post("/api/session/logout")).status_code == 504
        assert (await own.delete("/api/sessions/ana")).status_code == 403  # not admitted: no act
        assert (await own.post("/api/webhooks", json={"url": "nowhere"})).status_code == 400
    (entry,) = await entries(stage)
    assert (entry["action"], entry["outcome"]) == ("session.logout", "upstream_timeout")


async def test_who_does_not_wait_for_the_answer_is_recorded_all_the_same(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        asked, held = trio.Event(), trio.Event()

        async def hold(message: Any) -> None:
            asked.set()
            await held.wait()

        stage.scripts["ana"].answers[Stop] = hold
        with trio.CancelScope() as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(own.post, "/api/session/stop")
                await asked.wait()
                patience.cancel()

        async def noted() -> bool:
            return bool(await entries(stage, target="ana"))

        with trio.fail_after(5):
            while not await noted():
                await trio.sleep(0.01)
        held.set()
    (entry,) = await entries(stage, target="ana")
    assert entry["outcome"] == "client_gone"


async def test_it_is_read_by_page_action_and_target_and_by_admins_alone(stage: Stage) -> None:
    for name in ("ana", "budi"):
        await (await stage.session(name)).aclose()
        for order in ("stop", "start"):
            await stage.client.post(f"/api/sessions/{name}/{order}")
    first = (await stage.client.get("/api/audit?limit=3")).json()
    rest = (await stage.client.get("/api/audit", params={"cursor": first["cursor"]})).json()
    assert [entry["target"] for entry in first["entries"] + rest["entries"]] == ["budi"] * 2 + ["ana"] * 2
    assert rest["cursor"] is None
    chosen = await entries(stage, action="session.stop,session.logout", target="ana")
    assert [(entry["action"], entry["target"]) for entry in chosen] == [("session.stop", "ana")]
    assert (await stage.client.get("/api/audit?cursor=x")).json()["code"] == "validation_failed"
    async with stage.client_with(await stage.key(scopes=("control",))) as other:
        assert (await other.get("/api/audit")).json()["code"] == "scope_denied"


async def test_the_record_outlives_what_it_is_about(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    await stage.client.delete("/api/sessions/ana")
    assert [entry["action"] for entry in await entries(stage, target="ana")] == ["session.delete"]
