"""What becomes of a message when something dies at each step of its sending."""

import os
import random
import signal
from collections import Counter

import httpx
import trio

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, CUSTOMER = "628140000001", "628140000002"
PENDING = {"queued", "sending"}


async def test_before_whatsapp_has_it_the_sender_is_told_that_nothing_was_sent(
    gw: Gateway, wa: Network
) -> None:
    ana = await _ana(gw, wa)
    await wa.fault("refuseConnection")
    os.kill(await _cell_of(gw, ana), signal.SIGKILL)
    await until(lambda: _is(gw, ana, "reconnecting"), "the loss is noticed")
    refused = await gw.send(ana, CUSTOMER, "too early", status=503)
    assert refused["code"] == "session_restarting"
    await wa.lift()
    await gw.until_connected(ana, within=30)
    await gw.send(ana, CUSTOMER, "in time")
    await until(lambda: _arrived(wa, ["in time"]), "the later message arrives")
    assert [message["text"] for message in await gw.messages(ana)] == ["in time"]


async def test_while_the_answer_is_awaited_the_message_becomes_unknown_and_is_not_sent_again(
    gw: Gateway, wa: Network
) -> None:
    ana = await _ana(gw, wa)
    await wa.fault("noAck", phone=ANA)
    answers: list[Json] = []
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            answers.append(await gw.send(ana, CUSTOMER, "did it go out?", status=504))

        nursery.start_soon(send)
        await until(lambda: _arrived(wa, ["did it go out?"]), "the customer has it")
        os.kill(await _cell_of(gw, ana), signal.SIGKILL)
    assert answers[0]["code"] == "upstream_timeout"
    await wa.lift()
    await gw.until_connected(ana)
    (message,) = await until(lambda: _settled(gw, ana), "its state is known")
    assert message["status"] == "unknown"
    await gw.send(ana, CUSTOMER, "next")
    await until(lambda: _arrived(wa, ["did it go out?", "next"]), "each arrived once")


async def test_a_message_in_the_air_when_the_gateway_dies_is_unknown_after_its_restart(
    gw: Gateway, wa: Network
) -> None:
    ana = await _ana(gw, wa)
    await wa.fault("noAck", phone=ANA)
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            try:
                await gw.send(ana, CUSTOMER, "in the air")
            except httpx.TransportError:
                return  # as it should be: the gateway is gone

        nursery.start_soon(send)
        await until(lambda: _arrived(wa, ["in the air"]), "the customer has it")
        await gw.kill()
    await wa.lift()
    await gw.start()
    await gw.until_connected(ana)
    (message,) = await gw.messages(ana)
    assert message["status"] == "unknown"
    updates = await _updates(gw, ana)
    assert updates[-1]["status"] == "unknown"
    assert await wa.texts(CUSTOMER) == ["in the air"]


async def test_once_acknowledged_a_message_stays_sent_whatever_dies(gw: Gateway, wa: Network) -> None:
    ana = await _ana(gw, wa)
    sent = await gw.send(ana, CUSTOMER, "safe")
    os.kill(await _cell_of(gw, ana), signal.SIGKILL)
    await gw.kill()
    await gw.start()
    await gw.until_connected(ana)
    message = await gw.call("GET", f"/api/messages/{sent['messageId']}", session=ana)
    # The row may have been written after the answer: then it is unknown, never lost, and never sent again.
    assert message["status"] in {"sent", "delivered", "unknown"}
    assert await wa.texts(CUSTOMER) == ["safe"]


async def test_cells_killed_at_random_lose_no_message_and_double_none(gw: Gateway, wa: Network) -> None:
    ana = await _ana(gw, wa)
    rng = random.Random(20261122)
    outcomes: dict[str, int] = {}
    async with trio.open_nursery() as nursery:

        async def kill() -> None:
            for _ in range(6):
                enough = list(outcomes.values()).count(200) + rng.randrange(2, 6)
                while list(outcomes.values()).count(200) < enough:
                    await trio.sleep(rng.uniform(0, 0.01))
                os.kill(await _cell_of(gw, ana), signal.SIGKILL)
                await until(lambda: _is_not(gw, ana, "connected"), "the kill is noticed")
                await gw.until_connected(ana)
            nursery.cancel_scope.cancel()

        nursery.start_soon(kill)
        number = 0
        while True:
            number += 1
            text = f"message {number}"
            outcomes[text] = 0  # asked, and no answer heard yet
            answer = await gw.http.post(
                "/api/messages/text", json={"phone": CUSTOMER, "message": text}, headers=ana.headers
            )
            outcomes[text] = answer.status_code
            if answer.status_code == 503:
                await trio.sleep(0.02)
    assert set(outcomes.values()) <= {0, 200, 503, 504}
    acknowledged = [text for text, status in outcomes.items() if status == 200]
    assert len(acknowledged) >= 12

    async def all_arrived() -> bool:
        return set(acknowledged) <= set(await wa.texts(CUSTOMER))

    await until(all_arrived, "what was acknowledged has arrived")
    counted = Counter(await wa.texts(CUSTOMER))
    assert max(counted.values()) == 1, "a message was sent twice"
    refused = {text for text, status in outcomes.items() if status == 503}
    assert not refused & set(counted), "a message went out that was said not to"
    rows = {message["text"]: message["status"] for message in await _all_settled(gw, ana)}
    for text, status in outcomes.items():
        if status == 200:
            assert rows[text] in {"sent", "delivered", "read"}
        if status == 504:
            assert rows[text] in {"unknown", "delivered", "read"}


async def _ana(gw: Gateway, wa: Network) -> Session:
    await wa.phone(CUSTOMER)
    return await gw.pair("ana", ANA)


async def _cell_of(gw: Gateway, session: Session) -> int:
    return gw.cell_process((await gw.status(session))["cell"])


async def _is(gw: Gateway, session: Session, state: str) -> bool:
    return bool((await gw.status(session))["actual"] == state)


async def _is_not(gw: Gateway, session: Session, state: str) -> bool:
    return not await _is(gw, session, state)


async def _arrived(wa: Network, texts: list[str]) -> bool:
    return await wa.texts(CUSTOMER) == texts


async def _settled(gw: Gateway, session: Session) -> list[Json]:
    """Its messages, once none of them is on its way any more."""
    messages = await gw.messages(session)
    return [] if any(message["status"] in PENDING for message in messages) else messages


async def _all_settled(gw: Gateway, session: Session) -> list[Json]:
    return list(await until(lambda: _settled(gw, session), "all messages have their outcome"))


async def _updates(gw: Gateway, session: Session) -> list[Json]:
    answer = await gw.http.get(
        "/api/events", params={"after": "0", "events": "messages.update"}, headers=session.headers
    )
    assert answer.is_success, answer.text
    return [event["data"] for event in answer.json()["events"]]
