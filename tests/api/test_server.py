"""The server against clients that misbehave, on real sockets."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from quart_trio import QuartTrio

from api.server import Server
from api.websocket import open_websocket

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Echoes on WebSockets; over HTTP it is told by the path how to behave."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    size = 2
    match scope["path"]:
        case "/wait":
            await trio.sleep(0.5)
        case "/flood":
            size = 64 << 20
        case "/silent":
            return
        case "/body":
            while (await receive())["more_body"]:
                pass
    headers = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"o" * size})


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[str, int]]:
    async with trio.open_nursery() as nursery:
        address = await nursery.start(Server(app=app, **settings).start)
        yield address
        nursery.cancel_scope.cancel()


async def exchange(address: tuple[str, int], request: bytes) -> bytes:
    """Everything the server answers until it closes the connection."""
    with trio.fail_after(5):
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(request)
            return b"".join([chunk async for chunk in stream])


async def is_served(address: tuple[str, int]) -> bool:
    return (await exchange(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).endswith(
        b"\r\n\r\noo"
    )


def problem_in(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    document: dict[str, Any] = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document


async def test_a_byte_after_a_websocket_upgrade_ends_that_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as address:
        with caplog.at_level(logging.WARNING, "api.server"):
            await exchange(address, UPGRADE + b"x")
        assert await is_served(address)
        assert len([r for r in caplog.records if "connection_failed" in r.message]) == 1


async def test_a_client_that_stops_reading_is_dropped_and_slows_nobody() -> None:
    async with serving(send_timeout=0.5) as address, await trio.open_tcp_stream(*address) as stuck:
        await stuck.send_all(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        await stuck.receive_some(100)
        with trio.fail_after(0.4):
            assert await is_served(address)
        await trio.sleep(0.6)
        received = 0
        try:
            while chunk := await stuck.receive_some(1 << 20):
                received += len(chunk)
        except trio.BrokenResourceError:
            pass
        assert received < 64 << 20


async def test_shutdown_does_not_wait_for_a_client_that_stopped_reading() -> None:
    async with serving(send_timeout=0.3, graceful_timeout=0.1) as address:
        stuck = await trio.open_tcp_stream(*address)
        await stuck.send_all(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        await stuck.receive_some(100)
        before = trio.current_time()
    assert trio.current_time() - before < 1
    await stuck.aclose()


async def test_shutdown_lets_a_request_in_flight_finish_and_closes_idle_connections() -> None:
    answers: list[bytes] = []
    async with trio.open_nursery() as clients:
        async with serving(graceful_timeout=5) as address:
            idle = await trio.open_tcp_stream(*address)
            await idle.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await idle.receive_some(1000)

            async def client() -> None:
                answers.append(
                    await exchange(address, b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                )

            clients.start_soon(client)
            await trio.sleep(0.1)
            before = trio.current_time()
        assert 0.3 < trio.current_time() - before < 2
        with trio.fail_after(1):
            while await idle.receive_some(1000):
                pass
        await idle.aclose()
    assert answers[0].endswith(b"\r\n\r\noo")


async def test_shutdown_does_not_wait_for_a_connection_that_quart_has_answered() -> None:
    quart = QuartTrio("idle")

    @quart.get("/")
    async def index() -> str:
        return "ok"

    async with trio.open_nursery() as nursery:
        address = await nursery.start(Server(app=quart, graceful_timeout=5).start)
        idle = await trio.open_tcp_stream(*address)
        await idle.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not (await idle.receive_some(1000)).endswith(b"ok"):
            pass
        await trio.testing.wait_all_tasks_blocked()
        before = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - before < 1
    await idle.aclose()


async def test_a_body_that_nobody_reads_keeps_neither_the_connection_nor_a_task() -> None:
    async with serving() as address:
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        for path in (b"/", b"/wait"):  # answered while the body comes, and when it has filled all queues
            head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
            answer = await exchange(address, head + b"b" * 4_000_000)
            assert b"connection: close" in answer
            assert answer.endswith(b"\r\n\r\noo")
        with trio.fail_after(3):
            while trio.lowlevel.current_statistics().tasks_living > tasks:
                await trio.sleep(0.01)


async def test_a_body_that_stalls_is_given_up() -> None:
    async with serving(read_timeout=0.2) as address:
        before = trio.current_time()
        await exchange(address, b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert trio.current_time() - before < 3


async def test_a_client_waiting_for_its_answer_is_not_cut_off_as_quiet() -> None:
    async with serving(read_timeout=0.1) as address:
        request = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await exchange(address, request)).endswith(b"\r\n\r\noo")


@pytest.mark.parametrize(
    ("nonsense", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 30000 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # a TLS hello
        (b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"GET /silent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 500),
    ],
)
async def test_what_the_server_refuses_itself_is_a_problem_document(nonsense: bytes, status: int) -> None:
    async with serving() as address:
        assert problem_in(await exchange(address, nonsense))["status"] == status
        assert await is_served(address)


async def test_http_2_is_not_spoken() -> None:
    async with serving() as address:
        answer = await exchange(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 ")
        upgrade = (
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
        )
        assert (await exchange(address, upgrade)).endswith(b"\r\n\r\noo")


async def test_a_websocket_works_and_a_quiet_one_that_answers_pings_stays() -> None:
    async with (
        serving(read_timeout=0.3, websocket_ping_interval=0.1) as (host, port),
        open_websocket(f"ws://{host}:{port}/ws") as websocket,
    ):
        await trio.sleep(0.8)
        await websocket.send_message("still here")
        assert await websocket.get_message() == "still here"
