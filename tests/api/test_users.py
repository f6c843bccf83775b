"""Users: made, listed, changed and removed by admins."""

from typing import Any

import httpx
import pytest
import trio

from storage.writes import Delete
from tests.api.stage import PASSWORD, Stage

OTHER = "another battery horse"


async def made(stage: Stage, **fields: Any) -> httpx.Response:
    body = {"name": "ana", "password": PASSWORD, "role": "admin", **fields}
    return await stage.client.post("/api/users", json=body)


async def users(stage: Stage) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in (await stage.client.get("/api/users")).json()["users"]}


async def changed(stage: Stage, user_id: str, **changes: Any) -> httpx.Response:
    return await stage.client.patch(f"/api/users/{user_id}", json=changes)


async def may_sign_in(stage: Stage, name: str, password: str = PASSWORD) -> bool:
    async with stage.client_with(None) as client:
        answer = await client.post("/api/sign-in", json={"name": name, "password": password})
    assert answer.status_code in (200, 401), answer.text
    return answer.is_success


async def test_a_user_is_made_listed_changed_and_removed(stage: Stage) -> None:
    await stage.user("root")
    answer = await made(stage)
    assert answer.status_code == 201
    view = answer.json()
    assert {name: view[name] for name in view if name not in ("id", "createdAt")} == {
        "name": "ana",
        "role": "admin",
        "sessions": None,
        "disabled": False,
        "lastSignInAt": None,
    }
    assert list(await users(stage)) == ["ana", "root"]
    assert await may_sign_in(stage, "ana")
    path = f"/api/users/{view['id']}"
    answer = await stage.client.patch(path, json={"name": "anna", "role": "operator"})
    assert (answer.json()["name"], answer.json()["role"]) == ("anna", "operator")
    assert await may_sign_in(stage, "anna")
    assert not await may_sign_in(stage, "ana")
    assert (await stage.client.delete(path)).status_code == 204
    assert list(await users(stage)) == ["root"]
    for again in (await stage.client.delete(path), await stage.client.patch(path, json={"name": "x"})):
        assert (again.status_code, again.json()["code"]) == (404, "user_not_found")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "josé"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"password": "x" * 9}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"password": None}, "password"),
        ({"role": "owner"}, "role"),
        ({"role": "operator", "sessions": ["ana"]}, "sessions"),
        ({"role": "viewer", "sessions": ["a/b"]}, "sessions[0]"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_makes_no_user_is_refused_by_field(
    stage: Stage, fields: dict[str, Any], path: str
) -> None:
    answer = await made(stage, **fields)
    assert answer.status_code == 400
    assert [each["path"] for each in answer.json()["errors"]] == [path]
    assert "x" * 9 not in answer.text, "no password is said again"


async def test_no_two_names_differ_by_capitals_alone(stage: Stage) -> None:
    assert (await made(stage)).status_code == 201
    for name in ("ana", "Ana", "ANA"):
        answer = await made(stage, name=name)
        assert (answer.status_code, answer.json()["code"]) == (409, "user_exists")
    eva = (await made(stage, name="eva")).json()
    assert (await changed(stage, eva["id"], name="aNa")).json()["code"] == "user_exists"
    assert (await changed(stage, eva["id"], name="EVA")).json()["name"] == "EVA"


async def test_a_viewer_sees_sessions_that_there_are_and_none_that_gets_the_id_of_one_later(
    stage: Stage,
) -> None:
    for name in ("s1", "s2"):
        await (await stage.session(name)).aclose()
    missing = await made(stage, role="viewer", sessions=["s1", "s3"])
    assert (missing.status_code, missing.json()["code"]) == (404, "session_not_found")
    user = (await made(stage, role="viewer", sessions=["s1", "s2"])).json()
    assert user["sessions"] == ["s1", "s2"]
    async with stage.browser("ana") as browser:
        assert len((await browser.get("/api/sessions")).json()["sessions"]) == 2
        await stage.client.delete("/api/sessions/s2")
        await (await stage.session("s2")).aclose()
        listed = (await browser.get("/api/sessions")).json()["sessions"]
        assert [each["id"] for each in listed] == ["s1"]
        assert (await browser.get("/api/sessions/s2/status")).status_code == 403
        await changed(stage, user["id"], sessions=["s2"])
        assert (await browser.get("/api/sessions/s2/status")).is_success, "at once, signed in or not"
        assert (await browser.get("/api/sessions/s1/status")).status_code == 403
    assert (await changed(stage, user["id"], sessions=["s9"])).json()["code"] == "session_not_found"
    assert (await changed(stage, user["id"], sessions=None)).json()["sessions"] == []
    refused = await changed(stage, user["id"], role="operator", sessions=["s1"])
    assert refused.json()["errors"][0]["path"] == "sessions"
    await changed(stage, user["id"], sessions=["s1"])
    assert (await changed(stage, user["id"], role="operator")).json()["sessions"] is None
    assert (await changed(stage, user["id"], role="viewer")).json()["sessions"] == [], "it was taken away"


async def test_a_role_counts_at_once(stage: Stage) -> None:
    user = (await made(stage)).json()
    await stage.user("root")
    async with stage.browser("ana") as browser:
        assert (await browser.get("/api/users")).is_success
        await changed(stage, user["id"], role="operator")
        assert (await browser.get("/api/users")).json()["code"] == "scope_denied"
        assert (await browser.get("/api/me")).json()["role"] == "operator"


async def test_who_is_disabled_is_out_at_once_and_may_come_back_by_signing_in(stage: Stage) -> None:
    user = (await made(stage)).json()
    await stage.user("root")
    async with stage.browser("ana") as browser:
        assert (await changed(stage, user["id"], disabled=True)).json()["disabled"] is True
        assert (await browser.get("/api/me")).json()["code"] == "sign_in_expired"
        assert not await may_sign_in(stage, "ana")
        assert (await changed(stage, user["id"], disabled=True)).is_success
        assert (await changed(stage, user["id"], disabled=None)).json()["disabled"] is False
        assert (await browser.get("/api/me")).json()["code"] == "sign_in_expired", "what ended has ended"
    assert await may_sign_in(stage, "ana")


async def test_a_password_set_by_an_admin_counts_at_once_and_null_leaves_it(stage: Stage) -> None:
    user = (await made(stage)).json()
    async with stage.browser("ana") as browser:
        assert (await changed(stage, user["id"], password=None, name=None, role=None)).is_success
        assert (await browser.get("/api/me")).is_success
        assert (await changed(stage, user["id"], password=OTHER)).is_success
        assert (await browser.get("/api/me")).json()["code"] == "sign_in_expired"
    assert not await may_sign_in(stage, "ana")
    assert await may_sign_in(stage, "ana", OTHER)


async def test_there_is_always_an_admin_who_may_sign_in(stage: Stage) -> None:
    user = (await made(stage)).json()
    other = (await made(stage, name="eva")).json()
    assert (await changed(stage, other["id"], disabled=True)).is_success
    for answer in (
        await changed(stage, user["id"], role="viewer"),
        await changed(stage, user["id"], disabled=True),
        await stage.client.delete(f"/api/users/{user['id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert (await stage.client.delete(f"/api/users/{other['id']}")).status_code == 204, "it was disabled"
    assert (await changed(stage, user["id"], name="anna", password=OTHER, disabled=False)).is_success


async def test_two_admins_at_once_do_not_take_each_other_away(stage: Stage) -> None:
    ids = [(await made(stage, name=name)).json()["id"] for name in ("ana", "eva")]
    answers = []

    async def demote(user_id: str) -> None:
        answers.append((await changed(stage, user_id, role="operator")).status_code)

    # Nothing is written until whoever looks at the others has looked.
    await stage.services.root.suspend_child("writer")
    async with trio.open_nursery() as nursery:
        for user_id in ids:
            nursery.start_soon(demote, user_id)
        await trio.sleep(0.3)
        await stage.services.root.resume_child("writer")
    assert sorted(answers) == [200, 409]


async def test_what_is_done_to_users_is_in_the_record_without_their_passwords(stage: Stage) -> None:
    await stage.user("root")
    user = (await made(stage)).json()
    await changed(stage, user["id"], password=OTHER, role="operator", disabled=True)
    await stage.client.delete(f"/api/users/{user['id']}")
    await stage.client.delete("/api/users/usr_root")
    found = (await stage.client.get("/api/audit")).json()["entries"]
    assert [(each["action"], each["target"], each["outcome"], each["detail"]) for each in found] == [
        ("user.delete", user["id"], "ok", {"name": "ana"}),
        (
            "user.update",
            user["id"],
            "ok",
            {"fields": ["disabled", "password", "role"], "role": "operator", "disabled": True},
        ),
        ("user.create", user["id"], "ok", {"name": "ana", "role": "admin", "sessions": []}),
    ]


async def test_the_record_outlives_the_user(stage: Stage) -> None:
    user = await stage.user("ana")
    async with stage.browser("ana"):
        pass
    await stage.services.writer.call(Delete(type(user), user.id))
    (entry,) = (await stage.client.get("/api/audit")).json()["entries"]
    assert (entry["action"], entry["user"]) == ("user.sign_in", {"id": "usr_ana", "name": "ana"})
