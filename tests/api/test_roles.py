"""What each role may and may not, of every operation there is."""

import re
from datetime import timedelta

import httpx
import pytest
import trio

from actors.directory import SESSION_SCOPES
from actors.errors import SessionRestarting
from actors.session.messages import Perform
from api.caller import Scope, implied
from api.operation import OPERATIONS, At, Operation
from storage.rows import Message, MessageStatus, now
from storage.writes import Append, NewEvent, StoreMessage
from tests.api.stage import Stage
from tests.api.test_events import next_event, refusal, socket

_PARTS = {"jid": "628123456789@s.whatsapp.net", "phone": "628123456789", "path": "hub"}

_IN_SESSION = "/api/sessions/<session_id>"

OPERATOR = {
    "GET /api/version",
    "GET /api/me",
    "POST /api/me/password",
    "POST /api/sign-out",
    "GET /api/overview",
    "GET /api/sessions",
    f"GET {_IN_SESSION}",
    f"GET {_IN_SESSION}/status",
    f"GET {_IN_SESSION}/me",
    f"GET {_IN_SESSION}/health",
    f"GET {_IN_SESSION}/timeline",
    f"GET {_IN_SESSION}/qr",
    f"POST {_IN_SESSION}/pairing-code",
    f"POST {_IN_SESSION}/start",
    f"POST {_IN_SESSION}/stop",
    f"POST {_IN_SESSION}/restart",
    f"POST {_IN_SESSION}/logout",
    "GET /api/nodes",
    "GET /api/tree",
    "GET /api/tree/<path>",
    "POST /api/tree/<path>/<act>",
    "GET /api/dead-letters",
    "GET /api/sinks",
    "GET /api/audit",
}
"""All that an operator may."""

VIEWER_WRITES = {
    "POST /api/me/password",
    "POST /api/sign-out",
    f"POST {_IN_SESSION}/contacts/check",
    f"POST {_IN_SESSION}/presence/subscribe",
    f"POST {_IN_SESSION}/channels/<jid>/subscribe",
    f"POST {_IN_SESSION}/chats/<jid>/history",
}
"""All that a viewer may ask for by another method than GET: nothing of it changes or sends anything."""

VIEWER_DENIED_READS = {
    "GET /api/keys",
    "GET /api/users",
    "GET /api/audit",
    "GET /api/sinks",
    "GET /api/nodes",
    "GET /api/tree",
    "GET /api/tree/<path>",
    "GET /api/dead-letters",
    f"GET {_IN_SESSION}/qr",
}

ASKED = [each for each in OPERATIONS if each.at is not At.ROOT]


def name_of(declared: Operation) -> str:
    """Its method and its last rule, whose parts have no kinds."""
    return f"{declared.method} " + re.sub(r"<(?:[^:>]+:)?(\w+)>", r"<\1>", declared.rules[-1])


def path_of(rule: str, session_id: str) -> str:
    """A path that fits the rule."""

    def part(found: re.Match[str]) -> str:
        kind, arguments, name = found.groups()
        if kind == "any":
            return str(arguments).partition(",")[0]
        return {"session_id": session_id}.get(name) or _PARTS.get(name) or "7"

    return re.sub(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>", part, rule)


async def asked(
    client: httpx.AsyncClient, declared: Operation, session_id: str = "ana", **headers: str
) -> httpx.Response:
    """Ask for an operation so that nothing is done if that is allowed."""
    # So long a key and such a body are refused, but not before it was looked at who asks.
    headers = {"idempotency-key": "x" * 300, "content-type": "application/json", **headers}
    return await client.request(
        declared.method, path_of(declared.rules[-1], session_id), headers=headers, content=b"["
    )


def code(answer: httpx.Response) -> str | None:
    return None if answer.is_success else answer.json()["code"]


async def allowed(client: httpx.AsyncClient) -> set[str]:
    """All that a client may."""
    found = set()
    for declared in ASKED:
        answer = await asked(client, declared)
        assert answer.status_code not in (401, 500), (name_of(declared), answer.text)
        if code(answer) != "scope_denied":
            assert answer.status_code != 403, (name_of(declared), answer.text)
            found.add(name_of(declared))
    return found


@pytest.fixture
async def furnished(stage: Stage) -> Stage:
    """Two sessions with something of each kind in it, and a user of each role."""
    for name in ("ana", "budi"):
        await (await stage.session(name, f"Secret of {name}")).aclose()
        stage.scripts[name].answers[Perform] = SessionRestarting(session_id=name, retry_after=1.0)
        await _fill(stage, name)
    await stage.user("admin")
    await stage.user("operator", "operator")
    await stage.user("viewer", "viewer", sessions=("ana",))
    return stage


async def _fill(stage: Stage, name: str) -> None:
    body = f"Words in {name}"
    chat = "628123456789@s.whatsapp.net"
    for number, status in enumerate((MessageStatus.RECEIVED, MessageStatus.QUEUED)):
        message = Message(
            session_id=name,
            id=f"msg_{name}_{number}",
            wa_id=None if number else f"WA{name}",
            chat=chat,
            sender=chat,
            from_me=bool(number),
            type="text",
            text=body,
            payload={"conversation": body},
            status=status,
            send_at=now() + timedelta(days=1) if number else None,
        )
        await stage.services.writer.call(
            StoreMessage(message=message, events=(NewEvent("messages.upsert", {"text": body}),))
        )
    told = (NewEvent("session.qr", {"code": f"QR of {name}"}),)
    await stage.services.writer.call(Append(name, told))
    hook = {"url": f"http://127.0.0.1:9/hook-of-{name}", "active": False}
    made = await stage.client.post("/api/webhooks", json=hook, headers={"x-session-id": name})
    assert made.status_code == 201, made.text


async def test_an_admin_may_all_there_is(furnished: Stage) -> None:
    async with furnished.browser("admin") as browser:
        assert await allowed(browser) == {name_of(each) for each in ASKED}


async def test_an_operator_may_look_after_sessions_and_the_tree_and_nothing_else(furnished: Stage) -> None:
    async with furnished.browser("operator") as browser:
        assert await allowed(browser) == OPERATOR & {name_of(each) for each in ASKED}


async def test_a_viewer_may_read_and_change_nothing(furnished: Stage) -> None:
    async with furnished.browser("viewer") as browser:
        found = await allowed(browser)
    assert {each for each in found if not each.startswith("GET ")} == VIEWER_WRITES
    reads = {name_of(each) for each in ASKED if each.method == "GET"}
    assert reads - found == VIEWER_DENIED_READS


async def test_an_operator_sees_no_words_of_anybody_by_any_route(furnished: Stage) -> None:
    async with furnished.browser("operator") as browser, furnished.browser("admin") as admin:
        seen = [await read(browser, each) for each in ASKED if each.method == "GET"]
        assert not [answer.url for answer in seen if "Words" in answer.text]
        again = [await read(admin, each) for each in ASKED if each.method == "GET"]
        assert len([answer.url for answer in again if "Words" in answer.text]) >= 6, "there were some to see"
        headers = own(furnished, browser)
    assert await refusal(furnished, None, headers=headers) == (403, "scope_denied")


async def test_a_viewer_sees_nothing_of_other_sessions_by_any_route(furnished: Stage) -> None:
    hidden = re.compile(r"(Secret of|Words in|QR of|hook-of-|msg_) ?budi")
    async with furnished.browser("viewer") as browser:
        for declared in (each for each in ASKED if each.method == "GET"):
            for answer in (
                await read(browser, declared),
                await read(browser, declared, "budi"),
                await read(browser, declared, headers={"x-session-id": "budi"}),
                await read(browser, declared, query={"sessions": "budi"}),
                await read(browser, declared, query={"sessions": "ana,budi"}),
            ):
                assert hidden.search(answer.text) is None, answer.url
        hook = await hook_of(furnished, "budi")
        for path in ("messages/msg_budi_0", "messages/WAbudi", f"webhooks/{hook}"):
            assert (await browser.get(f"/api/{path}")).status_code == 404
            assert (await browser.get(f"/api/sessions/budi/{path}")).json()["code"] == "scope_denied"
        for path, name in (("sessions", "id"), ("events", "sessionId"), ("messages", "sessionId")):
            assert {each[name] for each in (await browser.get(f"/api/{path}")).json()[path]} == {"ana"}
        headers = own(furnished, browser)
    assert await refusal(furnished, None, headers=headers, sessions="budi") == (404, "session_not_found")
    async with socket(furnished, None, headers=headers, after="0") as connection:
        assert {(await next_event(connection))["sessionId"] for _ in range(2)} == {"ana"}
        await furnished.event("budi", 1)
        await furnished.event("ana", 2)
        while (heard := await next_event(connection))["data"] != {"number": 2}:
            assert heard["sessionId"] == "ana"


async def test_a_viewer_of_several_sessions_reads_them_together_and_names_one_where_it_must(
    furnished: Stage,
) -> None:
    await (await furnished.session("citra")).aclose()
    await furnished.user("both", "viewer", sessions=("ana", "budi"))
    async with furnished.browser("both") as browser:
        for path, many in (("sessions", "sessions"), ("messages", "messages"), ("webhooks", "webhooks")):
            found = (await browser.get(f"/api/{path}")).json()[many]
            assert {each.get("sessionId") or each["id"] for each in found} == {"ana", "budi"}, path
        assert (await browser.get("/api/chats")).json()["code"] == "validation_failed"
        assert (await browser.get("/api/chats", headers={"x-session-id": "budi"})).is_success
        assert (await browser.get("/api/chats", headers={"x-session-id": "citra"})).status_code == 403
    await furnished.user("none", "viewer")
    async with furnished.browser("none") as browser:
        for path, many in (("sessions", "sessions"), ("messages", "messages"), ("events", "events")):
            assert (await browser.get(f"/api/{path}")).json()[many] == []
        assert (await browser.get("/api/chats")).json()["code"] == "scope_denied"


async def test_who_may_not_pair_gets_no_qr_code_among_the_events(furnished: Stage) -> None:
    reader = await furnished.key(session_id="ana", scopes=("read",))
    pairing = await furnished.key(session_id="ana", scopes=("read", "control"))
    found: dict[str, list[str]] = {}

    async def hear(key: str) -> None:
        async with socket(furnished, key, events="session.qr,call", after="0") as connection:
            told = found[key] = []
            while told[-1:] != ["call"]:
                told.append((await next_event(connection))["event"])

    async def looked_up(key: str, **query: str) -> int:
        async with furnished.client_with(key) as client:
            events = (await client.get("/api/events", params=query)).json()["events"]
        return [each["event"] for each in events].count("session.qr")

    assert (await looked_up(reader), await looked_up(pairing)) == (0, 1)
    named = {"events": "session.qr"}
    assert (await looked_up(reader, **named), await looked_up(pairing, **named)) == (0, 1)
    async with trio.open_nursery() as nursery:
        for key in (reader, pairing):
            nursery.start_soon(hear, key)
        with trio.fail_after(5):
            while furnished.services.listeners.count < 2:
                await trio.sleep(0.01)
        code = NewEvent("session.qr", {"code": "another"})
        await furnished.services.writer.call(Append("ana", (code,)))
        await furnished.event("ana", 1, "call")
    assert found == {reader: ["call"], pairing: ["session.qr", "session.qr", "call"]}


def test_scopes_imply_others_and_only_those() -> None:
    assert implied(("read",)) == {Scope.READ, Scope.STATUS}
    assert implied(("media",)) == {Scope.MEDIA, Scope.FILES}
    assert implied(("operate",)) == {Scope.OPERATE, Scope.STATUS, Scope.CONTROL}
    assert implied(("admin",)) == set(Scope)
    assert implied(("send", "of a newer program")) == {Scope.SEND}


async def test_a_key_that_a_session_has_always_had_may_all_that_it_might_before(furnished: Stage) -> None:
    gateways = {Scope.ADMIN, Scope.OPERATE}
    key = await furnished.key(session_id="ana", scopes=SESSION_SCOPES)
    async with furnished.client_with(key) as client:
        may = {name_of(each) for each in ASKED if each.scope not in gateways}
        assert await allowed(client) == may


def own(stage: Stage, browser: httpx.AsyncClient) -> dict[str, str]:
    """The headers with which a page of ours in this browser opens a WebSocket."""
    return {"cookie": f"terzetto={browser.cookies['terzetto']}", "origin": "http://x"}


async def hook_of(stage: Stage, name: str) -> str:
    found = await stage.client.get("/api/webhooks", headers={"x-session-id": name})
    return str(found.json()["webhooks"][0]["id"])


async def read(
    client: httpx.AsyncClient,
    declared: Operation,
    session_id: str = "ana",
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> httpx.Response:
    """Ask in earnest."""
    # By its first path where the header is to tell the session.
    rule = declared.rules[0] if headers else declared.rules[-1]
    return await client.get(path_of(rule, session_id), headers=headers, params=query)
