"""Chats and contacts as sessions and a simulated phone see them, over a loopback network."""

import base64
from functools import partial
from typing import Any

from actors.whatsapp.proto import e2e
from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, BEA, CLEO, STRANGER = "628160000001", "628160000002", "628160000003", "628160000099"


def jid(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


async def test_chats_are_listed_read_shown_as_typing_and_forgotten(gw: Gateway, wa: Network) -> None:
    await wa.phone(CLEO)
    ana, bea = await gw.pair("ana", ANA), await gw.pair("bea", BEA)
    for text in ("one", "two"):
        await gw.send(bea, ANA, text)
    await wa.write(CLEO, ANA, "hello Ana")
    await until(lambda: _unread(gw, ana, {BEA: 2, CLEO: 1}), "all have come, unread")
    await gw.send(ana, CLEO, "hello Cleo")
    (newest, older) = await _chats(gw, ana)
    assert (newest["jid"], newest["type"], newest["name"]) == (jid(CLEO), "user", "Phone 03")
    assert (newest["lastMessage"]["text"], newest["unreadCount"]) == ("hello Cleo", 1)
    assert (older["jid"], older["lastMessage"]["text"], older["unreadCount"]) == (jid(BEA), "two", 2)
    assert older["alt"].endswith("@lid")
    assert [each["jid"] for each in await _chats(gw, ana, q="phone 03")] == [jid(CLEO)]
    page = await gw.call("GET", "/api/chats?limit=1", session=ana)
    rest = await gw.call("GET", f"/api/chats?limit=1&cursor={page['cursor']}", session=ana)
    assert [each["jid"] for each in (*page["chats"], *rest["chats"])] == [jid(CLEO), jid(BEA)]
    assert rest["cursor"] is None

    # Read, here and for who wrote.
    assert await gw.call("POST", f"/api/chats/{BEA}/read", session=ana) == {"read": 2}
    await until(lambda: _unread(gw, ana, {BEA: 0, CLEO: 1}), "nothing of Bea's is unread")

    async def told() -> bool:
        return [each["status"] for each in await gw.messages(bea)] == ["read", "read"]

    await until(told, "Bea is told that both were read")
    assert await gw.call("POST", f"/api/chats/{older['alt']}/read", session=ana) == {"read": 0}
    by_lid = await gw.call("GET", f"/api/chats/{older['alt']}", session=ana)
    assert by_lid["jid"] == jid(BEA)
    assert by_lid["settings"] == {"archived": False, "pinned": False, "muted": False, "mutedUntil": None}
    found = await gw.call("GET", f"/api/chats/{BEA}/messages", session=ana)
    assert [each["text"] for each in found["messages"]] == ["two", "one"]

    # Bea sees Ana write, record and stop.
    for state in ("composing", "recording", "paused"):
        await gw.call("POST", f"/api/chats/{BEA}/typing", {"state": state}, session=ana, status=204)
        await until(partial(_typing, gw, bea, state), f"Bea sees {state}")

    # What is written to Cleo from now on disappears, and Cleo's phone knows.
    await gw.call("POST", f"/api/chats/{CLEO}/disappearing", {"seconds": 86400}, session=ana, status=204)

    async def timed() -> bool:
        raw = [base64.b64decode(each["raw"]) for each in await wa.inbox(CLEO)]
        timers = [e2e.Message.FromString(each).protocolMessage.ephemeralExpiration for each in raw]
        return 86400 in timers

    await until(timed, "Cleo's phone has the timer")

    # What the phone sets is shown, and cannot be set from here.
    put = {"chat": BEA, "archived": True, "pinned": True, "mutedUntil": -1}
    (await wa.control.patch(f"/phones/{ANA}/settings", json=put)).raise_for_status()
    await until(partial(_settings, gw, ana, {"archived": True, "pinned": True, "muted": True}), "it is shown")
    refused = await gw.call("POST", f"/api/chats/{BEA}/archive", session=ana, status=501)
    assert refused["code"] == "not_possible"

    # Forgotten here; on the phone it stays.
    await gw.call("DELETE", f"/api/chats/{older['alt']}", session=ana, status=204)
    assert [each["jid"] for each in await _chats(gw, ana)] == [jid(CLEO)]
    await gw.call("DELETE", f"/api/chats/{BEA}", session=ana, status=404)
    assert (await gw.call("GET", f"/api/chats/{BEA}", session=ana))["lastMessage"] is None


async def test_contacts_are_known_looked_up_and_blocked(gw: Gateway, wa: Network) -> None:
    await wa.phone(CLEO)
    ana = await gw.pair("ana", ANA)
    await wa.phone(BEA)
    await wa.write(CLEO, ANA, "it is me")
    await until(lambda: _received(gw, ana, ["it is me"]), "Ana has it")

    checked = await gw.http.post("/api/contacts/check", json={"phones": [BEA, STRANGER]}, headers=ana.headers)
    assert [(each["phone"], each["exists"]) for each in checked.json()] == [(BEA, True), (STRANGER, False)]
    addresses = await gw.call("GET", f"/api/lids/by-phone/{BEA}", session=ana)
    assert (addresses["phone"], addresses["jid"]) == (BEA, jid(BEA))
    assert await gw.call("GET", f"/api/lids/{addresses['lid']}", session=ana) == addresses
    await gw.call("GET", "/api/lids/999999999999999", session=ana, status=404)
    await gw.call("GET", f"/api/lids/by-phone/{STRANGER}", session=ana, status=404)

    named = {"contact": CLEO, "fullName": "Cleo of the Book", "firstName": "Cleo"}
    (await wa.control.patch(f"/phones/{ANA}/settings", json=named)).raise_for_status()

    async def known() -> bool:
        found = await gw.call("GET", f"/api/contacts/{CLEO}", session=ana)
        return (found["name"], found["pushName"]) == ("Cleo of the Book", "Phone 03")

    await until(known, "the phone's name for Cleo and her own are known")
    listed = {each["jid"]: each for each in (await gw.call("GET", "/api/contacts", session=ana))["contacts"]}
    assert listed[jid(CLEO)]["pushName"] == "Phone 03"
    assert (listed[jid(CLEO)]["phone"], listed[jid(CLEO)]["name"]) == (CLEO, "Cleo of the Book")
    assert [each["name"] for each in await _chats(gw, ana)] == ["Cleo of the Book"]
    found = (await gw.call("GET", "/api/contacts?q=phone%2003", session=ana))["contacts"]
    assert [each["jid"] for each in found] == [jid(CLEO)]
    cleo = await gw.call("GET", f"/api/contacts/{CLEO}", session=ana)
    assert (cleo["jid"], cleo["pushName"], cleo["blocked"]) == (jid(CLEO), "Phone 03", False)
    unknown = await gw.call("GET", f"/api/contacts/{STRANGER}", session=ana, status=404)
    assert unknown["code"] == "recipient_not_on_whatsapp"
    missing = await gw.call("GET", f"/api/contacts/{BEA}/picture", session=ana, status=404)
    assert (missing["code"], missing["detail"]) == ("picture_not_found", "There is no picture.")
    business = {"name": "Bea's Bakery"}
    told = {"about": "Baking", "business": business}
    (await wa.control.patch(f"/phones/{BEA}", json=told)).raise_for_status()
    assert (await gw.call("GET", f"/api/contacts/{BEA}/about", session=ana)) == {"about": "Baking"}
    shop = await gw.call("GET", f"/api/contacts/{BEA}/business", session=ana)
    assert shop == {"jid": jid(BEA), "verifiedName": "Bea's Bakery"}
    hidden = {"privacy": {"profile": "none", "status": "none"}}
    (await wa.control.patch(f"/phones/{BEA}", json=hidden)).raise_for_status()
    unseen = await gw.call("GET", f"/api/contacts/{BEA}/picture", session=ana, status=404)
    assert unseen["detail"] == "The picture is hidden from this account."
    assert (await gw.call("GET", f"/api/contacts/{BEA}/about", session=ana)) == {"about": None}
    assert (await gw.call("GET", f"/api/contacts/{CLEO}/business", session=ana, status=404))["code"] == (
        "business_not_found"
    )

    # Who is blocked reaches nobody, and does not learn of it.
    await gw.call("POST", f"/api/contacts/{CLEO}/block", session=ana, status=204)
    (blocked,) = (await gw.call("GET", "/api/contacts/blocked", session=ana))["contacts"]
    assert (blocked["jid"], blocked["phone"]) == (jid(CLEO), CLEO)
    assert (await gw.call("GET", f"/api/contacts/{blocked['alt']}", session=ana))["blocked"]
    await wa.write(CLEO, ANA, "are you there?")
    await gw.call("POST", f"/api/contacts/{CLEO}/unblock", session=ana, status=204)
    assert (await gw.call("GET", "/api/contacts/blocked", session=ana))["contacts"] == []
    await wa.write(CLEO, ANA, "hello again")
    await until(lambda: _received(gw, ana, ["it is me", "hello again"]), "only what came unblocked is there")
    await gw.call("POST", f"/api/contacts/{STRANGER}/block", session=ana, status=404)


async def _chats(gw: Gateway, session: Session, **query: str) -> list[Json]:
    answer = await gw.http.get("/api/chats", params=query, headers=session.headers)
    assert answer.is_success, answer.text
    return list(answer.json()["chats"])


async def _unread(gw: Gateway, session: Session, counts: dict[str, int]) -> bool:
    return {each["jid"]: each["unreadCount"] for each in await _chats(gw, session)} == {
        jid(phone): count for phone, count in counts.items()
    }


async def _settings(gw: Gateway, session: Session, expected: Json) -> bool:
    found = (await gw.call("GET", f"/api/chats/{BEA}", session=session))["settings"]
    return bool(expected.items() <= found.items())


async def _received(gw: Gateway, session: Session, texts: list[str]) -> bool:
    return await gw.received(session) == texts


async def _typing(gw: Gateway, session: Session, state: str) -> Any:
    query = {"after": "0", "events": "chat.presence"}
    answer = await gw.http.get("/api/events", params=query, headers=session.headers)
    return [each for each in answer.json()["events"] if each["data"]["state"] == state]
