"""What a gateway says of itself at /metrics while its sessions do what sessions do."""

import os
import signal

import trio

from tests.api.scrape import Scrape, read
from tests.whole.processes import Gateway, Network, Session, until

ANA, CUSTOMER = "628150000001", "628150000002"
OUTCOMES = ("sent", "failed", "unknown", "refused", "withdrawn")


async def test_what_a_session_does_and_suffers_is_counted(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA, limits={"perMinute": 3, "burst": 3})
    await wa.phone(CUSTOMER)
    await gw.send(ana, CUSTOMER, "one")
    await wa.write(CUSTOMER, ANA, "answer")
    await until(lambda: gw.received(ana), "the answer is stored")
    await gw.send(ana, CUSTOMER, "two")
    await wa.fault("noAck", phone=ANA)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_lost, gw, ana)
        await until(lambda: _has(wa, 3), "the customer has the third")
        os.kill(gw.cell_process((await gw.status(ana))["cell"]), signal.SIGKILL)
    await wa.lift()
    await gw.until_connected(ana)
    await gw.send(ana, CUSTOMER, "one too many", status=429)

    seen = await _scrape(gw)
    sends = {outcome: seen("sends_total", session="ana", outcome=outcome) for outcome in OUTCOMES}
    assert sends == {"sent": 2, "unknown": 1, "failed": 0, "refused": 1, "withdrawn": 0}
    assert seen("limiter_refusals_total", session="ana", limit="rate") == 1
    assert seen("received_total", session="ana") == 1
    assert seen("send_seconds_count") == 2
    assert seen("session_connected", session="ana") == seen("sessions", state="connected") == 1
    # To pair, to move to a shared cell, and after that cell's death.
    assert seen("session_clients_started_total", session="ana") == 3
    assert seen("cells_died_total") == 1
    assert seen("cells", kind="pairing") == 0
    assert 0 < seen("cell_resident_memory_bytes", cell="cell-2") < seen("cell_memory_limit_bytes")
    assert seen("storage_failures_in_a_row") == 0
    assert seen("loop_turn_seconds_count") > 100


async def _lost(gw: Gateway, ana: Session) -> None:
    await gw.send(ana, CUSTOMER, "three", status=504)


async def _has(wa: Network, count: int) -> bool:
    return len(await wa.texts(CUSTOMER)) == count


async def _scrape(gw: Gateway) -> Scrape:
    return read(await gw.http.get("/metrics"))
