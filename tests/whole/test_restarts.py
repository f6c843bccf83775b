"""What ends, and what is there again afterwards."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import trio

from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Network, alive, descendants, gateway, until

ANA, BUDI, CUSTOMER = "628130000001", "628130000002", "628130000003"


async def test_sessions_come_back_without_pairing_after_the_gateway_was_killed(
    gw: Gateway, wa: Network
) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await gw.send(ana, BUDI, "before")
    cells = gw.cells
    await gw.kill()
    await until(lambda: _ended(cells), "no cell outlives its gateway", within=5)
    await gw.start()
    for session in (ana, budi):
        await gw.until_connected(session)
    await gw.send(ana, BUDI, "after")
    await until(lambda: _has(gw, budi, ["before", "after"]), "both messages are stored")
    statuses = await _events(gw, ana, "session.status")
    assert "pairing" not in statuses[statuses.index("connected") :]


async def test_after_a_kill_all_sessions_are_back_with_one_attempt_each(wa: Network, tmp_path: Path) -> None:
    async with gateway(tmp_path / "gateway", wa, QUICK + "[cells]\nsessions_per_cell = 4\n") as gw:
        sessions = [await gw.pair(f"s{number}", f"62813001{number:04}") for number in range(12)]
        killed = time.time()
        await gw.kill()
        await gw.start()
        for session in sessions:
            await gw.until_connected(session)
        tried = (await wa.control.get("/attempts", params={"since": killed})).json()
        assert len(tried["connections"]) == len(sessions)
        assert sorted(each["phone"] for each in tried["logins"]) == [each.phone for each in sessions]
        assert all(each["accepted"] for each in tried["logins"])
        await wa.phone(CUSTOMER)
        for session in sessions:
            await wa.write(CUSTOMER, session.phone, "are you there?")
        for session in sessions:
            await until(partial(_has, gw, session, ["are you there?"]), "it is stored")


async def test_what_comes_while_a_session_is_away_is_delivered_when_it_returns(
    gw: Gateway, wa: Network
) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    await gw.call("POST", "/api/session/stop", session=ana)
    for text in ("one", "two", "three"):
        await wa.write(CUSTOMER, ANA, text)
    await gw.call("POST", "/api/session/start", session=ana)
    await until(lambda: _has(gw, ana, ["one", "two", "three"]), "the messages are stored in order")


async def test_what_the_user_stopped_stays_stopped_after_a_restart(gw: Gateway) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await gw.call("POST", "/api/session/stop", session=ana)
    assert await gw.program.stop() == 0
    await gw.start()
    await gw.until_connected(budi)
    assert (await gw.status(ana))["actual"] == "stopped"


async def test_a_killed_cell_takes_only_its_own_clients_and_they_come_back(gw: Gateway, wa: Network) -> None:
    ana, budi = await gw.pair("ana", ANA), await gw.pair("budi", BUDI)
    await wa.phone(CUSTOMER)
    cell = (await gw.status(ana))["cell"]
    pid = gw.cell_process(cell)
    answered = 0
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            nonlocal answered
            while True:
                assert (await gw.http.get("/healthz", timeout=2)).is_success
                answered += 1
                await trio.sleep(0.01)

        nursery.start_soon(ask)
        os.kill(pid, signal.SIGKILL)
        await wa.write(CUSTOMER, ANA, "into the gap")
        await until(lambda: _has(gw, ana, ["into the gap"]), "the message is stored")
        for session in (ana, budi):
            await gw.until_connected(session)
        nursery.cancel_scope.cancel()
    assert answered > 10
    await gw.send(ana, BUDI, "still here")
    await until(lambda: _has(gw, budi, ["still here"]), "the message is stored")


async def test_a_stop_leaves_no_process_behind_and_takes_less_than_ten_seconds(gw: Gateway) -> None:
    ana = await gw.pair("ana", ANA)
    assert (await gw.status(ana))["actual"] == "connected"
    children = descendants(gw.program.process.pid)
    assert len(children) >= 3  # two cells and PostgreSQL
    with trio.fail_after(10):
        assert await gw.program.stop() == 0
    assert [pid for pid in children if alive(pid)] == []


async def _ended(pids: list[int]) -> bool:
    return not any(alive(pid) for pid in pids)


async def _has(gw: Gateway, session: object, texts: list[str]) -> bool:
    return await gw.received(session) == texts  # type: ignore[arg-type]


async def _events(gw: Gateway, session: object, name: str) -> list[str]:
    answer = await gw.http.get(
        "/api/events",
        params={"after": "0", "events": name, "limit": "500"},
        headers=session.headers,  # type: ignore[attr-defined]
    )
    assert answer.is_success, answer.text
    return [event["data"]["status"] for event in answer.json()["events"]]
