"""Signing in with a name and a password, and what the cookie is good for."""

import dataclasses
import logging
from collections.abc import Mapping
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx
import psycopg
import pytest
import trio
from argon2.profiles import CHEAPEST

from actors.apikeys import digest
from actors.passwords import Passwords
from api.caller import UNUSED
from api.operation import OPERATIONS, At
from api.origin import is_own
from api.signin import LIFETIME, MOST_SIGN_INS
from api.tries import PAIR, Tries
from storage.rows import SignIn, User, now
from storage.writes import Delete, Update
from tests.api.stage import ADMIN_KEY, PASSWORD, Stage, running_api
from tests.api.test_events import ending, next_event, refusal, socket
from tests.api.test_roles import own, path_of
from tests.api.test_tries import Clock

OTHER = "another battery horse"
OURS = {"x-terzetto": "1"}


def cookie_in(answer: httpx.Response) -> "Morsel[str]":
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers["set-cookie"])["terzetto"]


async def sign_in(
    client: httpx.AsyncClient, name: str = "ana", password: str = PASSWORD, **headers: str
) -> httpx.Response:
    return await client.post("/api/sign-in", json={"name": name, "password": password}, headers=headers)


async def code(client: httpx.AsyncClient, path: str = "/api/me") -> str | None:
    answer = await client.get(path)
    return None if answer.is_success else str(answer.json()["code"])


async def sign_ins(stage: Stage, user_id: str = "usr_ana") -> list[SignIn]:
    return await stage.services.reads.sign_ins(user_id)


# What one gets


async def test_who_signs_in_gets_a_cookie_that_stands_in_for_a_key(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.client_with(None) as client:
        answer = await sign_in(client, "ANA")
        assert answer.status_code == 200
        assert answer.json()["user"]["name"] == "ana"
        assert answer.json()["user"]["lastSignInAt"] is not None
        assert answer.headers["cache-control"] == "no-store"
        me = (await client.get("/api/me")).json()
        assert {"admin", "read", "operate"} <= set(me.pop("scopes"))
        assert me == {
            "kind": "user",
            "id": "usr_ana",
            "name": "ana",
            "role": "admin",
            "sessions": None,
            "sandbox": False,
            "version": "1.2.3",
        }
        assert (await client.get("/api/sessions")).is_success
        made = await client.post("/api/sessions", json={"id": "s1", "name": "S"}, headers=OURS)
        assert made.status_code == 201
        assert (await client.get("/metrics")).is_success


async def test_a_key_too_may_ask_who_it_is(stage: Stage) -> None:
    async with await stage.session("s1") as client:
        me = (await client.get("/api/me")).json()
    assert (me["kind"], me["role"], me["sessions"]) == ("key", None, ["s1"])
    assert set(me["scopes"]) == {
        *("read", "send", "control", "settings", "media", "delete"),
        *("status", "files"),
    }


@pytest.mark.parametrize(
    ("configured", "origin", "secure"),
    [(False, "http://HOST", False), (False, "https://HOST", True), (True, "http://HOST", True)],
)
async def test_the_cookie_is_for_the_browser_alone_and_of_our_site(
    database: str, tmp_path: Path, configured: bool, origin: str, secure: bool
) -> None:
    async with running_api(database, tmp_path, secure_cookies=configured) as stage:
        await stage.user("ana")
        async with stage.client_with(None) as client:
            host = f"{stage.address[0]}:{stage.address[1]}"
            answer = await sign_in(client, origin=origin.replace("HOST", host))
            cookie = cookie_in(answer)
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "")
    assert bool(cookie["secure"]) is secure
    assert int(cookie["max-age"]) == LIFETIME.total_seconds()
    assert len(cookie.value) >= 43, "256 bits"


async def test_only_the_cookies_hash_is_stored(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        token = browser.cookies["terzetto"]
    (row,) = await sign_ins(stage)
    assert row.hash == digest(token)
    assert row.address == "127.0.0.1"


async def test_with_a_key_and_a_cookie_the_key_counts(stage: Stage) -> None:
    await stage.user("ana")
    reader = await stage.key(scopes=("read",))
    async with stage.browser("ana") as browser:
        assert (await browser.get("/api/me", headers={"x-api-key": reader})).json()["kind"] == "key"
        assert (await browser.get("/api/me", headers={"x-api-key": "tz_x"})).json()["code"] == "key_invalid"
        assert (await browser.get("/api/me", headers={"x-api-key": ""})).json()["kind"] == "user"
        del browser.headers["x-terzetto"]
        made = await browser.post("/api/keys", json={"name": "k"}, headers={"x-api-key": ADMIN_KEY})
        assert made.status_code == 201, "a key needs no page of ours"


# What one does not get


async def test_all_that_can_be_wrong_is_answered_alike(stage: Stage) -> None:
    await stage.user("ana")
    await stage.user("gone", disabled_at=now())
    answers = []
    async with stage.client_with(None) as client:
        for name, password in (
            ("ana", "wrong password"),
            ("ana", PASSWORD.upper()),
            ("ana", f"{PASSWORD} "),
            ("ana", ""),
            ("ana", PASSWORD + "x" * 5000),
            ("gone", PASSWORD),
            ("nobody", PASSWORD),
            ("not a name!", PASSWORD),
        ):
            answer = await sign_in(client, name, password)
            assert "set-cookie" not in answer.headers
            problem = answer.json()
            del problem["requestId"]
            answers.append((answer.status_code, problem, answer.headers["www-authenticate"]))
        assert all(each == answers[0] for each in answers)
        assert answers[0][0] == 401
        assert answers[0][1]["code"] == "sign_in_failed"
        assert await code(client) == "key_missing"
        for body in ({}, {"name": "ana"}, {"name": "ana", "password": 7}, {"name": "a\nb", "password": "x"}):
            assert (await client.post("/api/sign-in", json=body)).json()["code"] == "validation_failed"


async def test_a_wrong_name_is_compared_as_long_as_a_wrong_password(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.user("ana")
    compared = []

    class Watched(Passwords):
        async def fit(self, plain: str, stored: str | None) -> bool:
            compared.append(stored is None)
            return await super().fit(plain, stored)

    object.__setattr__(stage.services, "passwords", Watched(CHEAPEST))
    async with stage.client_with(None) as client:
        for name in ("ana", "nobody"):
            assert (await sign_in(client, name, "wrong password")).status_code == 401
    assert compared == [False, True]


async def test_failed_tries_are_slowed_down_and_a_success_forgets_them(database: str, tmp_path: Path) -> None:
    clock = Clock()
    async with running_api(database, tmp_path, tries=Tries(clock)) as stage:
        await stage.user("ana")
        async with stage.client_with(None) as client:
            for _ in range(PAIR.free):
                assert (await sign_in(client, "ana", "wrong password")).status_code == 401
            for wait in (1, 2, 4):
                refused = await sign_in(client, "ana", PASSWORD)
                assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tries")
                assert refused.headers["retry-after"] == str(wait)
                assert refused.json()["retryAfterMs"] == wait * 1000
                clock.time += wait
                assert (await sign_in(client, "ana", "wrong password")).status_code == 401
            clock.time += 8
            assert (await sign_in(client, "ana", PASSWORD)).status_code == 200
            for _ in range(PAIR.free):
                assert (await sign_in(client, "ana", "wrong password")).status_code == 401
            assert (await sign_in(client, "ana", PASSWORD)).status_code == 429
            patched = await stage.client.patch("/api/users/usr_ana", json={"password": OTHER})
            assert patched.is_success
            assert (await sign_in(client, "ana", OTHER)).status_code == 200, "nobody has tried this one"


async def test_who_wants_the_current_password_found_out_is_slowed_down_too(
    database: str, tmp_path: Path
) -> None:
    async with running_api(database, tmp_path, tries=Tries(Clock())) as stage:
        await stage.user("ana")
        async with stage.browser("ana") as browser:
            body = {"current": "wrong password", "password": OTHER}
            for _ in range(PAIR.free):
                answer = await browser.post("/api/me/password", json=body)
                assert answer.json()["errors"] == [{"path": "current", "message": "is not your password"}]
            assert (await browser.post("/api/me/password", json=body)).json()["code"] == "too_many_tries"


# How it ends


async def test_signing_out_ends_this_sign_in_alone(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser, stage.browser("ana") as other:
        token = browser.cookies["terzetto"]
        answer = await browser.post("/api/sign-out")
        assert answer.status_code == 204
        assert (cookie_in(answer).value, cookie_in(answer)["max-age"]) == ("", "0")
        assert await code(browser) == "key_missing"
        assert await code(other) is None
        browser.cookies.set("terzetto", token)
        assert await code(browser) == "sign_in_expired", "who kept it has nothing"
    assert (await stage.client.post("/api/sign-out")).status_code == 204, "a key has nothing to end"
    assert await code(stage.client) is None


@pytest.mark.parametrize(
    ("row", "good"),
    [
        ({"expires_at": timedelta(seconds=-1)}, False),
        ({"expires_at": timedelta(minutes=1)}, True),
        ({"last_seen_at": -UNUSED}, False),
        ({"last_seen_at": -UNUSED + timedelta(minutes=1)}, True),
    ],
)
async def test_a_sign_in_ends_when_its_time_is_over_or_it_is_not_used(
    stage: Stage, row: Mapping[str, timedelta], good: bool
) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        (stored,) = await sign_ins(stage)
        assert stored.expires_at - stored.created_at == LIFETIME
        changes = {name: now() + by for name, by in row.items()}
        await stage.services.writer.call(Update(SignIn, stored.id, changes))
        answer = await browser.get("/api/me")
        assert answer.is_success is good
        if not good:
            assert answer.json()["code"] == "sign_in_expired"
            assert answer.headers["www-authenticate"] == "Cookie"


async def test_its_use_is_noted_a_minute_exact(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        (before,) = await sign_ins(stage)
        await browser.get("/api/me")
        assert (await sign_ins(stage)) == [before]
        past = before.last_seen_at - timedelta(days=3)
        await stage.services.writer.call(Update(SignIn, before.id, {"last_seen_at": past}))
        await browser.get("/api/me")
        with trio.fail_after(5):
            while (await sign_ins(stage))[0].last_seen_at < before.last_seen_at:
                await trio.sleep(0.01)


async def test_a_new_password_ends_all_sign_ins_but_the_one_that_set_it(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser, stage.browser("ana") as other:
        before = browser.cookies["terzetto"]
        answer = await browser.post("/api/me/password", json={"current": PASSWORD, "password": OTHER})
        assert answer.status_code == 204
        assert browser.cookies["terzetto"] != before
        assert await code(browser) is None
        assert await code(other) == "sign_in_expired"
        assert (await sign_in(other, "ana", PASSWORD)).status_code == 401
        assert (await sign_in(other, "ana", OTHER)).status_code == 200
        for wrong in ("short", "x" * 257):
            refused = await browser.post("/api/me/password", json={"current": OTHER, "password": wrong})
            assert refused.json()["errors"][0]["path"] == "password"
    key = await stage.client.post("/api/me/password", json={"current": OTHER, "password": PASSWORD})
    assert key.json()["code"] == "scope_denied"


async def test_a_browser_has_one_sign_in_and_a_user_only_so_many(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        for _ in range(3):
            assert (await sign_in(browser)).status_code == 200
        assert len(await sign_ins(stage)) == 1
        for _ in range(MOST_SIGN_INS + 3):
            async with stage.client_with(None) as another:
                assert (await sign_in(another)).status_code == 200
        assert len(await sign_ins(stage)) == MOST_SIGN_INS
        assert await code(browser) == "sign_in_expired", "the oldest gave way"


@pytest.mark.parametrize("write", [Update(User, "usr_ana", {"password": "other"}), Delete(User, "usr_ana")])
async def test_nobody_gets_in_by_a_password_that_is_none_any_more_when_it_has_been_compared(
    stage: Stage, write: Update | Delete
) -> None:
    await stage.user("ana")

    class Slow(Passwords):
        async def fit(self, plain: str, stored: str | None) -> bool:
            fits = await super().fit(plain, stored)
            await stage.services.writer.call(write)
            return fits

    object.__setattr__(stage.services, "passwords", Slow(CHEAPEST))
    async with stage.client_with(None) as client:
        answer = await sign_in(client)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_failed")
        assert "set-cookie" not in answer.headers
    assert await sign_ins(stage) == []


async def test_a_cookie_of_any_bytes_is_no_ones(stage: Stage) -> None:
    async with stage.client_with(None) as client:
        for value in (b"x", b"", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"a b", b"\\377", b"x" * 8000):
            answer = await client.get("/api/me", headers={b"cookie": b"terzetto=" + value})
            assert answer.status_code == 401, value


async def test_a_hash_of_another_cost_is_made_anew(stage: Stage) -> None:
    await stage.user("ana")
    dearer = dataclasses.replace(CHEAPEST, time_cost=2)
    object.__setattr__(stage.services, "passwords", Passwords(dearer))
    async with stage.browser("ana") as browser:
        assert await code(browser) is None
    stored = await stage.services.reads.user("usr_ana")
    assert stored is not None
    assert ",t=2," in stored.password
    async with stage.browser("ana"):
        again = await stage.services.reads.user("usr_ana")
        assert again is not None
        assert again.password == stored.password


# Pages of others


async def test_what_changes_something_by_a_cookie_comes_from_a_page_of_ours(stage: Stage) -> None:
    await stage.user("ana")
    writes = [each for each in OPERATIONS if each.method != "GET" and each.at is not At.ROOT]
    async with stage.browser("ana") as browser:
        host = f"{stage.address[0]}:{stage.address[1]}"
        del browser.headers["x-terzetto"]
        for declared in writes:
            path = path_of(declared.rules[-1], "ana")
            for headers in (
                {},
                {"origin": f"http://{host}"},
                {"x-terzetto": "0"},
                {**OURS, "origin": "http://elsewhere.example"},
                {**OURS, "origin": f"http://{stage.address[0]}:1"},
                {**OURS, "origin": "null"},
            ):
                answer = await browser.request(declared.method, path, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf_denied"), (path, headers)
        for headers in (OURS, {**OURS, "origin": f"http://{host}"}, {**OURS, "origin": f"https://{host}"}):
            assert (await browser.patch("/api/users/usr_ana", json={}, headers=headers)).is_success
        assert (await browser.get("/api/me", headers={"origin": "http://elsewhere.example"})).is_success
        assert (await browser.head("/api/me")).is_success


async def test_nobody_is_signed_in_by_another_site(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.client_with(None) as client:
        answer = await sign_in(client, origin="http://elsewhere.example")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_denied")
        form = await client.post("/api/sign-in", data={"name": "ana", "password": PASSWORD})
        assert form.status_code == 415
    assert await sign_ins(stage) == []


@pytest.mark.parametrize(
    ("origin", "host", "own_page"),
    [
        ("http://gateway.example", "gateway.example", True),
        ("https://gateway.example", "gateway.example", True),
        ("https://gateway.example", "gateway.example:443", True),
        ("https://gateway.example:8443", "gateway.example:8443", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://Gateway.Example", "gateway.example", True),
        ("https://gateway.example", "gateway.example:80", False),
        ("http://gateway.example:8080", "gateway.example", False),
        ("http://gateway.example", "gateway.example:8080", False),
        ("http://localhost:8080", "127.0.0.1:8080", False),
        ("https://gateway.example.evil.example", "gateway.example", False),
        ("https://evil.example", "gateway.example", False),
        ("null", "gateway.example", False),
        ("", "", False),
        ("http://", "", False),
        ("chrome-extension://gateway.example", "gateway.example", False),
        ("http://gateway.example:99999", "gateway.example:99999", False),
        ("http://[::1", "[::1", False),
    ],
)
def test_a_page_is_ours_by_host_and_port(origin: str, host: str, own_page: bool) -> None:
    assert is_own(origin, host) is own_page


# WebSockets


async def test_a_websocket_is_opened_by_the_cookie_from_our_pages_alone(stage: Stage) -> None:
    await stage.user("ana")
    await (await stage.session("s1")).aclose()
    async with stage.browser("ana") as browser:
        ours = own(stage, browser)
    for headers in (
        {"cookie": ours["cookie"]},
        {**ours, "origin": "http://elsewhere.example"},
        {**ours, "origin": "http://x:8080"},
        {**ours, "origin": "null"},
    ):
        for path in ("/api/ws", "/api/tree/ws"):
            assert await refusal(stage, None, headers=headers, path=path) == (403, "csrf_denied")
    gone = {**ours, "cookie": "terzetto=x"}
    assert await refusal(stage, None, headers=gone) == (401, "sign_in_expired")
    async with socket(stage, None, headers=ours, events="messages.upsert") as connection:
        await stage.event("s1", 7)
        assert (await next_event(connection))["data"] == {"number": 7}


@pytest.mark.parametrize("how", ["sign-out", "disabled", "deleted", "password"])
async def test_a_websocket_ends_with_its_sign_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("api.following.CHECK", 0.05)
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        headers = own(stage, browser)
        async with (
            socket(stage, None, headers=headers) as events,
            socket(stage, None, headers=headers, path="/api/tree/ws") as tree,
        ):
            match how:
                case "sign-out":
                    await browser.post("/api/sign-out")
                case "disabled":
                    await stage.user("eva")
                    await stage.client.patch("/api/users/usr_ana", json={"disabled": True})
                case "deleted":
                    await stage.user("eva")
                    await stage.client.delete("/api/users/usr_ana")
                case "password":
                    await stage.client.patch("/api/users/usr_ana", json={"password": OTHER})
            for connection in (events, tree):
                assert await ending(connection) == (4401, "sign_in_expired")


async def test_a_websocket_ends_when_its_user_may_less(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.following.CHECK", 0.05)
    for name in ("s1", "s2"):
        await (await stage.session(name)).aclose()
    await stage.user("ana", "viewer", sessions=("s1", "s2"))
    async with stage.browser("ana") as browser:
        headers = own(stage, browser)
    async with socket(stage, None, headers=headers, events="messages.upsert") as connection:
        await stage.client.patch("/api/users/usr_ana", json={"sessions": ["s1", "s2"]})
        await trio.sleep(0.2)
        await stage.event("s2", 1)
        assert (await next_event(connection))["data"] == {"number": 1}
        await stage.client.patch("/api/users/usr_ana", json={"sessions": ["s1"]})
        assert await ending(connection) == (4401, "scope_denied")
    async with socket(stage, None, headers=headers) as connection:
        await stage.client.patch("/api/users/usr_ana", json={"role": "operator"})
        assert await ending(connection) == (4401, "scope_denied")


async def test_a_users_websockets_are_counted_as_a_keys_are(database: str, tmp_path: Path) -> None:
    async with running_api(database, tmp_path, listeners_per_key=1) as stage:
        await stage.user("ana")
        await stage.user("eva")
        await (await stage.session("s1")).aclose()
        async with stage.browser("ana") as browser, stage.browser("eva") as other:
            mine, others = own(stage, browser), own(stage, other)
        async with socket(stage, None, headers=mine):
            with trio.fail_after(5):
                while stage.services.listeners.count < 1:
                    await trio.sleep(0.01)
            assert await refusal(stage, None, headers=mine) == (429, "too_many_listeners")
            async with socket(stage, None, headers=others, after="0") as connection:
                await stage.event("s1", 1)
                await next_event(connection)


# Traces


async def test_what_a_user_does_is_in_the_audit_record_by_name(stage: Stage) -> None:
    await stage.user("ana")
    async with stage.browser("ana") as browser:
        await browser.post("/api/sessions", json={"id": "s1", "name": "S"})
        await browser.post("/api/sign-out")
    found = (await stage.client.get("/api/audit")).json()["entries"]
    assert [(each["action"], each["user"], each["key"]) for each in found] == [
        ("user.sign_out", {"id": "usr_ana", "name": "ana"}, None),
        ("session.create", {"id": "usr_ana", "name": "ana"}, None),
        ("user.sign_in", {"id": "usr_ana", "name": "ana"}, None),
    ]


async def test_an_idempotency_key_is_the_users_own(stage: Stage) -> None:
    await stage.user("ana")
    headers = {"idempotency-key": "once"}
    async with stage.browser("ana") as browser:
        first = await browser.post("/api/keys", json={"name": "k"}, headers=headers)
        again = await browser.post("/api/keys", json={"name": "k"}, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    by_key = await stage.client.post("/api/keys", json={"name": "k"}, headers=headers)
    assert by_key.json()["key"]["id"] != first.json()["key"]["id"]


async def test_no_password_and_no_cookie_reaches_log_audit_errors_or_any_other_table(
    stage: Stage, caplog: pytest.LogCaptureFixture, database: str
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    once = {"idempotency-key": "once"}
    new = {"name": "ana", "password": PASSWORD, "role": "admin"}
    made = await stage.client.post("/api/users", json=new, headers=once)
    told += [made, await stage.client.post("/api/users", json=new, headers=once)]
    assert told[-1].json()["code"] == "user_exists", "no answer is kept of what carries a password"
    path = f"/api/users/{made.json()['id']}"
    async with stage.client_with(None) as client:
        told += [
            await sign_in(client, "ana", PASSWORD, **once),
            await sign_in(client, PASSWORD, PASSWORD),
            await sign_in(client, "ana", OTHER),
            await client.post("/api/sign-in", json={"name": "ana", "password": [PASSWORD]}),
            await client.post("/api/sign-in", json={"name": ["a"], "password": PASSWORD}),
            await client.post(
                "/api/me/password", json={"current": PASSWORD, "password": OTHER}, headers=OURS | once
            ),
            await client.post("/api/me/password", json={"current": PASSWORD, "password": "x"}, headers=OURS),
            await client.get("/api/me"),
        ]
        token = client.cookies["terzetto"]
    told += [
        await stage.client.patch(path, json={"password": PASSWORD}, headers=once),
        await stage.client.get("/api/users"),
        await stage.client.get("/api/audit"),
    ]
    with psycopg.connect(database) as connection:
        tables = ("sessions", "keys", "users", "sign_ins", "events", "messages", "audit", "claims")
        stored = [str(row) for table in tables for row in connection.execute(f"TABLE {table}".encode())]
    ours = [each for each in caplog.records if not each.name.startswith("http")]
    logged = [each.getMessage() for each in ours]
    answered = [each.text for each in told]
    for secret in (PASSWORD, OTHER, token):
        assert [text for text in (*logged, *stored, *answered) if secret in text] == []
    assert any("user=ana" in text for text in logged)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)
