"""Two nodes on one database: each answers for what the other has, and neither believes a client about it."""

import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest
import trio

from actors.errors import SessionRestarting
from actors.session import messages as ask
from api.forwarded import FORWARDED, SIGNATURE, Forwarded, signature
from storage.rows import now
from tests.api.stage import PATIENCE, Stage, running_api, status_of

TEXT = {"phone": "628110000002", "message": "halo"}
STATUS = "/api/sessions/ana/status"
SEND = "/api/sessions/ana/messages/text"


@pytest.fixture
async def nodes(database: str, tmp_path: Path) -> AsyncIterator[tuple[Stage, Stage]]:
    """The one that has the session `ana`, and another."""
    async with (
        running_api(database, tmp_path, node="alfa") as alfa,
        running_api(database, tmp_path, node="beta") as beta,
    ):
        await (await alfa.session("ana")).aclose()
        yield alfa, beta


@pytest.fixture
def sql(database: str, nodes: tuple[Stage, Stage]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def node_id(stage: Stage) -> str:
    assert stage.services.cluster is not None
    assert stage.services.cluster.node_id is not None
    return stage.services.cluster.node_id


async def secret_of(stage: Stage) -> bytes:
    assert stage.services.cluster is not None
    listed = await stage.services.cluster.listing()
    return next(node.secret for node in listed if node.id == node_id(stage))


def asked(stage: Stage, kind: type) -> int:
    """How often the session's actor on this node was asked that."""
    return sum(isinstance(each, kind) for each in stage.scripts["ana"].asked)


async def test_another_node_answers_for_a_session_as_its_own_does(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    own, other = await alfa.client.get(STATUS), await beta.client.get(STATUS)
    assert (own.status_code, other.status_code) == (200, 200)
    assert other.json() == own.json()
    assert other.json()["lease"]["node"] == node_id(alfa)
    assert (other.json()["lease"]["name"], other.json()["lease"]["epoch"]) == ("alfa", 1)
    assert (asked(alfa, ask.GetStatus), asked(beta, ask.GetStatus)) == (2, 0)
    hop = {"date", "x-request-id"}
    assert {**other.headers, **dict.fromkeys(hop)} == {**own.headers, **dict.fromkeys(hop)}
    assert len(other.headers.get_list("date")) == 1


async def test_a_problem_comes_back_as_it_was(nodes: tuple[Stage, Stage]) -> None:
    _, beta = nodes
    answer = await beta.client.post(SEND, json={"phone": "x"}, headers={"x-request-id": "r-1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["requestId"], answer.headers["x-request-id"]) == ("r-1", "r-1")
    assert answer.json()["instance"] == SEND


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_file_goes_through_whole(nodes: tuple[Stage, Stage], *, chunked: bool) -> None:
    alfa, beta = nodes
    pieces = [bytes([number]) * 65536 for number in range(80)]

    async def streamed() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    data = b"".join(pieces)
    answer = await beta.client.post(
        "/api/sessions/ana/media",
        content=streamed() if chunked else data,
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == hashlib.sha256(data).hexdigest()
    back = await alfa.client.get(answer.json()["contentUrl"])
    assert back.content == data


async def test_a_picture_comes_back_byte_for_byte(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    shown = ask.Qr(code="2@abc", expires_at=now() + timedelta(minutes=1))
    alfa.scripts["ana"].answers[ask.GetQr] = shown
    path = "/api/sessions/ana/qr?format=png"
    own, other = await alfa.client.get(path), await beta.client.get(path)
    assert other.content.startswith(b"\x89PNG")
    assert (other.content, other.headers["expires"]) == (own.content, own.headers["expires"])
    assert (await beta.client.head(path)).headers["content-type"] == "image/png"


async def test_what_is_only_read_from_the_tables_is_answered_at_once(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection
) -> None:
    _, beta = nodes
    sql.execute("UPDATE sessions SET node = NULL")
    for path in ("", "/messages", "/timeline", "/events", "/media", "/health"):
        assert (await beta.client.get(f"/api/sessions/ana{path}")).status_code == 200, path


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE sessions SET node = NULL",
        "UPDATE nodes SET expires_at = now() - interval '1 s'",
        "UPDATE nodes SET url = 'http://127.0.0.1:1'",
        "UPDATE nodes SET url = 'no url'",
    ],
)
async def test_a_session_that_nobody_can_be_asked_about_is_worth_another_try(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection, gone: str
) -> None:
    alfa, beta = nodes
    sql.execute(gone.encode())
    for answer in (await beta.client.get(STATUS), await beta.client.post(SEND, json=TEXT)):
        assert (answer.status_code, answer.json()["code"]) == (503, "session_restarting")
        assert answer.headers["retry-after"] == "2"
    assert alfa.scripts["ana"].asked == []


async def test_nobody_has_a_session_that_there_is_not(nodes: tuple[Stage, Stage]) -> None:
    for stage in nodes:
        answer = await stage.client.get("/api/sessions/nobody/status")
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


@pytest.fixture
async def owner(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection, nursery: trio.Nursery
) -> AsyncIterator[trio.MemoryReceiveChannel[trio.SocketStream]]:
    """Connections to the owner of everything, which the test itself plays."""
    taken, connections = trio.open_memory_channel[trio.SocketStream](10)

    async def take(stream: trio.SocketStream) -> None:
        await taken.send(stream)
        await trio.sleep_forever()

    async with trio.open_nursery() as listening:
        (listener,) = await listening.start(partial(trio.serve_tcp, take, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        sql.execute("UPDATE nodes SET url = %s", (f"http://127.0.0.1:{port}",))
        yield connections
        listening.cancel_scope.cancel()


async def until(stream: trio.SocketStream, word: bytes) -> None:
    """Read up to a word."""
    read = b""
    while word not in read:
        piece = await stream.receive_some()
        assert piece
        read += piece


async def test_bodies_are_not_gathered_on_their_way(
    nodes: tuple[Stage, Stage], owner: trio.MemoryReceiveChannel[trio.SocketStream], nursery: trio.Nursery
) -> None:
    _, beta = nodes
    first_here, second_here = trio.Event(), trio.Event()

    async def play() -> None:
        async with await owner.receive() as stream:
            await until(stream, b"PIECE-1")
            first_here.set()
            await until(stream, b"PIECE-2")
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
            await second_here.wait()
            await stream.send_all(b"two")

    async def body() -> AsyncIterator[bytes]:
        yield b"PIECE-1"
        await first_here.wait()
        yield b"PIECE-2"

    nursery.start_soon(play)
    with trio.fail_after(PATIENCE):
        async with beta.client.stream("POST", SEND, content=body()) as answer:
            pieces = answer.aiter_raw()
            assert await anext(pieces) == b"one"
            second_here.set()
            assert b"".join([piece async for piece in pieces]) == b"two"


async def test_an_answer_that_breaks_off_is_seen_to(
    nodes: tuple[Stage, Stage], owner: trio.MemoryReceiveChannel[trio.SocketStream], nursery: trio.Nursery
) -> None:
    _, beta = nodes

    async def play() -> None:
        async with await owner.receive() as stream:
            await until(stream, b"\r\n\r\n")
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")

    nursery.start_soon(play)
    with pytest.raises(httpx.RemoteProtocolError):
        await beta.client.get(STATUS)
    assert (await beta.client.get("/healthz")).status_code == 200


async def test_what_broke_off_may_have_been_done(
    nodes: tuple[Stage, Stage], owner: trio.MemoryReceiveChannel[trio.SocketStream], nursery: trio.Nursery
) -> None:
    _, beta = nodes
    connections = 0

    async def hang_up() -> None:
        nonlocal connections
        async for stream in owner:
            connections += 1
            async with stream:
                await stream.receive_some()

    nursery.start_soon(hang_up)
    sent, read = await beta.client.post(SEND, json=TEXT), await beta.client.get(STATUS)
    assert (sent.status_code, sent.json()["code"]) == (504, "upstream_timeout")
    assert (read.status_code, read.json()["code"]) == (503, "session_restarting")
    assert connections == 2
    nursery.cancel_scope.cancel()


async def test_a_request_is_passed_on_once_only(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    words = str(Forwarded(node="nod_c", address="127.0.0.1", request_id="r-2", deadline=time.time() + 60))
    signed = signature(await secret_of(beta), "GET", STATUS.encode(), words)
    answer = await beta.client.get(STATUS, headers={FORWARDED: words, SIGNATURE: signed})
    assert (answer.status_code, answer.json()["code"]) == (503, "session_restarting")
    assert answer.json()["requestId"] == "r-2"
    assert alfa.scripts["ana"].asked == []


@pytest.mark.parametrize(("seconds", "status"), [(60, 200), (-1, 503), (10_000, 503)])
async def test_a_request_that_nobody_waits_for_is_not_carried_out(
    nodes: tuple[Stage, Stage], seconds: float, status: int
) -> None:
    alfa, _ = nodes
    words = str(Forwarded(node="nod_c", address=None, request_id="r-3", deadline=time.time() + seconds))
    signed = signature(await secret_of(alfa), "GET", STATUS.encode(), words)
    answer = await alfa.client.get(STATUS, headers={FORWARDED: words, SIGNATURE: signed})
    assert answer.status_code == status
    assert asked(alfa, ask.GetStatus) == (status == 200)


async def test_a_client_that_poses_as_a_node_is_taken_for_what_it_is(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    elsewhere = await alfa.key(session_id="ana", scopes=("status",), allowed_ips=("192.0.2.7",))
    words = str(Forwarded(node="nod_c", address="192.0.2.7", request_id="r-4", deadline=time.time() + 60))
    good = signature(await secret_of(alfa), "GET", STATUS.encode(), words)
    forged = signature(bytes(32), "GET", STATUS.encode(), words)
    of_other = signature(await secret_of(alfa), "GET", b"/api/sessions/ana/me", words)

    async def trying(stage: Stage, signed: str) -> httpx.Response:
        async with stage.client_with(elsewhere) as client:
            return await client.get(
                STATUS, headers=[(FORWARDED.encode(), words.encode()), (SIGNATURE.encode(), signed.encode())]
            )

    for stage, signed in ((alfa, forged), (alfa, of_other), (alfa, "ä"), (beta, forged), (beta, good)):
        answer = await trying(stage, signed)
        assert (answer.status_code, answer.json()["code"]) == (403, "ip_denied")
        assert answer.json()["requestId"] != "r-4"
    assert (await trying(alfa, good)).status_code == 200

    mine = {FORWARDED: words, SIGNATURE: good}  # what a client says is not passed on
    assert (await beta.client.get(STATUS, headers=mine)).headers["x-request-id"] != "r-4"


async def test_the_clients_address_and_the_requests_id_are_kept(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    key = await alfa.key(allowed_ips=("127.0.0.2",))
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2", trust_env=False)
    async with httpx.AsyncClient(
        base_url=beta.client.base_url, transport=transport, headers={"x-api-key": key}, timeout=PATIENCE
    ) as client:
        answer = await client.post("/api/sessions/ana/stop", headers={"x-request-id": "r-5"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"] == "r-5"
    page = await alfa.services.reads.audit(action="session.stop")
    (entry,) = page.items
    assert (entry.address, entry.request_id) == ("127.0.0.2", "r-5")


async def test_an_idempotency_key_counts_at_every_node(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    key = {"Idempotency-Key": "order-7"}
    answers = [await stage.client.post(SEND, json=TEXT, headers=key) for stage in (beta, alfa, beta)]
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert [each.headers.get("idempotent-replayed") for each in answers] == [None, "true", "true"]
    assert (asked(alfa, ask.Send), asked(beta, ask.Send)) == (1, 0)


async def test_who_signed_in_at_one_node_calls_through_any(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    await beta.user("root")
    async with beta.browser("root") as browser:
        own = f"http://{beta.address[0]}:{beta.address[1]}"
        stopped = await browser.post("/api/sessions/ana/stop", headers={"origin": own})
        assert stopped.status_code == 200, stopped.text
        foreign = await browser.post("/api/sessions/ana/stop", headers={"origin": "http://evil.example"})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "csrf_denied")
        del browser.headers["x-terzetto"]
        assert (await browser.post("/api/sessions/ana/stop")).status_code == 403
    assert (asked(alfa, ask.Stop), asked(beta, ask.Stop)) == (1, 0)


async def test_webhooks_are_looked_after_by_the_node_that_has_the_duty(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection
) -> None:
    alfa, beta = nodes
    hook = {"url": "http://127.0.0.1:1/"}
    nobody = await beta.client.post("/api/sessions/ana/webhooks", json=hook)
    assert (nobody.status_code, nobody.json()["code"]) == (503, "not_ready")
    sql.execute("UPDATE duties SET node = %s WHERE name = 'webhooks'", (node_id(alfa),))
    made = (await beta.client.post("/api/sessions/ana/webhooks", json=hook)).json()["webhook"]
    assert alfa.services.webhooks.circuit(made["id"]) is not None
    assert beta.services.webhooks.circuit(made["id"]) is None
    listed = [await stage.client.get("/api/webhooks") for stage in nodes]
    assert listed[0].json() == listed[1].json()
    assert (await beta.client.delete(f"/api/webhooks/{made['id']}")).status_code == 204
    assert alfa.services.webhooks.circuit(made["id"]) is None


async def test_sinks_are_shown_by_the_node_that_has_the_duty(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection
) -> None:
    alfa, beta = nodes
    assert (await beta.client.get("/api/sinks")).status_code == 503
    sql.execute("UPDATE duties SET node = %s WHERE name = 'sinks'", (node_id(alfa),))
    assert (await beta.client.get("/api/sinks")).json() == {"sinks": []}


async def test_the_owner_stops_when_the_client_has_gone(
    nodes: tuple[Stage, Stage], caplog: pytest.LogCaptureFixture
) -> None:
    alfa, beta = nodes
    begun = trio.Event()

    async def never(_: ask.GetStatus) -> None:
        begun.set()
        await trio.sleep_forever()

    alfa.scripts["ana"].answers[ask.GetStatus] = never
    with caplog.at_level("INFO", "api.requests"), trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beta.client.get, STATUS)
            await begun.wait()
            nursery.cancel_scope.cancel()
        while sum("status=499" in each for each in caplog.messages) < 2:
            await trio.sleep(0.01)


async def test_a_node_that_ends_begins_no_session(nodes: tuple[Stage, Stage]) -> None:
    alfa, beta = nodes
    assert alfa.services.cluster is not None
    alfa.services.cluster.drain()
    refused = await alfa.client.post("/api/sessions", json={"name": "Budi"})
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert (await beta.client.post("/api/sessions", json={"name": "Budi"})).status_code == 201


async def test_a_node_without_a_lease_begins_no_session(nodes: tuple[Stage, Stage]) -> None:
    alfa, _ = nodes
    assert alfa.services.cluster is not None
    alfa.services.cluster.leash.tenure = None
    refused = await alfa.client.post("/api/sessions", json={"name": "Budi"})
    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    assert (await alfa.client.get(STATUS)).json()["code"] == "session_restarting"


@pytest.mark.parametrize("late", ["failure", "answer"])
async def test_who_had_the_session_gives_no_key_back_any_more(
    nodes: tuple[Stage, Stage], sql: psycopg.Connection, late: str
) -> None:
    """Its next owner may have sent under the same claim meanwhile."""
    alfa, _ = nodes
    script = alfa.scripts["ana"]
    script.gate = gate = trio.Event()
    if late == "failure":
        script.answers[ask.Send] = SessionRestarting(session_id="ana", retry_after=1)
    answers: list[httpx.Response] = []

    async def send() -> None:
        answers.append(await alfa.client.post(SEND, json=TEXT, headers={"Idempotency-Key": "k"}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.fail_after(PATIENCE):
            while asked(alfa, ask.Send) == 0:
                await trio.sleep(0.01)
        sql.execute("UPDATE sessions SET epoch = epoch + 1")
        gate.set()
    assert [answer.status_code for answer in answers] == [503 if late == "failure" else 200]
    found = sql.execute("SELECT key, (answer->'status')::int FROM claims").fetchall()
    assert found == [("k", None if late == "failure" else 200)]


async def test_a_session_that_is_let_go_of_in_haste_can_be_taken_again(nodes: tuple[Stage, Stage]) -> None:
    sessions = nodes[0].services.sessions
    with trio.CancelScope() as scope:
        scope.cancel()
        await sessions.let_go("ana")  # it ends although nobody waits for that
    assert sessions.epochs == {}
    with trio.fail_after(PATIENCE):
        while "ana" not in sessions.epochs:
            await sessions.take("ana", 1)
            await trio.lowlevel.checkpoint()
    assert await sessions.ref("ana").call(ask.GetStatus()) == status_of("ana")
