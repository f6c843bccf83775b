"""Listeners to the log: what they missed comes first, then what happens, with no gap and no double."""

import json
import random

import trio
from trio_websocket import ConnectionClosed

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, BUDI, CUSTOMER = "628150000001", "628150000002", "628150000003"


async def test_a_listener_that_comes_and_goes_sees_each_event_once_and_in_order(
    gw: Gateway, wa: Network
) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    rng = random.Random(20261122)
    seen: list[Json] = []
    texts = [f"message {number}" for number in range(120)]
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            for text in texts:
                await wa.write(CUSTOMER, ANA, text)
                await trio.sleep(rng.uniform(0, 0.01))

        nursery.start_soon(write)
        while len(_texts(seen)) < len(texts):
            async with gw.socket(ana, after=seen[-1]["cursor"] if seen else "0") as socket:
                for _ in range(rng.randrange(1, 40)):
                    with trio.move_on_after(10) as patience:
                        seen.append(json.loads(await socket.get_message()))
                    assert not patience.cancelled_caught, f"{len(seen)} events, then silence"
                    if len(_texts(seen)) == len(texts):
                        break
    assert _texts(seen) == texts
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


async def test_a_listener_resumes_over_the_death_of_the_gateway(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    seen: list[Json] = []

    async def listen() -> None:
        async with gw.socket(ana, after=seen[-1]["cursor"] if seen else "0") as socket:
            try:
                while "last" not in _texts(seen):
                    seen.append(json.loads(await socket.get_message()))
            except ConnectionClosed:
                return

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        for number in range(20):
            await wa.write(CUSTOMER, ANA, f"before {number}")
        await until(lambda: _heard(seen, "before 19"), "the listener has the first twenty")
        await gw.kill()
    for number in range(20):
        await wa.write(CUSTOMER, ANA, f"meanwhile {number}")
    await gw.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await wa.write(CUSTOMER, ANA, "last")
    expected = [f"{when} {number}" for when in ("before", "meanwhile") for number in range(20)]
    assert _texts(seen) == [*expected, "last"]
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


async def test_a_client_that_stops_reading_is_dropped_and_slows_nobody(gw: Gateway, wa: Network) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await wa.phone(CUSTOMER)
    before = len(gw.program.said())
    host, port = gw.http.base_url.host, gw.http.base_url.port
    assert port is not None
    stream = await trio.open_tcp_stream(host, port)
    await stream.send_all(
        f"GET /api/ws?after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"x-api-key: {ana.key}\r\n\r\n".encode()
    )
    assert b" 101 " in await stream.receive_some(200)
    # Nobody reads `stream` from here on. The kernel holds some megabytes for it: it takes much to stall it.
    long = "x" * 60_000
    for _ in range(120):
        await wa.write(CUSTOMER, ANA, long)
    async with gw.socket(budi) as socket:
        for number in range(20):
            await wa.write(CUSTOMER, BUDI, f"quick {number}")
            with trio.fail_after(5):
                while _texts([json.loads(await socket.get_message())]) != [f"quick {number}"]:
                    pass
    await until(lambda: _count(gw, ana, 120), "all of the slow one's messages are stored", within=60)

    async def dropped() -> bool:
        said = gw.program.said()[before:]
        return "client_dropped" in said or "1013" in said

    await until(dropped, "the slow one is dropped", within=30)
    await stream.aclose()


def _texts(events: list[Json]) -> list[str]:
    return [
        event["data"]["message"]["conversation"] for event in events if event["event"] == "messages.upsert"
    ]


async def _heard(seen: list[Json], text: str) -> bool:
    return text in _texts(seen)


async def _count(gw: Gateway, session: Session, number: int) -> bool:
    return len(await gw.received(session)) == number
