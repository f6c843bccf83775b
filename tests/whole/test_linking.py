"""A session's link to its account: made by code, ended from either side, troubled by the network."""

from datetime import UTC, datetime

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, CUSTOMER = "628160000001", "628160000002"


async def test_a_session_is_paired_by_a_code_that_is_typed_into_the_phone(gw: Gateway, wa: Network) -> None:
    await wa.phone(ANA)
    made = await gw.call("POST", "/api/sessions", {"id": "ana", "name": "Ana", "start": False}, status=201)
    session = Session("ana", ANA, made["apiKey"])
    asked = await gw.call("POST", "/api/session/pairing-code", {"phone": ANA}, session=session)
    answer = await wa.control.post(f"/phones/{ANA}/enter-code", json={"code": asked["code"]})
    assert answer.is_success, answer.text
    await gw.until_connected(session)
    me = await gw.call("GET", "/api/session/me", session=session)
    assert (me["phone"], me["jid"]) == (ANA, f"{ANA}@s.whatsapp.net")


async def test_a_session_unlinked_on_the_phone_says_so_and_can_be_paired_anew(
    gw: Gateway, wa: Network
) -> None:
    ana = await gw.pair("ana", ANA)
    (await wa.control.post(f"/phones/{ANA}/unlink", json={})).raise_for_status()
    await _until_state(gw, ana, "logged_out")
    refused = await gw.send(ana, CUSTOMER, "?", status=403)
    assert refused["code"] == "session_logged_out"
    await gw.call("POST", "/api/session/start", session=ana)
    await _scan(gw, wa, ana)
    await gw.until_connected(ana)


async def test_a_logout_unlinks_the_device_on_the_phone(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    status = await gw.call("POST", "/api/session/logout", session=ana)
    assert status["actual"] == "logged_out"
    phone = (await wa.control.get(f"/phones/{ANA}")).json()
    assert not any(device["linked"] for device in phone["devices"])
    assert (await gw.call("GET", "/api/session/me", session=ana))["jid"] is None
    await gw.kill()
    await gw.start()
    assert (await gw.status(ana))["actual"] == "logged_out"


async def test_a_broken_connection_comes_back_by_itself(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    before = await gw.status(ana)
    for kind, code in (("drop", None), ("streamError", 503), ("streamError", 515)):
        marks = len(await _states(gw, ana))
        await wa.fault(kind, phone=ANA, code=code)
        if code != 515:  # after which the library reconnects without a word

            async def gone(marks: int = marks) -> bool:
                return "reconnecting" in (await _states(gw, ana))[marks:]

            await until(gone, f"the loss is noticed: {kind} {code}")
        await gw.until_connected(ana)
        await gw.send(ana, CUSTOMER, f"after {kind} {code}")
    after = await gw.status(ana)
    assert after["restarts"] == before["restarts"], "a client was started anew"


async def test_a_ban_is_told_with_its_end_and_waited_out(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.fault("refuseLogin", phone=ANA, code=402, banCode=101, banSeconds=3, count=1)
    await wa.fault("drop", phone=ANA)
    await _until_state(gw, ana, "restricted")
    refused = await gw.send(ana, CUSTOMER, "?", status=403)
    assert refused["code"] == "account_restricted"
    assert datetime.fromisoformat(refused["until"]) > datetime.now(UTC)
    await gw.until_connected(ana)

    async def well() -> list[str]:
        states = [event["state"] for event in await _events(gw, ana, "account.health")]
        return states if states[-1:] == ["ok"] else []

    assert await until(well, "the account is well again") == ["banned", "ok"]


async def test_a_client_replaced_by_another_waits_for_its_user(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.fault("replaced", phone=ANA)
    await _until_state(gw, ana, "failed")
    assert "another client" in (await gw.status(ana))["lastError"]
    await gw.call("POST", "/api/session/start", session=ana)
    await gw.until_connected(ana)


async def test_receipts_move_a_message_forward_and_an_error_fails_it(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER, auto_read=True)
    sent = await gw.send(ana, CUSTOMER, "read me")

    async def read() -> bool:
        message = await gw.call("GET", f"/api/messages/{sent['messageId']}", session=ana)
        return bool(message["status"] == "read")

    await until(read, "the message is read")
    updates = [event["status"] for event in await _events(gw, ana, "messages.update")]
    assert updates == ["sent", "delivered", "read"]
    await wa.fault("ackError", phone=ANA, code=463, count=1)
    refused = await gw.send(ana, CUSTOMER, "too many strangers", status=403)
    assert refused["code"] == "account_restricted"
    assert (await gw.messages(ana))[0]["status"] == "failed"


async def test_numbers_are_checked_many_at_a_time(gw: Gateway, wa: Network) -> None:
    ana = await gw.pair("ana", ANA)
    await wa.phone(CUSTOMER)
    answer = await gw.http.post(
        "/api/contacts/check", json={"phones": [CUSTOMER, "628169999999", ANA]}, headers=ana.headers
    )
    assert answer.status_code == 200, answer.text
    assert [(each["phone"], each["exists"]) for each in answer.json()] == [
        (CUSTOMER, True),
        ("628169999999", False),
        (ANA, True),
    ]
    assert answer.json()[0]["lid"].endswith("@lid")


async def _scan(gw: Gateway, wa: Network, session: Session) -> None:
    async def qr() -> str | None:
        answer = await gw.http.get("/api/session/qr?format=raw", headers=session.headers)
        return answer.text if answer.is_success else None

    code = await until(qr, "there is a QR code")
    answer = await wa.control.post(f"/phones/{session.phone}/scan", json={"qr": code})
    assert answer.is_success, answer.text


async def _until_state(gw: Gateway, session: Session, state: str) -> None:
    async def reached() -> bool:
        return bool((await gw.status(session))["actual"] == state)

    await until(reached, f"{session.id} is {state}")


async def _states(gw: Gateway, session: Session) -> list[str]:
    return [event["status"] for event in await _events(gw, session, "session.status")]


async def _events(gw: Gateway, session: Session, name: str) -> list[Json]:
    """The data of its events of this name, oldest first."""
    answer = await gw.http.get(
        "/api/events", params={"after": "0", "events": name, "limit": "500"}, headers=session.headers
    )
    assert answer.is_success, answer.text
    return [event["data"] for event in answer.json()["events"]]
