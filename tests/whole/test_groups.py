"""Groups as two sessions and a simulated phone see them, over a loopback network."""

import base64
import io
from functools import partial
from typing import Any

from PIL import Image

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, BEA, CLEO, STRANGER = "628150000001", "628150000002", "628150000003", "628150000099"


async def test_groups_are_the_same_to_all_their_members_whoever_changes_them(
    gw: Gateway, wa: Network
) -> None:
    await wa.phone(CLEO)
    ana, bea = await gw.pair("ana", ANA), await gw.pair("bea", BEA)
    await _changed_and_told_of(gw, wa, ana, bea)
    await _joined_by_a_link_until_it_is_revoked(gw, wa, ana, bea)
    await _members_come_go_and_rise(gw, wa, ana, bea)


async def _changed_and_told_of(gw: Gateway, wa: Network, ana: Session, bea: Session) -> None:
    group = await _made(gw, ana, bea)
    at = f"/api/chats/groups/{group}"

    changes = {
        "subject": "Trip 2027",
        "description": "Where to?",
        "announce": True,
        "ephemeralSeconds": 86400,
    }
    changed = await gw.call("PATCH", at, changes, session=ana)
    assert {name: changed[name] for name in changes} == changes
    assert not changed["locked"]
    told = {"subject": "Trip 2027", "description": "Where to?", "announce": True, "ephemeralSeconds": 86400}
    for name, value in told.items():
        event = await until(partial(_event, gw, bea, "groups.update", group, name), f"Bea is told: {name}")
        assert event[name] == value
    seen = await gw.call("GET", at, session=bea)
    assert {name: seen[name] for name in told} == told
    gone = await gw.call(
        "PATCH", at, {"description": "", "announce": False, "ephemeralSeconds": 0}, session=ana
    )
    assert (gone["description"], gone["announce"], gone["ephemeralSeconds"]) == ("", False, 0)

    picture = {"imageBase64": base64.b64encode(_png()).decode()}
    put = await gw.call("PUT", f"{at}/picture", picture, session=ana)
    shown = await gw.call("GET", f"/api/contacts/{group}/picture", session=bea)
    assert shown["id"] == put["id"]
    (on_phone,) = (await wa.control.get(f"/phones/{CLEO}/groups")).json()["groups"]
    assert (on_phone["subject"], on_phone["picture"]) == ("Trip 2027", True)
    await gw.call("DELETE", f"{at}/picture", session=ana, status=501)

    refused = await gw.call("PATCH", at, {"subject": "x", "approvalMode": True}, session=ana, status=501)
    assert refused["code"] == "not_possible"
    assert (await gw.call("GET", at, session=ana))["subject"] == "Trip 2027"

    # Bea is a plain member.
    await gw.call("PATCH", at, {"locked": True}, session=ana)
    refused = await gw.call("PATCH", at, {"subject": "Mine"}, session=bea, status=403)
    assert refused["code"] == "not_group_admin"
    refused = await gw.call(
        "POST", f"{at}/participants/promote", {"participants": [BEA]}, session=bea, status=403
    )
    assert refused["code"] == "not_group_admin"

    names = {each["jid"]: each["subject"] for each in (await _groups(gw, bea))}
    assert names == {group: "Trip 2027"}

    # Bea leaves, and is a stranger from then on.
    await gw.call("POST", f"{at}/leave", session=bea, status=204)
    assert await _groups(gw, bea) == []
    refused = await gw.call("GET", at, session=bea, status=403)
    assert refused["code"] == "not_group_member"
    unknown = await gw.call("GET", "/api/chats/groups/120363000000000000@g.us", session=bea, status=404)
    assert unknown["code"] == "group_not_found"
    left = await until(lambda: _participants(gw, ana, group, "remove"), "Ana is told that Bea left")
    assert (left["participants"], left["author"]) == ([f"{BEA}@s.whatsapp.net"], f"{BEA}@s.whatsapp.net")
    assert left["participantsAlt"][0].endswith("@lid")


async def _members_come_go_and_rise(gw: Gateway, wa: Network, ana: Session, bea: Session) -> None:
    made = await gw.call("POST", "/api/chats/groups", {"subject": "Few", "participants": [CLEO]}, session=ana)
    group, at = made["jid"], f"/api/chats/groups/{made['jid']}"

    people = {"participants": [BEA, STRANGER, CLEO]}
    added = await gw.call("POST", f"{at}/participants", people, session=ana)
    outcome = {each["phone"]: each.get("error") for each in added["participants"]}
    assert outcome[BEA] is None
    assert outcome[STRANGER] == "not_on_whatsapp"
    await gw.call("POST", "/api/messages/text", {"to": group, "message": "welcome"}, session=ana)
    await until(lambda: _has(gw, bea, ["welcome"]), "the newcomer has the next message")
    await until(lambda: _phone_has(wa, CLEO, "welcome"), "and so has who was there")

    risen = await gw.call("POST", f"{at}/participants/promote", {"participants": [BEA]}, session=ana)
    assert [each.get("error") for each in risen["participants"]] == [None]
    roles = await _roles(gw, bea, group)
    assert roles == {ANA: "superadmin", BEA: "admin", CLEO: "member"}
    await gw.call("POST", f"{at}/participants/demote", {"participants": [BEA]}, session=ana)
    assert (await _roles(gw, ana, group))[BEA] == "member"
    gone = await gw.call("DELETE", f"{at}/participants", {"participants": [CLEO, STRANGER]}, session=ana)
    assert {each["phone"]: each.get("error") for each in gone["participants"]} == {
        CLEO: None,
        STRANGER: "not_on_whatsapp",
    }
    again = await gw.call("DELETE", f"{at}/participants", {"participants": [CLEO]}, session=ana)
    assert [each["error"] for each in again["participants"]] == ["not_member"]
    shy = {"privacy": {"groupadd": "none"}}
    (await wa.control.patch(f"/phones/{CLEO}", json=shy)).raise_for_status()
    invited = await gw.call("POST", f"{at}/participants", {"participants": [CLEO]}, session=ana)
    assert [each["error"] for each in invited["participants"]] == ["privacy"]
    assert invited["participants"][0]["inviteCode"]
    nobody = {"participants": [STRANGER]}
    refused = await gw.call("POST", f"{at}/participants", nobody, session=ana, status=404)
    assert refused["code"] == "recipient_not_on_whatsapp"
    for action in ("promote", "demote", "remove"):
        await until(partial(_participants, gw, bea, group, action), f"Bea is told of {action}")


async def _joined_by_a_link_until_it_is_revoked(gw: Gateway, wa: Network, ana: Session, bea: Session) -> None:
    made = await gw.call(
        "POST", "/api/chats/groups", {"subject": "Open", "participants": [CLEO]}, session=ana
    )
    at = f"/api/chats/groups/{made['jid']}"
    invite = await gw.call("GET", f"{at}/invite", session=ana)
    assert invite["link"] == f"https://chat.whatsapp.com/{invite['code']}"
    seen = await gw.call("GET", f"/api/chats/groups/preview?invite={invite['code']}", session=bea)
    assert (seen["jid"], seen["subject"]) == (made["jid"], "Open")
    # Ana's phone wants to be asked first, and lets Bea in.
    phone = f"/phones/{ANA}/groups/{made['jid']}"
    (await wa.control.patch(phone, json={"approvalMode": True})).raise_for_status()
    asked = await gw.call("POST", "/api/chats/groups/join", {"invite": invite["link"]}, session=bea)
    assert asked == {"jid": made["jid"], "status": "requested"}
    await gw.call("GET", f"/api/lids/by-phone/{BEA}", session=ana)  # or Ana knows the LID alone
    (request,) = (await gw.call("GET", f"{at}/requests", session=ana))["requests"]
    assert (request["phone"], request["jid"]) == (BEA, f"{BEA}@s.whatsapp.net")
    await until(partial(_event, gw, ana, "groups.update", made["jid"], "joinRequests"), "Ana is told")
    only = {"participants": [BEA]}
    refused = await gw.call("POST", f"{at}/requests/approve", only, session=ana, status=501)
    assert refused["code"] == "not_possible"
    let_in = {"action": "approve", **only}
    (await wa.control.post(f"{phone}/participants", json=let_in)).raise_for_status()
    joined = {"jid": made["jid"], "status": "joined"}
    again = await gw.call("POST", "/api/chats/groups/join", {"invite": invite["code"]}, session=bea)
    assert again == joined
    assert BEA in await _roles(gw, ana, made["jid"])

    fresh = await gw.call("POST", f"{at}/invite/revoke", session=ana)
    assert fresh["code"] != invite["code"]
    body = {"invite": invite["code"]}
    refused = await gw.call("POST", "/api/chats/groups/join", body, session=bea, status=410)
    assert refused["code"] == "invite_revoked"
    nowhere = {"invite": "AAAAAAAAAAAAAAAAAAAAAA"}
    refused = await gw.call("POST", "/api/chats/groups/join", nowhere, session=bea, status=404)
    assert refused["code"] == "invite_not_found"
    refused = await gw.call("POST", f"{at}/invite/revoke", session=bea, status=403)
    assert refused["code"] == "not_group_admin"
    assert await gw.call("GET", f"{at}/requests", session=ana) == {"requests": []}


async def _made(gw: Gateway, ana: Session, bea: Session) -> str:
    """A group of Ana, Bea and Cleo's phone, which Bea has heard of."""
    body = {"subject": "Trip", "participants": [BEA, CLEO, STRANGER]}
    made = await gw.call("POST", "/api/chats/groups", body, session=ana)
    assert made["subject"] == "Trip"
    assert made["owner"] == f"{ANA}@s.whatsapp.net"
    people = {each["phone"]: each for each in made["participants"]}
    assert {phone: each["role"] for phone, each in people.items()} == {
        ANA: "superadmin",
        BEA: "member",
        CLEO: "member",
        STRANGER: "member",
    }
    assert people[BEA]["jid"] == f"{BEA}@s.whatsapp.net"
    assert people[BEA]["alt"].endswith("@lid")
    assert {phone: each.get("error") for phone, each in people.items() if each.get("error")} == {
        STRANGER: "not_on_whatsapp"
    }
    assert made["size"] == 3

    async def heard() -> list[Json]:
        return [each for each in await _events(gw, bea, "groups.upsert") if each["jid"] == made["jid"]]

    (event,) = await until(heard, "Bea hears of the group")
    assert event["subject"] == "Trip"
    return str(made["jid"])


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(file, "PNG")
    return file.getvalue()


async def _groups(gw: Gateway, session: Session) -> list[Json]:
    return list((await gw.call("GET", "/api/chats/groups", session=session))["groups"])


async def _roles(gw: Gateway, session: Session, group: str) -> dict[str, str]:
    answer = await gw.call("GET", f"/api/chats/groups/{group}/participants", session=session)
    return {each["phone"]: each["role"] for each in answer["participants"]}


async def _events(gw: Gateway, session: Session, name: str) -> list[Json]:
    query = {"after": "0", "events": name, "limit": "500"}
    answer = await gw.http.get("/api/events", params=query, headers=session.headers)
    assert answer.is_success, answer.text
    return [event["data"] for event in answer.json()["events"]]


async def _event(gw: Gateway, session: Session, name: str, group: str, field: str) -> Any:
    found = [e for e in await _events(gw, session, name) if e["jid"] == group and field in e]
    return found[-1] if found else None


async def _participants(gw: Gateway, session: Session, group: str, action: str) -> Any:
    events = await _events(gw, session, "group-participants.update")
    return next((e for e in events if e["jid"] == group and e["action"] == action), None)


async def _has(gw: Gateway, session: Session, texts: list[str]) -> bool:
    return await gw.received(session) == texts


async def _phone_has(wa: Network, phone: str, text: str) -> bool:
    return text in await wa.texts(phone)
