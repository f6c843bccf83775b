"""The database dies and comes back; WhatsApp stays connected and nothing is lost."""

import os
import signal

import trio

from tests.whole.processes import Gateway, Network, Session, descendants, until

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
            os.kill(await gw.postmaster(), signal.SIGKILL)
            await trio.sleep(0.4)

    async def stored() -> bool:
        answer = await gw.http.get("/api/messages", params={"limit": 200}, headers=ana.headers)
        return answer.is_success and len(answer.json()["messages"]) == len(texts)

    await until(stored, "every message is stored, once", within=40)
    assert await gw.received(ana) == texts
    after = await gw.status(ana)
    assert (after["actual"], after["restarts"]) == ("connected", before["restarts"])
    await gw.send(ana, CUSTOMER, "and on it goes")


async def test_what_was_taken_over_and_not_stored_outlives_cell_and_gateway(gw: Gateway, wa: Network) -> None:
    """The database stands still, the cell dies, the gateway dies: what they had is in the journal alone."""
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    cell = gw.cell_process((await gw.status(ana))["cell"])
    texts = [f"number {number:02} {'x' * 4000}" for number in range(50)]
    postmaster = await gw.postmaster()
    databases = [postmaster, *descendants(postmaster)]
    for pid in databases:
        os.kill(pid, signal.SIGSTOP)
    for text in texts:
        await wa.write(CUSTOMER, ANA, text)
    journal = gw.folder / "data/journal/ana"

    async def journalled() -> bool:
        data = b"".join(file.read_bytes() for file in journal.glob("*.log"))
        return all(text.encode() in data for text in texts)

    await until(journalled, "all of it is in the journal")
    connected = gw.program.said().count("to=connected")
    os.kill(cell, signal.SIGKILL)

    async def again() -> bool:
        return gw.program.said().count("to=connected") > connected

    await until(again, "another cell has taken the session")
    await gw.kill()
    for pid in databases:
        os.kill(pid, signal.SIGKILL)
    await gw.start()
    await until(lambda: _has(gw, ana, texts), "every message is stored, once", within=40)


async def _has(gw: Gateway, session: Session, texts: list[str]) -> bool:
    return await gw.received(session) == texts
