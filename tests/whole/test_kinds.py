"""Every kind of message, from a request through WhatsApp's protocol to another session, and what both say."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Json, Network, Session, gateway, until

ANA, BEA, CLEO = "628160000001", "628160000002", "628160000003"
JID_OF_ANA, JID_OF_BEA = f"{ANA}@s.whatsapp.net", f"{BEA}@s.whatsapp.net"
LOCAL = """
[media]
allow_networks = ["127.0.0.0/8"]
"""


@define(eq=False)
class Pair:
    """Two sessions that write to each other."""

    gw: Gateway
    wa: Network
    ana: Session
    bea: Session

    async def post(self, kind: str, body: Json, *, status: int = 200, to: str | None = BEA) -> Json:
        """Ana sends something, to Bea unless the body says otherwise."""
        whole = body if to is None else {"phone": to, **body}
        return await self.gw.call("POST", f"/api/messages/{kind}", whole, session=self.ana, status=status)

    async def row(self, session: Session, message_id: str) -> Json | None:
        answer = await self.gw.http.get(f"/api/messages/{message_id}", headers=session.headers)
        return dict(answer.json()) if answer.is_success else None

    async def arrived(self, sent: Json) -> Json:
        """The message as Bea has it; and Ana's own row agrees with the answer she got."""
        found: Json = await until(partial(self.row, self.bea, sent["messageId"]), "Bea has it")
        own = await self.row(self.ana, sent["messageId"])
        assert own is not None
        assert (own["fromMe"], own["chat"], own["timestamp"]) == (True, sent["chat"], sent["timestamp"])
        assert own["status"] in {"sent", "delivered", "read"}
        assert (found["fromMe"], found["chat"], found["from"]) == (False, JID_OF_ANA, JID_OF_ANA)
        assert own["type"] == found["type"]
        assert own["text"] == found["text"]
        return found

    async def goes(self, kind: str, body: Json) -> Json:
        """What Bea has of something that Ana sends her."""
        sent = await self.post(kind, body)
        assert sent["status"] == "sent"
        assert sent["key"] == {"remoteJid": JID_OF_BEA, "fromMe": True, "id": sent["messageId"]}
        return await self.arrived(sent)

    async def event(self, session: Session, name: str, **about: Any) -> Json:
        """The data of the first event of this name whose data, or key, has these values."""

        async def found() -> Json | None:
            query = {"after": "0", "events": name, "limit": "500"}
            answer = await self.gw.http.get("/api/events", params=query, headers=session.headers)
            for event in answer.json()["events"]:
                data: Json = event["data"]
                if about.items() <= {**data, **data.get("key", {})}.items():
                    return data
            return None

        return dict(await until(found, f"{name} {about}"))


@pytest.fixture
async def pair(tmp_path: Path, wa: Network) -> AsyncIterator[Pair]:
    async with gateway(tmp_path / "gateway", wa, QUICK + LOCAL) as gw:
        await wa.phone(CLEO)
        yield Pair(gw, wa, await gw.pair("ana", ANA), await gw.pair("bea", BEA))


async def test_what_is_written_arrives_as_it_was_meant(pair: Pair) -> None:
    await _texts(pair)
    await _structured(pair)
    await _about_messages(pair)
    await _votes(pair)
    await _stories(pair)


async def _texts(pair: Pair) -> None:
    plain = await pair.goes("text", {"message": "Halo 🥭", "clientRef": "order-7"})
    assert (plain["type"], plain["text"]) == ("text", "Halo 🥭")
    assert plain["message"]["conversation"] == "Halo 🥭"
    told = await pair.event(pair.bea, "messages.upsert", id=plain["messageId"])
    assert told["message"] == plain["message"]
    own = await pair.event(pair.ana, "messages.update", id=plain["messageId"], status="sent")
    assert own["clientRef"] == "order-7"

    quoting = await pair.goes("text", {"message": "That one", "quotedMessageId": plain["messageId"]})
    context = quoting["message"]["extendedTextMessage"]["contextInfo"]
    assert context["stanzaId"] == plain["messageId"]
    assert context["quotedMessage"] == {"conversation": "Halo 🥭"}

    mentioning = await pair.goes("text", {"message": f"@{CLEO} look", "mentions": [CLEO], "forwarded": True})
    context = mentioning["message"]["extendedTextMessage"]["contextInfo"]
    assert len(context["mentionedJid"]) == 1
    assert context["isForwarded"] is True

    fleeting = await pair.goes("text", {"message": "Gone soon", "ephemeralSeconds": 86400})
    assert fleeting["text"] == "Gone soon"
    assert "86400" in str(fleeting["message"])

    card = {"url": "https://example.org/a", "title": "A page", "description": "About it"}
    linked = await pair.goes("text", {"message": "See https://example.org/a", "linkPreview": card})
    shown = linked["message"]["extendedTextMessage"]
    assert (shown["matchedText"], shown["title"], shown["description"]) == tuple(card.values())


async def _structured(pair: Pair) -> None:
    place = {"latitude": -6.1754, "longitude": 106.8272, "name": "Monas", "address": "Gambir, Jakarta"}
    found = (await pair.goes("location", place))["message"]["locationMessage"]
    assert found["degreesLatitude"] == pytest.approx(-6.1754)
    assert found["degreesLongitude"] == pytest.approx(106.8272)
    assert (found["name"], found["address"]) == ("Monas", "Gambir, Jakarta")

    one = await pair.goes(
        "contact", {"contacts": [{"name": "Budi; S", "phone": CLEO, "organization": "Toko"}]}
    )
    card = one["message"]["contactMessage"]
    assert card["displayName"] == "Budi; S"
    assert f"waid={CLEO}:+{CLEO}" in card["vcard"]
    assert "ORG:Toko;" in card["vcard"]
    vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Citra\nEND:VCARD"
    two = await pair.goes("contact", {"contacts": [{"vcard": vcard}, {"name": "Dewi", "phone": CLEO}]})
    cards = two["message"]["contactsArrayMessage"]["contacts"]
    assert [each["displayName"] for each in cards] == ["Citra", "Dewi"]
    assert cards[0]["vcard"] == vcard

    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    party = {
        "name": "Party",
        "description": "Bring cake",
        "startsAt": starts.isoformat(),
        "extraGuests": True,
    }
    event = (await pair.goes("event", {**party, "location": place}))["message"]["eventMessage"]
    assert (event["name"], event["description"]) == ("Party", "Bring cake")
    assert int(event["startTime"]) == int(starts.timestamp())
    assert event["location"]["name"] == "Monas"

    buttons = [{"text": "Yes", "id": "y"}, {"type": "url", "text": "Open", "value": "https://example.org"}]
    menu = await pair.goes("buttons", {"message": "Well?", "footer": "Toko", "buttons": buttons})
    assert (menu["type"], menu["text"]) == ("buttons", "Well?")
    assert "https://example.org" in str(menu["message"])
    rows = [{"id": "a", "title": "Satu"}, {"id": "b", "title": "Dua", "description": "2"}]
    sections = [{"title": "Numbers", "rows": rows}]
    listed = await pair.goes(
        "list", {"title": "Pick", "message": "One of them", "button": "Open", "sections": sections}
    )
    assert listed["type"] == "list"
    assert "Dua" in str(listed["message"])


async def _about_messages(pair: Pair) -> None:
    first = await pair.goes("text", {"message": "Frist"})
    message_id = first["messageId"]
    reacted = await pair.post("reaction", {"messageId": message_id, "emoji": "👍"}, to=None)
    assert reacted["chat"] == JID_OF_BEA
    told = await pair.event(pair.bea, "messages.reaction", id=message_id)
    assert told["reaction"]["text"] == "👍"
    await pair.post("reaction", {"messageId": message_id, "emoji": ""}, to=None)

    edit = {"message": "First"}
    edited = await pair.gw.call("PATCH", f"/api/messages/{message_id}", edit, session=pair.ana)
    assert edited["status"] == "sent"
    await pair.event(pair.bea, "messages.edited", id=message_id)
    for session in (pair.ana, pair.bea):

        async def changed(session: Session = session) -> bool:
            row = await pair.row(session, message_id)
            return row is not None and row["text"] == "First"

        await until(changed, f"{session.id} has the new text")

    pinned = await pair.gw.call(
        "POST", f"/api/messages/{message_id}/pin", {"seconds": 86400}, session=pair.ana
    )
    assert pinned["status"] == "sent"
    await pair.gw.call("POST", f"/api/messages/{message_id}/unpin", session=pair.ana)
    starred = await pair.gw.call("POST", f"/api/messages/{message_id}/star", session=pair.ana, status=501)
    assert starred["code"] == "not_possible"

    again = await pair.goes("forward", {"messageId": message_id})
    assert again["text"] == "First"
    assert again["message"]["extendedTextMessage"]["contextInfo"]["isForwarded"] is True

    await pair.gw.call("POST", f"/api/messages/{message_id}/read", session=pair.bea, status=204)
    row = await pair.row(pair.bea, message_id)
    assert row is not None
    assert row["status"] == "read"
    await pair.event(pair.ana, "messages.update", id=message_id, status="read")

    await pair.gw.call("DELETE", f"/api/messages/{message_id}", session=pair.ana)
    await pair.event(pair.bea, "messages.revoked", id=message_id)
    gone = again["messageId"]
    await pair.gw.call("DELETE", f"/api/messages/{gone}?for=me", session=pair.ana, status=204)
    assert await pair.row(pair.ana, gone) is None
    assert await pair.row(pair.bea, gone) is not None


async def _votes(pair: Pair) -> None:
    poll = await pair.goes(
        "poll", {"question": "Kapan?", "options": ["Senin", "Selasa"], "selectableCount": 1}
    )
    assert (poll["type"], poll["text"]) == ("poll", "Kapan?")
    body = {"messageId": poll["messageId"], "options": ["Selasa"]}
    await pair.gw.call("POST", "/api/messages/poll-vote", body, session=pair.bea)
    told = await pair.event(pair.ana, "poll.vote", id=poll["messageId"])
    assert "Selasa" in str(told)


async def _stories(pair: Pair) -> None:
    posted = await pair.post("status", {"type": "text", "message": "Buka!"}, to=None)
    assert posted["chat"] == "status@broadcast"
