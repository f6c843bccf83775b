"""The event log over HTTP and WebSocket: nothing missed, nothing twice, in order."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from actors.envelope import position_of
from tests.api.stage import ADMIN_KEY, Stage, running_api


@asynccontextmanager
async def socket(
    stage: Stage,
    key: str | None = ADMIN_KEY,
    headers: Mapping[str, str] | None = None,
    path: str = "/api/ws",
    **query: Any,
) -> AsyncIterator[WebSocketConnection]:
    # Over a stream of our own: trio-websocket leaves its own open when the other side closes first.
    async with await trio.open_tcp_stream(*stage.address) as stream, trio.open_nursery() as nursery:
        given = dict(headers or {}) | ({} if key is None else {"x-api-key": key})
        extra = [(name.encode(), value.encode()) for name, value in given.items()]
        target = f"{path}?{urlencode(query)}"
        connection = await wrap_client_stream(nursery, stream, "x", target, extra_headers=extra)
        yield connection
        with trio.move_on_after(1):
            await connection.aclose()
        nursery.cancel_scope.cancel()


async def refusal(stage: Stage, key: str | None, **asked: Any) -> tuple[int, str]:
    """The status and code with which the handshake is refused."""
    try:
        async with socket(stage, key, **asked):
            pytest.fail("the handshake was accepted")
    except* ConnectionRejected as group:
        (rejected,) = group.exceptions
    assert isinstance(rejected, ConnectionRejected)
    assert rejected.body is not None
    return rejected.status_code, json.loads(rejected.body)["code"]


async def next_event(connection: WebSocketConnection) -> dict[str, Any]:
    with trio.fail_after(20):
        event: dict[str, Any] = json.loads(await connection.get_message())
        return event


async def numbers(connection: WebSocketConnection, count: int) -> list[int]:
    return [(await next_event(connection))["data"]["number"] for _ in range(count)]


async def ending(connection: WebSocketConnection) -> tuple[int, str | None]:
    """How the server closed it, with what came before thrown away."""
    with trio.fail_after(5), pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - a loop ends it
        while True:
            await connection.get_message()
    assert closed.value.reason is not None
    return closed.value.reason.code, closed.value.reason.reason


async def sessions(stage: Stage, *names: str) -> None:
    for name in names:
        await (await stage.session(name)).aclose()


async def test_the_log_is_paged_by_cursor_over_all_sessions_and_by_seq_within_one(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    for number in range(6):
        await stage.event("ana" if number % 2 else "budi", number)
    seen, cursor = [], "0"
    while events := (page := (await stage.client.get(f"/api/events?limit=3&after={cursor}")).json())[
        "events"
    ]:
        seen += [event["data"]["number"] for event in events if event["event"] == "messages.upsert"]
        assert page["cursor"] == events[-1]["cursor"]
        cursor = page["cursor"]
    assert seen == list(range(6))
    of_ana = (await stage.client.get("/api/sessions/ana/events")).json()["events"]
    assert [event["seq"] for event in of_ana] == [1, 2, 3, 4]
    rest = (await stage.client.get("/api/events?sessions=ana&after=3")).json()["events"]
    assert rest == of_ana[3:]
    for query, path in [("after=2", "after"), ("sessions=ana&after=99", "after"), ("after=zz!", "after")]:
        refused = await stage.client.get(f"/api/events?{query}")
        assert refused.json()["errors"][0]["path"] == path, query


async def test_a_long_poll_answers_when_something_comes_and_when_its_time_is_over(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        last = (await own.get("/api/events")).json()["cursor"]
        answers: list[Any] = []

        async def poll() -> None:
            query = {"after": last, "wait": 30, "events": "messages.upsert"}
            answers.append((await own.get("/api/events", params=query, timeout=10)).json())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(0.2)
            await stage.event("ana", 0, "messages.update")  # not asked for
            await stage.event("ana", 1)
        assert [event["data"]["number"] for event in answers[0]["events"]] == [1]
        idle = (await own.get(f"/api/events?after={answers[0]['cursor']}&wait=1")).json()
        assert idle == {"events": [], "cursor": answers[0]["cursor"]}


async def test_a_session_s_key_sees_its_own_events_alone(stage: Stage) -> None:
    await sessions(stage, "budi")
    async with await stage.session("ana") as own:
        await stage.event("budi", 1)
        await stage.event("ana", 2)
        events = (await own.get("/api/events")).json()["events"]
        assert {event["sessionId"] for event in events} == {"ana"}
        assert (await own.get("/api/events?sessions=budi")).json()["code"] == "session_not_found"
        async with socket(stage, own.headers["x-api-key"], after="0", events="messages.upsert") as connection:
            assert await numbers(connection, 1) == [2]


async def test_a_socket_without_after_gives_what_happens_from_now_on(stage: Stage) -> None:
    await sessions(stage, "ana", "budi")
    await stage.event("ana", 1)
    async with socket(stage, sessions="ana", events="messages.upsert") as connection:
        await stage.event("budi", 2)
        await stage.event("ana", 3, "messages.update")
        await stage.event("ana", 4)
        event = await next_event(connection)
        assert list(event) == ["sessionId", "event", "data", "eventId", "seq", "occurredAt", "cursor"]
        assert event["data"] == {"number": 4}
        assert event == (await stage.client.get("/api/events?sessions=ana&after=3")).json()["events"][0]


async def test_replay_and_live_meet_without_gap_or_double(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.socket.PAGE", 40)
    await sessions(stage, "ana")
    total = 300  # some pages, and more while they are read

    async def write(start: int, stop: int) -> None:
        for number in range(start, stop):
            await stage.event("ana", number)

    async with trio.open_nursery() as nursery:
        await write(0, 100)
        nursery.start_soon(write, 100, 200)
        nursery.start_soon(write, 200, total)
        for after in ("0", "50"):
            async with socket(stage, sessions="ana", events="messages.upsert", after=after) as connection:
                seqs = [(await next_event(connection))["seq"] for _ in range(total - max(0, int(after) - 1))]
                # seq 1 is the session's own first event
                assert seqs == list(range(max(2, int(after) + 1), total + 2))


async def test_a_socket_resumes_after_the_last_cursor_it_was_given(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with socket(stage, events="messages.upsert") as connection:
        await stage.event("ana", 1)
        await stage.event("ana", 2)
        cursor = (await next_event(connection))["cursor"]
    await stage.event("ana", 3)
    async with socket(stage, events="messages.upsert", after=cursor) as connection:
        assert await numbers(connection, 2) == [2, 3]


async def test_a_listener_that_is_too_slow_is_closed_with_1013_and_its_cursor(
    database: str, tmp_path: Path
) -> None:
    async with running_api(database, tmp_path, listener_capacity=5, send_timeout=10) as stage:
        await sessions(stage, "ana")
        big = "x" * 500_000
        async with socket(stage, sessions="ana") as connection:
            for number in range(30):
                await stage.event("ana", number, f"newsletter.{big}")
            code, cursor = await ending(connection)
        assert code == 1013
        rest = (await stage.client.get("/api/events", params={"after": cursor, "limit": 500})).json()[
            "events"
        ]
        assert rest
        assert rest[-1]["data"] == {"number": 29}


async def test_a_key_may_have_so_many_listeners_and_another_again_when_one_goes(
    database: str, tmp_path: Path
) -> None:
    async with running_api(database, tmp_path, listeners_per_key=2) as stage:
        await sessions(stage, "ana")
        async with socket(stage, after="0") as one, socket(stage, after="0") as other:
            for connection in (one, other):
                await next_event(connection)
            assert await refusal(stage, ADMIN_KEY) == (429, "too_many_listeners")
            async with socket(stage, None) as late:
                await late.send_message(json.dumps({"apiKey": ADMIN_KEY}))
                assert await ending(late) == (1013, "too_many_listeners")
            async with socket(stage, await stage.key(scopes=("read",)), after="0") as of_another_key:
                await next_event(of_another_key)
        with trio.fail_after(5):
            while stage.services.listeners.count:  # a close is seen a moment later
                await trio.sleep(0.01)
        async with socket(stage, after="0") as connection:
            await next_event(connection)


async def test_a_key_is_refused_in_the_handshake_with_a_problem_document(stage: Stage) -> None:
    for key, query, status, code in [
        ("tz_guess", {}, 401, "key_invalid"),
        (await stage.key(scopes=("send",)), {}, 403, "scope_denied"),
        (ADMIN_KEY, {"colour": "red"}, 400, "validation_failed"),
        (ADMIN_KEY, {"after": "7"}, 400, "validation_failed"),
    ]:
        assert await refusal(stage, key, **query) == (status, code)


async def test_a_key_may_come_in_the_first_message_instead(stage: Stage) -> None:
    await sessions(stage, "ana")
    async with socket(stage, None, after="0", events="messages.upsert") as connection:
        await connection.send_message(json.dumps({"apiKey": ADMIN_KEY}))
        await stage.event("ana", 1)
        assert await numbers(connection, 1) == [1]
    for hello, reason in [
        ('{"apiKey":"tz_guess"}', "key_invalid"),
        ("hello", "invalid_json"),
        ('{"key":1}', "validation_failed"),
        ('{"apiKey":"\\ud800"}', "validation_failed"),
    ]:
        async with socket(stage, None) as connection:
            await connection.send_message(hello)
            assert await ending(connection) == (4401 if reason == "key_invalid" else 1011, reason)


async def test_a_key_in_the_url_is_not_taken(stage: Stage) -> None:
    assert await refusal(stage, None, apiKey=ADMIN_KEY) == (400, "validation_failed")


async def test_a_socket_that_says_nothing_is_closed_after_its_five_seconds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.following.HELLO_WAIT", 0.1)
    async with socket(stage, None) as connection:
        assert await ending(connection) == (4401, "key_missing")


async def test_a_revoked_key_ends_its_socket(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.following.CHECK", 0.1)
    made = (await stage.client.post("/api/keys", json={"name": "a", "scopes": ["read"]})).json()
    async with socket(stage, made["apiKey"]) as connection:
        await stage.client.delete(f"/api/keys/{made['key']['id']}")
        assert await ending(connection) == (4401, "key_revoked")


async def test_sockets_are_told_when_the_server_stops(database: str, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        told: list[tuple[int, str | None]] = []
        async with running_api(database, tmp_path) as stage:
            opened = trio.Event()

            async def listen() -> None:
                async with socket(stage) as connection:
                    opened.set()
                    told.append(await ending(connection))

            nursery.start_soon(listen)
            await opened.wait()
            before = trio.current_time()
    assert trio.current_time() - before < 3
    assert told[0][0] == 1001


async def test_what_a_client_says_later_is_ignored_and_its_close_is_noticed(stage: Stage) -> None:
    await sessions(stage, "ana")
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with socket(stage, events="messages.upsert") as connection:
        for _ in range(50):
            await connection.send_message("chatter")
        await stage.event("ana", 1)
        assert await numbers(connection, 1) == [1]
    with trio.fail_after(3):
        while trio.lowlevel.current_statistics().tasks_living > tasks:
            await trio.sleep(0.01)


def forget(database: str, position: int) -> None:
    """As if all events up to a position had been dropped with their partitions."""
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM events WHERE position <= %s", (position,))
        connection.execute("UPDATE event_log SET dropped = %s", (position,))


async def test_who_has_missed_events_that_are_no_longer_kept_is_told_on_every_way(
    stage: Stage, database: str
) -> None:
    await sessions(stage, "ana", "budi")
    for number in (1, 2, 3, 4):
        await stage.event("ana", number, "call")
    log = (await stage.client.get("/api/events?events=call")).json()["events"]
    cursors = [event["cursor"] for event in log]
    forget(database, position_of(cursors[1]))
    for query in (f"after={cursors[0]}", f"sessions=ana&after={log[0]['seq']}", "after=AQA"):
        gone = await stage.client.get(f"/api/events?{query}")
        assert (gone.status_code, gone.json()["code"]) == (410, "cursor_expired"), query
    for query in ("", f"after={cursors[1]}", f"sessions=ana&after={log[1]['seq']}", "after=0"):
        kept = (await stage.client.get(f"/api/events?events=call&{query}")).json()["events"]
        assert kept == log[2:], query
    assert await refusal(stage, ADMIN_KEY, after=cursors[0]) == (410, "cursor_expired")
    async with socket(stage, None, after=cursors[0]) as connection:
        await connection.send_message(json.dumps({"apiKey": ADMIN_KEY}))
        assert await ending(connection) == (1008, "cursor_expired")
    hook = (await stage.client.post("/api/webhooks", json={"url": "https://example.com/"})).json()["webhook"]
    refused = await stage.client.post(f"/api/webhooks/{hook['id']}/replay", json={"after": cursors[0]})
    assert (refused.status_code, refused.json()["code"]) == (410, "cursor_expired")


async def test_a_session_all_of_whose_events_are_gone_goes_on_from_its_last(
    stage: Stage, database: str
) -> None:
    async with await stage.session("ana") as own:
        await stage.event("ana", 1)
        last = (await own.get("/api/events")).json()["events"][-1]
        forget(database, position_of(last["cursor"]))
        assert (await own.get(f"/api/events?after={last['seq'] - 1}")).json()["code"] == "cursor_expired"
        assert (await own.get(f"/api/events?after={last['seq'] + 1}")).json()["code"] == "validation_failed"
        await stage.event("ana", 2)
        for after in (last["seq"], last["cursor"]):
            (event,) = (await own.get(f"/api/events?after={after}")).json()["events"]
            assert event["seq"] == last["seq"] + 1


async def test_a_cursor_goes_on_with_the_log_though_nothing_that_is_asked_for_comes(stage: Stage) -> None:
    await sessions(stage, "ana")
    begun = (await stage.client.get("/api/events?events=call")).json()
    await stage.event("ana", 1)
    later = (await stage.client.get(f"/api/events?events=call&after={begun['cursor']}")).json()
    assert later["events"] == []
    assert position_of(later["cursor"]) > position_of(begun["cursor"])
