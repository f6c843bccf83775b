"""The account, over two real sessions: what one does the other sees. Calls, and chats that are ignored."""

import base64
import io
import os
import signal
import ssl
from typing import Any

import httpx
import trio
from PIL import Image

from tests.whole.processes import Gateway, Json, Network, Session, until

ANA, BUDI, CUSTOMER = "628150000001", "628150000002", "628150000003"


async def both(gw: Gateway, **settings: Any) -> tuple[Session, Session]:
    """Ana, with these settings, and Budi."""
    made: dict[str, Session] = {}

    async def pair(name: str, phone: str, **more: Any) -> None:
        made[name] = await gw.pair(name, phone, **more)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair, "budi", BUDI)
        await pair("ana", ANA, **settings)
    return made["ana"], made["budi"]


async def events(gw: Gateway, session: Session, name: str) -> list[Json]:
    """The data of a session's events of that name, oldest first."""
    answer = await gw.call("GET", f"/api/events?events={name}&limit=500", session=session)
    return [event["data"] for event in answer["events"]]


async def one(gw: Gateway, session: Session, name: str, **facts: Any) -> Json:
    """The first event of that name with these facts, once it is there."""

    async def find() -> Json | None:
        found = await events(gw, session, name)
        return next((data for data in found if facts.items() <= data.items()), None)

    event: Json = await until(find, f"{name} with {facts}")
    return event


async def shown(wa: Network, phone: str) -> Json:
    """What the network knows of a phone's account."""
    return dict((await wa.control.get(f"/phones/{phone}")).raise_for_status().json())


def picture() -> str:
    """A wide picture, black but for a red middle."""
    image = Image.new("RGB", (900, 300), "black")
    image.paste((255, 0, 0), (300, 0, 600, 300))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


async def test_what_one_shows_of_itself_the_other_sees(gw: Gateway, wa: Network) -> None:
    ana, budi = await both(gw)
    await gw.send(budi, ANA, "hello")  # now they know each other
    profile = await gw.call("GET", "/api/profile", session=ana)
    assert (profile["jid"], profile["phone"]) == (f"{ANA}@s.whatsapp.net", ANA)
    assert profile["lid"].endswith("@lid")
    assert (profile["about"], profile["picture"]) == (None, None)
    refused = await gw.call("PUT", "/api/presence", {"available": True}, session=ana, status=409)
    assert refused["code"] == "no_push_name"

    changes = {"name": "Toko Ana", "about": "Open from nine to five"}
    changed = await gw.call("PATCH", "/api/profile", changes, session=ana)
    assert {name: changed[name] for name in changes} == changes
    assert (await gw.call("GET", "/api/session/me", session=ana))["pushName"] == "Toko Ana"
    await gw.send(ana, BUDI, "with my name")

    async def named() -> bool:
        upserts = await events(gw, budi, "messages.upsert")
        return any(data["pushName"] == "Toko Ana" for data in upserts)

    await until(named, "Budi is told Ana's name")
    about = await gw.call("GET", f"/api/contacts/{ANA}@s.whatsapp.net/about", session=budi)
    assert about["about"] == "Open from nine to five"

    set_picture = await gw.call("PUT", "/api/profile/picture", {"imageBase64": picture()}, session=ana)
    profile = await gw.call("GET", "/api/profile", session=ana)
    assert profile["picture"]["id"] == set_picture["id"]
    trust = ssl.create_default_context(cafile=wa.environment["TERZETTO_WHATSAPP_CA_FILE"])
    proxy = wa.environment["TERZETTO_WHATSAPP_PROXY"]
    async with httpx.AsyncClient(proxy=proxy, verify=trust, trust_env=False) as outside:
        image = Image.open(io.BytesIO((await outside.get(profile["picture"]["url"])).content))
    assert (image.format, image.size) == ("JPEG", (300, 300))
    corner = image.getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert corner[0] > 200 > corner[1]  # the middle of what was given
    seen = await gw.call("GET", f"/api/contacts/{ANA}@s.whatsapp.net/picture", session=budi)
    assert seen["url"] == profile["picture"]["url"]
    told = await one(gw, ana, "contacts.update", picture="changed")
    assert (told["jid"], told["jidAlt"]) == (profile["jid"], profile["lid"])

    link = await gw.call("GET", "/api/profile/qr", session=ana)
    assert link["link"].startswith("https://wa.me/qr/")
    assert await gw.call("GET", "/api/profile/qr?format=json", session=ana) == link
    drawn = await gw.http.get("/api/profile/qr?format=png", headers=ana.headers)
    assert drawn.headers["content-type"] == "image/png"
    assert await gw.call("POST", "/api/profile/qr/revoke", session=ana) != link
    timer = {"ephemeralSeconds": 86400}
    assert await gw.call("PUT", "/api/profile/disappearing", timer, session=ana) == timer
    phone = await shown(wa, ANA)
    assert (phone["pushName"], phone["about"]) == ("Toko Ana", "Open from nine to five")
    assert (phone["pictureId"], phone["disappearingSeconds"]) == (set_picture["id"], 86400)

    changed = await gw.call("PATCH", "/api/profile", {"about": None}, session=ana)
    assert (changed["name"], changed["about"]) == ("Toko Ana", None)

    privacy = await gw.call("GET", "/api/profile/privacy", session=ana)
    assert (privacy["profile"], privacy["readReceipts"], privacy["callAdd"]) == ("all", "all", "all")
    wish = {"profile": "none", "lastSeen": "contacts", "online": "match_last_seen", "callAdd": "known"}
    changed = await gw.call("PATCH", "/api/profile/privacy", wish, session=ana)
    assert changed == privacy | wish
    assert await gw.call("GET", "/api/profile/privacy", session=ana) == changed
    kept = (await shown(wa, ANA))["privacy"]
    assert {name: kept[name] for name in ("profile", "last", "online", "calladd", "status")} == {
        "profile": "none",
        "last": "contacts",
        "online": "match_last_seen",
        "calladd": "known",
        "status": "all",
    }
    hidden = await gw.call("GET", f"/api/contacts/{ANA}@s.whatsapp.net/picture", session=budi, status=404)
    assert hidden["code"] == "picture_not_found"

    # Presence: told to who is online, and shown again after a link that broke.
    await gw.call("PATCH", "/api/profile", {"name": "Budi"}, session=budi)
    await gw.call("PUT", "/api/presence", {"available": True}, session=budi)
    await gw.call("POST", "/api/presence/subscribe", {"to": ANA}, session=budi, status=204)
    await gw.call("PUT", "/api/presence", {"available": True}, session=ana)
    online = await one(gw, budi, "presence.update", online=True)
    assert (online["jid"], online["jidAlt"]) == (profile["jid"], profile["lid"])
    await wa.fault("drop", phone=ANA)

    async def offline_and_back() -> bool:
        told = [each["online"] for each in await events(gw, budi, "presence.update")]
        return told == [False, True, False, True]

    await until(offline_and_back, "Ana is shown as online again")
    await gw.call("PUT", "/api/presence", {"available": False}, session=ana)

    async def offline() -> bool:
        return not (await gw.call("GET", f"/api/presence/{ANA}", session=budi))["online"]

    await until(offline, "Ana is shown as offline")
    assert (await shown(wa, ANA))["available"] is False
    by_lid = await gw.call("GET", f"/api/presence/{profile['lid']}", session=budi)
    assert by_lid["jid"] == profile["jid"]

    # WhatsApp does it, and its answer is lost.
    await wa.fault("stall", phone=ANA)
    async with trio.open_nursery() as nursery:

        async def go_away() -> None:
            lost = await gw.call("PATCH", "/api/profile", {"about": "Away"}, session=ana, status=504)
            assert lost["code"] == "upstream_timeout"

        nursery.start_soon(go_away)

        async def away() -> bool:
            return bool((await shown(wa, ANA))["about"] == "Away")

        await until(away, "the network has the new text")
        os.kill(gw.cell_process((await gw.status(ana))["cell"]), signal.SIGKILL)


async def test_calls_are_declined_by_hand_or_by_themselves_and_ignored_chats_are_not_heard(
    gw: Gateway, wa: Network
) -> None:
    ana, budi = await both(gw, ignore={"groups": True, "chats": [f"{CUSTOMER}@s.whatsapp.net"]})
    await wa.phone(CUSTOMER)

    async def ring(caller: str, callee: str) -> str:
        answer = await wa.control.post(f"/phones/{caller}/calls", json={"to": callee})
        assert answer.is_success, answer.text
        return str(answer.json()["callId"])

    async def state(call: str) -> str:
        found = (await wa.control.get(f"/phones/{CUSTOMER}/calls")).json()["calls"]
        return str(next(each["state"] for each in found if each["callId"] == call))

    call = await ring(CUSTOMER, BUDI)
    offered = await one(gw, budi, "call", callId=call, stage="offered")
    assert offered["from"] == f"{CUSTOMER}@s.whatsapp.net"
    assert offered["fromAlt"].endswith("@lid")
    body = {"from": CUSTOMER}
    await gw.call("POST", f"/api/calls/{call}/reject", body, session=budi, status=204)

    async def declined() -> bool:
        return await state(call) == "rejected"

    await until(declined, "the first call is declined")
    rejected = await one(gw, budi, "call", callId=call, stage="rejected")
    assert rejected["from"] == offered["from"]

    settings = {"autoRejectCalls": {"message": "Please write to us."}}
    await gw.call("PATCH", "/api/session", settings, session=budi)
    call = await ring(CUSTOMER, BUDI)
    await until(declined, "the second call is declined by itself")

    async def answered() -> bool:
        return await wa.texts(CUSTOMER) == ["Please write to us."]

    await until(answered, "the caller is written to")
    await one(gw, budi, "call", callId=call, stage="rejected")

    # Ana does not hear of groups, nor of this customer, by number or LID.
    group = await gw.call(
        "POST", "/api/chats/groups", {"subject": "Family", "participants": [ANA]}, session=budi
    )
    await one(gw, ana, "groups.upsert", subject="Family")
    jid = group.get("jid") or group["group"]["jid"]
    await gw.call("POST", "/api/messages/text", {"to": jid, "message": "not heard"}, session=budi)
    await wa.write(CUSTOMER, ANA, "not heard either")
    await gw.send(budi, ANA, "heard")

    async def heard() -> list[str]:
        return await gw.received(ana)

    await until(heard, "Budi's message is stored")
    await gw.kill()  # what was ignored is not asked for again
    await gw.start()
    await gw.until_connected(ana)
    await gw.until_connected(budi)
    await gw.send(budi, ANA, "heard again")

    async def heard_again() -> bool:
        return await gw.received(ana) == ["heard", "heard again"]

    await until(heard_again, "only what is to be heard is stored")
    upserts = await events(gw, ana, "messages.upsert")
    assert [data["message"]["conversation"] for data in upserts] == ["heard", "heard again"]
