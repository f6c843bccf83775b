"""Who may do what: keys, scopes, addresses, expiry, revocation and rotation."""

from datetime import UTC, datetime, timedelta

import attrs
import httpx
import pytest
import trio

from api.caller import Caller, Scope, acting_across, acting_on, check_key
from api.refusals import (
    AddressDenied,
    KeyExpired,
    KeyInvalid,
    KeyRevoked,
    Refusal,
    ScopeDenied,
    ValidationFailed,
)
from storage.rows import Key
from tests.api.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def key(**fields: object) -> Key:
    return Key(**{"id": "k", "prefix": "tz_", "hash": b"", "scopes": ("read",), **fields})  # type: ignore[arg-type]


def calling(**fields: object) -> Caller:
    """Who calls with such a key."""
    return check_key(key(**fields), scope=None, address=None, at=NOW)


CHECKS: list[tuple[Key | None, Scope | None, str | None, type[Refusal] | None]] = [
    (None, Scope.READ, "::1", KeyInvalid),
    (key(), Scope.READ, "::1", None),
    (key(), None, "::1", None),
    (key(), Scope.SEND, "::1", ScopeDenied),
    (key(scopes=("admin",)), Scope.SEND, "::1", None),
    (key(scopes=("admin",), session_id="ana"), Scope.ADMIN, "::1", ScopeDenied),
    (key(revoked_at=NOW), Scope.READ, "::1", KeyRevoked),
    (key(revoked_at=NOW + SECOND), Scope.READ, "::1", None),
    (key(expires_at=NOW), Scope.READ, "::1", KeyExpired),
    (key(expires_at=NOW + SECOND), Scope.READ, "::1", None),
    (key(expires_at=NOW, revoked_at=NOW), Scope.SEND, "::1", KeyRevoked),
    (key(allowed_ips=("10.0.0.0/8",)), Scope.READ, "10.1.2.3", None),
    (key(allowed_ips=("10.0.0.0/8",)), Scope.READ, "::ffff:10.1.2.3", None),
    (key(allowed_ips=("10.0.0.0/8", "fd00::/8")), Scope.READ, "fd00::1%eth0", None),
    (key(allowed_ips=("10.0.0.0/8",)), Scope.READ, "11.1.2.3", AddressDenied),
    (key(allowed_ips=("10.0.0.0/8",)), Scope.READ, "<local>", AddressDenied),
    (key(allowed_ips=("10.0.0.0/8",)), Scope.READ, None, AddressDenied),
]


@pytest.mark.parametrize(("stored", "scope", "address", "refusal"), CHECKS)
def test_a_key_allows_what_it_says_and_no_more(
    stored: Key | None, scope: Scope | None, address: str | None, refusal: type[Refusal] | None
) -> None:
    if refusal is None:
        assert check_key(stored, scope=scope, address=address, at=NOW).id == "k"
    else:
        with pytest.raises(refusal):
            check_key(stored, scope=scope, address=address, at=NOW)


def test_a_session_s_key_acts_on_its_session_alone() -> None:
    own = calling(session_id="ana")
    assert acting_on(own, None, None) == acting_on(own, "ana", None) == acting_on(own, "ana", "ana") == "ana"
    with pytest.raises(ScopeDenied):
        acting_on(own, None, "budi")


def test_a_key_of_no_session_names_exactly_one() -> None:
    every = calling()
    assert (
        acting_on(every, "ana", None)
        == acting_on(every, None, "ana")
        == acting_on(every, "ana", "ana")
        == "ana"
    )
    for named in ((None, None), ("ana", "budi")):
        with pytest.raises(ValidationFailed):
            acting_on(every, *named)


def test_what_may_be_about_several_is_about_all_of_the_callers_unless_one_is_named() -> None:
    every, own = calling(), calling(session_id="ana")
    assert acting_across(every, None, None) is None
    assert acting_across(every, None, "ana") == acting_across(own, None, None) == frozenset({"ana"})
    several = attrs.evolve(own, sessions=frozenset({"ana", "budi"}))
    assert acting_across(several, None, None) == frozenset({"ana", "budi"})
    assert acting_across(several, "budi", None) == frozenset({"budi"})
    assert acting_on(several, "budi", None) == "budi"
    with pytest.raises(ScopeDenied):
        acting_across(several, None, "citra")
    with pytest.raises(ValidationFailed):
        acting_on(several, None, None)
    nobody = attrs.evolve(own, sessions=frozenset())
    assert acting_across(nobody, None, None) == frozenset()
    with pytest.raises(ScopeDenied):
        acting_on(nobody, None, None)


async def code_of(client: httpx.AsyncClient, path: str = "/api/version") -> tuple[int, str | None]:
    answer = await client.get(path)
    return answer.status_code, None if answer.is_success else answer.json()["code"]


async def test_each_way_a_key_can_be_bad_has_its_code(stage: Stage) -> None:
    past = datetime.now(UTC) - SECOND
    expired = await stage.key(expires_at=past)
    revoked = await stage.key(revoked_at=past)
    elsewhere = await stage.key(allowed_ips=("10.0.0.0/8",))
    reader = await stage.key(scopes=("read",))
    for given, path, expected in [
        (None, "/api/version", (401, "key_missing")),
        ("", "/api/version", (401, "key_missing")),
        ("tz_guess", "/api/version", (401, "key_invalid")),
        ("schl\u00fcssel", "/api/version", (401, "key_invalid")),
        (expired, "/api/version", (401, "key_expired")),
        (revoked, "/api/version", (401, "key_revoked")),
        (elsewhere, "/api/version", (403, "ip_denied")),
        (reader, "/api/version", (200, None)),
        (reader, "/api/keys", (403, "scope_denied")),
    ]:
        async with stage.client_with(None) as client:
            headers = {} if given is None else {b"x-api-key": given.encode("latin-1")}
            answer = await client.get(path, headers=headers)
            code = None if answer.is_success else answer.json()["code"]
            assert (answer.status_code, code) == expected
            assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


async def test_the_client_s_headers_do_not_change_its_address(stage: Stage) -> None:
    elsewhere = await stage.key(allowed_ips=("10.0.0.0/8",))
    headers = {"x-forwarded-for": "10.0.0.1", "remote-addr": "10.0.0.1", "forwarded": "for=10.0.0.1"}
    async with stage.client_with(elsewhere) as client:
        assert (await client.get("/api/version", headers=headers)).json()["code"] == "ip_denied"


async def test_one_session_s_key_reaches_no_other_session(stage: Stage) -> None:
    async with await stage.session("ana") as ana, await stage.session("budi"):
        assert await code_of(ana, "/api/sessions/ana/status") == (200, None)
        assert await code_of(ana, "/api/sessions/budi/status") == (403, "scope_denied")
        assert await code_of(ana, "/api/sessions/nobody/status") == (403, "scope_denied")
        listed = (await ana.get("/api/sessions")).json()["sessions"]
        assert [session["id"] for session in listed] == ["ana"]
        assert await code_of(ana, "/api/keys") == (403, "scope_denied")
        assert await code_of(ana, "/api/tree") == (403, "scope_denied")


async def test_a_new_key_is_shown_once_works_and_is_gone_when_revoked(stage: Stage) -> None:
    made = await stage.client.post(
        "/api/keys", json={"name": "CI", "scopes": ["read"], "allowedIps": ["127.0.0.1"]}
    )
    assert made.status_code == 201
    plain, shown = made.json()["apiKey"], made.json()["key"]
    assert plain.startswith(shown["prefix"])
    assert shown["scopes"] == ["read"]
    async with stage.client_with(plain) as client:
        assert await code_of(client) == (200, None)
        with trio.fail_after(2):
            while (row := await stage.services.reads.key(shown["id"])) is None or row.last_used_at is None:
                await trio.sleep(0.01)
        listed = await stage.client.get("/api/keys")
        assert plain not in listed.text
        assert shown["id"] in {each["id"] for each in listed.json()["keys"]}
        for _ in range(2):
            assert (await stage.client.delete(f"/api/keys/{shown['id']}")).status_code == 204
        assert await code_of(client) == (401, "key_revoked")
    assert (await stage.client.delete("/api/keys/none")).json()["code"] == "key_not_found"


async def test_rotation_gives_the_old_key_its_grace_and_keeps_scopes(stage: Stage) -> None:
    made = (await stage.client.post("/api/keys", json={"name": "CI", "scopes": ["read"]})).json()
    path = f"/api/keys/{made['key']['id']}/rotate"
    second = (await stage.client.post(path, json={"graceSeconds": 600})).json()
    assert second["key"]["scopes"] == ["read"]
    async with stage.client_with(made["apiKey"]) as old, stage.client_with(second["apiKey"]) as new:
        assert await code_of(old) == await code_of(new) == (200, None)
        await stage.client.post(path)  # without grace: from now on
        assert await code_of(old) == (401, "key_revoked")
        assert await code_of(new) == (200, None)


async def test_a_session_rotates_its_own_key_and_an_admin_does_it_for_a_session(stage: Stage) -> None:
    async with await stage.session("ana") as first:
        second = stage.client_with((await first.post("/api/session/keys/rotate")).json()["apiKey"])
        assert await code_of(first) == (401, "key_revoked")
        third = stage.client_with((await stage.client.post("/api/sessions/ana/keys/rotate")).json()["apiKey"])
        assert await code_of(second) == (401, "key_revoked")
        assert await code_of(third, "/api/session/status") == (200, None)
        await second.aclose()
        await third.aclose()
    missing = await stage.client.post("/api/sessions/nobody/keys/rotate")
    assert (missing.status_code, missing.json()["code"]) == (404, "session_not_found")


async def test_keys_that_could_not_work_are_not_made(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    for body, path in [
        ({}, "name"),
        ({"name": "a", "scopes": ["rule"]}, "scopes[0]"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["admin"], "sessionId": "ana"}, "scopes"),
        ({"name": "a", "allowedIps": ["localhost"]}, "allowedIps[0]"),
        ({"name": "a", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "a", "expiresAt": "2099-01-01T00:00:00"}, "expiresAt"),
    ]:
        answer = await stage.client.post("/api/keys", json=body)
        assert answer.status_code == 400, body
        assert [error["path"] for error in answer.json()["errors"]] == [path]
    answer = await stage.client.post("/api/keys", json={"name": "a", "sessionId": "nobody"})
    assert answer.json()["code"] == "session_not_found"
