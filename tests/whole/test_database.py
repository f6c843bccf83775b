"""The database dies and comes back; WhatsApp stays connected and nothing is lost."""

import os
import signal

import trio

from tests.whole.processes import Gateway, Network, until

ANA, CUSTOMER = "628170000001", "628170000002"


async def test_a_killed_database_loses_nothing_and_disconnects_nobody(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    before = await gw.status(ana)
    texts = [f"message {number}" for number in range(60)]
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            for text in texts:
                await wa.write(CUSTOMER, ANA, text)
                await trio.sleep(0.02)

        nursery.start_soon(write)
        for _ in range(3):
            os.kill(_postmaster(gw), signal.SIGKILL)
            await trio.sleep(0.4)

    async def stored() -> bool:
        answer = await gw.http.get("/api/messages", params={"limit": 200}, headers=ana.headers)
        return answer.is_success and len(answer.json()["messages"]) == len(texts)

    await until(stored, "every message is stored, once", within=40)
    assert await gw.received(ana) == texts
    after = await gw.status(ana)
    assert (after["actual"], after["restarts"]) == ("connected", before["restarts"])
    await gw.send(ana, CUSTOMER, "and on it goes")


def _postmaster(gw: Gateway) -> int:
    return int((gw.folder / "data/postgres/pgdata/postmaster.pid").read_text().split()[0])
