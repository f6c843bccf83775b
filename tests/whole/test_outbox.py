"""Queued messages through disconnections, a kill of the gateway, pauses, and WhatsApp's own restriction."""

import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, CUSTOMER, FRIEND, STRANGER, OTHER_STRANGER = (f"62817000000{n}" for n in range(1, 6))


async def test_what_is_queued_is_sent_once_in_order_and_only_if_still_wanted(
    gw: Gateway, wa: Network
) -> None:
    for phone in (CUSTOMER, FRIEND, STRANGER, OTHER_STRANGER):
        await wa.phone(phone)
    ana = await gw.pair("ana", ANA)
    await wa.write(FRIEND, ANA, "hello")
    await until(lambda: _received(gw, ana, "hello"), "the friend's message is stored")
    await _disconnected(gw, wa, ana)
    await _strangers_are_out_of_reach(gw, wa, ana)
    await _killed(gw, wa, ana)


async def _disconnected(gw: Gateway, wa: Network, ana: Session) -> None:
    """What is queued meanwhile goes when the session is back, but for what is expired, held or cancelled."""
    await wa.fault("refuseConnection")
    os.kill(gw.cell_process((await gw.status(ana))["cell"]), signal.SIGKILL)
    await until(lambda: _is(gw, ana, "reconnecting"), "the loss is noticed")

    kept = [await _queue(gw, ana, f"kept {number}") for number in range(3)]
    assert [each["position"] for each in kept] == [0, 1, 2]
    urgent = await _queue(gw, ana, "urgent", priority="high")
    assert urgent["position"] == 0
    late = await _queue(gw, ana, "too late", expiresAt=_in(0.2))
    await until(lambda: _has(gw, ana, late, "failed", "expired"), "it expires without a connection")
    unwanted = await _queue(gw, ana, "unwanted")
    await gw.call("POST", f"/api/messages/{unwanted['messageId']}/cancel", session=ana)
    refused = await gw.call("POST", f"/api/messages/{unwanted['messageId']}/cancel", session=ana, status=409)
    assert refused["code"] == "not_queued"

    paused, cancelled = await _batch(gw, ana, "held"), await _batch(gw, ana, "called off")
    assert (await _steer(gw, ana, paused, "pause"))["state"] == "paused"
    called_off = await _steer(gw, ana, cancelled, "cancel")
    assert called_off["counts"]["failed"] == 2
    assert called_off["done"]
    view = await gw.call("GET", "/api/queue", session=ana)
    assert view["queued"] == 6
    assert [each["text"] for each in view["messages"]] == [
        *("urgent", "kept 0", "kept 1", "kept 2", "held 0", "held 1")
    ]
    assert [each["held"] for each in view["messages"]] == [False] * 4 + [True] * 2

    await wa.lift()
    await gw.until_connected(ana, within=30)
    in_order = ["urgent", "kept 0", "kept 1", "kept 2"]
    await until(lambda: _arrived(wa, in_order), "what was kept arrives, in order")
    await _steer(gw, ana, paused, "resume")
    await until(lambda: _arrived(wa, [*in_order, "held 0", "held 1"]), "what was held goes on")
    await until(lambda: _done(gw, ana, paused), "the batch is done")
    await gw.call("POST", f"/api/messages/{late['messageId']}/retry", session=ana)
    await until(lambda: _arrived(wa, [*in_order, "held 0", "held 1", "too late"]), "it is sent after all")
    told = [each["status"] for each in await _events(gw, ana, "messages.update") if _is_about(each, late)]
    assert told[:3] == ["queued", "failed", "queued"]

    receipts = f"/api/messages/{urgent['messageId']}/receipts"
    (receipt,) = (await until(lambda: _receipts(gw, ana, receipts), "it is delivered"))["receipts"]
    assert receipt["participant"] == f"{CUSTOMER}@s.whatsapp.net"


async def _strangers_are_out_of_reach(gw: Gateway, wa: Network, ana: Session) -> None:
    """After WhatsApp's 463 cold messages wait or are refused at once, and known chats go on."""
    await wa.fault("unaskedError", phone=ANA)
    first = await gw.send(ana, STRANGER, "who are you?", status=403)
    assert first["code"] == "account_restricted"
    until_ = datetime.fromisoformat(first["until"])
    assert timedelta(hours=23) < until_ - datetime.now(UTC) <= timedelta(hours=24)
    await wa.lift()
    again = await gw.send(ana, OTHER_STRANGER, "and you?", status=403)
    assert again["until"] == first["until"], "refused without asking WhatsApp"
    cold = await _queue(gw, ana, "later then", phone=STRANGER)

    async def parked() -> bool:
        view = await gw.call("GET", "/api/scheduled", session=ana)
        found = {each["messageId"]: each["sendAt"] for each in view["messages"]}
        at = found.get(cold["messageId"])
        return at is not None and datetime.fromisoformat(at) >= until_

    await until(parked, "the queued message is put off")
    await gw.send(ana, FRIEND, "we know each other")
    health = await gw.call("GET", "/api/session/health", session=ana)
    assert (health["state"], datetime.fromisoformat(health["until"])) == ("restricted", until_)
    assert [each["state"] for each in await _events(gw, ana, "account.health")] == ["restricted"]
    await gw.call("DELETE", f"/api/scheduled/{cold['messageId']}", session=ana, status=204)


async def _killed(gw: Gateway, wa: Network, ana: Session) -> None:
    """A gateway killed with messages queued and one in the air sends the queued ones once, that one never."""
    await wa.fault("noAck", phone=ANA)
    queued = [await _queue(gw, ana, f"through {number}") for number in range(6)]
    await until(lambda: _arrived_among(wa, "through 0"), "the first is in the air")
    await gw.kill()
    await wa.lift()
    await gw.start()
    await gw.until_connected(ana)
    await until(lambda: _arrived_among(wa, "through 5"), "the last arrives")
    await until(lambda: _empty(gw, ana), "nothing waits any more")
    texts = Counter(text for text in await wa.texts(CUSTOMER) if text.startswith("through"))
    assert texts == {f"through {number}": 1 for number in range(6)}
    statuses = [(await _message(gw, ana, each))["status"] for each in queued]
    assert statuses[0] == "unknown"
    assert set(statuses[1:]) <= {"sent", "delivered"}
    still = await gw.send(ana, STRANGER, "now?", status=403)
    assert still["code"] == "account_restricted", "the restriction outlives the gateway"


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def _queue(gw: Gateway, session: Session, text: str, phone: str = CUSTOMER, **more: Any) -> Json:
    answer = await gw.http.post(
        "/api/messages/text",
        json={"phone": phone, "message": text, **more},
        headers={**session.headers, "prefer": "respond-async"},
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"
    return dict(answer.json())


async def _batch(gw: Gateway, session: Session, text: str) -> str:
    items = [{"type": "text", "phone": CUSTOMER, "message": f"{text} {number}"} for number in range(2)]
    made = await gw.call("POST", "/api/messages/batch", {"items": items}, session=session, status=202)
    return str(made["batchId"])


async def _steer(gw: Gateway, session: Session, batch: str, action: str) -> Json:
    return await gw.call("POST", f"/api/batches/{batch}/{action}", session=session)


async def _done(gw: Gateway, session: Session, batch: str) -> bool:
    return bool((await gw.call("GET", f"/api/batches/{batch}", session=session))["done"])


async def _message(gw: Gateway, session: Session, queued: Json) -> Json:
    return await gw.call("GET", queued["statusUrl"], session=session)


async def _has(gw: Gateway, session: Session, queued: Json, status: str, error: str) -> bool:
    message = await _message(gw, session, queued)
    return (message["status"], message["error"]) == (status, error)


async def _empty(gw: Gateway, session: Session) -> bool:
    messages = await gw.messages(session, fromMe="true")
    return not any(each["status"] in {"queued", "sending"} for each in messages)


async def _receipts(gw: Gateway, session: Session, path: str) -> Json | None:
    view = await gw.call("GET", path, session=session)
    return view if any(each["deliveredAt"] for each in view["receipts"]) else None


async def _received(gw: Gateway, session: Session, text: str) -> bool:
    return text in await gw.received(session)


async def _arrived(wa: Network, texts: list[str]) -> bool:
    return await wa.texts(CUSTOMER) == texts


async def _arrived_among(wa: Network, text: str) -> bool:
    return text in await wa.texts(CUSTOMER)


async def _is(gw: Gateway, session: Session, state: str) -> bool:
    return bool((await gw.status(session))["actual"] == state)


async def _events(gw: Gateway, session: Session, name: str) -> list[Json]:
    answer = await gw.http.get(
        "/api/events", params={"after": "0", "events": name, "limit": "500"}, headers=session.headers
    )
    assert answer.is_success, answer.text
    return [event["data"] for event in answer.json()["events"]]


def _is_about(update: Json, queued: Json) -> bool:
    return bool(update["key"]["id"] == queued["messageId"])
