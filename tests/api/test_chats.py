"""Chats over HTTP and the database: the listing, reading, forgetting, and what the library cannot do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from actors.errors import SessionDisconnected
from actors.session.messages import Perform
from actors.whatsapp.proto import neonize
from storage.chats import Address
from storage.ids import new_id
from storage.rows import Json, Message, MessageStatus
from storage.writes import StoreAddresses, StoreMessage
from tests.api.library import group, jid, play
from tests.api.stage import Stage

BEA, CLEO = "628110000002@s.whatsapp.net", "628110000003@s.whatsapp.net"
GROUP = "120363000000000001@g.us"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def store(stage: Stage, chat: str, minute: int, text: str, **more: Any) -> Message:
    """A message, from the chat's person unless told otherwise."""
    given = {"from_me": False, "sender": chat, "status": MessageStatus.RECEIVED}
    given["wa_id"] = f"3EB0{minute:04}{text}"
    message = Message(
        session_id="ana",
        id=new_id("msg"),
        chat=chat,
        type="text",
        text=text,
        payload={"conversation": text},
        occurred_at=START + timedelta(minutes=minute),
        **{**given, **more},
    )
    await stage.services.writer.call(StoreMessage(message=message))
    return message


async def know(stage: Stage, *rows: Address) -> None:
    await stage.services.writer.call(StoreAddresses("ana", rows))


async def chats(own: httpx.AsyncClient, **query: str) -> list[Json]:
    answer = await own.get("/api/chats", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["chats"])


def offline(stage: Stage) -> None:
    stage.scripts["ana"].answers[Perform] = SessionDisconnected(session_id="ana", state="stopped")


async def test_chats_are_listed_by_their_last_message_with_names_and_what_is_unread(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        offline(stage)
        await store(stage, BEA, 1, "one")
        await store(stage, BEA, 4, "two")
        await store(stage, BEA, 5, "mine", from_me=True, sender="628110000001@s.whatsapp.net", status="sent")
        await store(stage, GROUP, 6, "all", sender=CLEO)
        await store(stage, "status@broadcast", 3, "story", sender=BEA, status="read")
        await know(
            stage,
            Address(jid=BEA, alt="2@lid", push_name="Bea", name="Bea of the Book"),
            Address(jid=GROUP, name="Trip"),
        )
        shown = [(each["jid"], each["type"], each["name"], each["unreadCount"]) for each in await chats(own)]
        assert shown == [
            (GROUP, "group", "Trip", 1),
            (BEA, "user", "Bea of the Book", 2),
            ("status@broadcast", "status", None, 0),
        ]
        bea = (await chats(own, q="book"))[0]
        assert (bea["alt"], bea["lastMessage"]["text"], bea["lastMessage"]["fromMe"]) == (
            "2@lid",
            "mine",
            True,
        )
        assert bea["lastMessageAt"] == "2026-01-31T12:05:00.000Z"
        assert [each["jid"] for each in await chats(own, q="2@lid")] == [BEA]
        assert await chats(own, q="50%") == []


async def test_pages_of_chats_leave_none_out_and_give_none_twice(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        offline(stage)
        for number in range(7):
            await store(stage, f"62811000010{number}@s.whatsapp.net", number // 3, "hello")
        seen: list[str] = []
        cursor: str | None = None
        while True:
            query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            answer = (await own.get("/api/chats", params=query)).json()
            seen += [each["jid"] for each in answer["chats"]]
            if (cursor := answer["cursor"]) is None:
                break
        assert len(seen) == len(set(seen)) == 7
        assert (await own.get("/api/chats?cursor=x")).status_code == 400


async def test_a_chat_is_found_by_either_address_and_by_number(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        offline(stage)
        await store(stage, BEA, 1, "one")
        await know(stage, Address(jid=BEA, alt="2@lid", push_name="Bea"), Address(jid=CLEO, name="Cleo"))
        for address in (BEA, "2@lid", "628110000002"):
            found = (await own.get(f"/api/chats/{address}")).json()
            assert (found["jid"], found["name"], found["settings"]) == (BEA, "Bea", None)
            told = (await own.get(f"/api/chats/{address}/messages")).json()["messages"]
            assert [each["text"] for each in told] == ["one"]
        silent = (await own.get(f"/api/chats/{CLEO}")).json()
        assert (silent["name"], silent["lastMessage"], silent["unreadCount"]) == ("Cleo", None, 0)
        unknown = await own.get("/api/chats/628110000009")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "chat_not_found")
        nowhere = await own.get("/api/chats/nobody")
        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "invalid_jid")


async def test_reading_a_chat_tells_each_author_once_and_stores_it_with_an_event(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        for minute, sender in enumerate((BEA, CLEO, BEA)):
            await store(stage, GROUP, minute, "hi", sender=sender)
        await store(
            stage, GROUP, 9, "mine", from_me=True, sender="628110000001@s.whatsapp.net", status="sent"
        )
        assert (await own.post(f"/api/chats/{GROUP}/read")).json() == {"read": 3}
        told = {
            neonize.JID.FromString(arguments[3]).User: set(arguments[0].split())
            for function, arguments in library.calls
            if function == "MarkRead"
        }
        assert told == {
            "628110000002": {"3EB00000hi", "3EB00002hi"},
            "628110000003": {"3EB00001hi"},
        }
        listed = await chats(own)
        assert [each["unreadCount"] for each in listed] == [0]
        events = await stage.services.reads.session_events_after("ana", 0, events=["messages.update"])
        assert [event.data["status"] for event in events] == ["read"] * 3
        assert {event.data["key"]["participant"] for event in events} == {BEA, CLEO}
        assert (await own.post(f"/api/chats/{GROUP}/read")).json() == {"read": 0}


async def test_nothing_is_marked_as_read_here_that_whatsapp_was_not_told(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        await store(stage, BEA, 1, "one")
        offline(stage)
        refused = await own.post(f"/api/chats/{BEA}/read")
        assert (refused.status_code, refused.json()["code"]) == (403, "session_disconnected")
        assert [each["unreadCount"] for each in await chats(own)] == [1]


async def test_a_forgotten_chat_keeps_what_is_under_way(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        offline(stage)
        await store(stage, BEA, 1, "old")
        await store(stage, "2@lid", 2, "older")
        await store(stage, BEA, 3, "waits", from_me=True, status="queued", wa_id=None)
        await store(stage, CLEO, 4, "other")
        await know(stage, Address(jid=BEA, alt="2@lid"))
        assert (await own.delete(f"/api/chats/{BEA}")).status_code == 204
        left = await stage.services.reads.messages("ana")
        assert {message.text for message in left.items} == {"waits", "other"}
        again = await own.delete(f"/api/chats/{BEA}")
        assert (again.status_code, again.json()["code"]) == (404, "chat_not_found")


async def test_names_come_from_the_client_at_most_every_half_minute_and_outlive_it(stage: Stage) -> None:
    def contact(address: str, **names: str) -> Any:
        given = dict.fromkeys(("FirstName", "FullName", "PushName", "BusinessName", "RedactedPhone"), "")
        return neonize.Contact(JID=jid(address), Info=neonize.ContactInfo(Found=True, **{**given, **names}))

    book = neonize.ContactsGetAllContactsReturnFunction(
        Contact=[
            contact("2@lid", PushName="Bea\0"),
            contact(BEA, FullName="Bea of the Book"),
        ]
    )
    trip = neonize.GetJoinedGroupsReturnFunction(Group=[group(GROUP, subject="Trip").GroupInfo])
    async with await stage.session("ana") as own:
        await know(stage, Address(jid="2@lid", push_name="as she was known before her number was"))
        numbers = neonize.GetJIDFromStoreReturnFunction(Jid=jid(BEA))
        library = play(stage, "ana", GetAllContacts=book, GetJoinedGroups=trip, GetPNFromLID=numbers)
        await store(stage, GROUP, 1, "all", sender=BEA)
        assert [each["name"] for each in await chats(own)] == ["Trip"]
        (bea,) = await stage.services.reads.chats.addresses("ana", ["2@lid"])
        assert (bea.jid, bea.alt, bea.name, bea.push_name) == (BEA, "2@lid", "Bea of the Book", "Bea\ufffd")
        asked = len(library.calls)
        await chats(own)
        await own.get("/api/contacts")
        assert len(library.calls) == asked
        assert library.functions.count("GetJoinedGroups") == 1
        offline(stage)
        assert [each["name"] for each in await chats(own)] == ["Trip"]


@pytest.mark.parametrize("action", ["unread", "archive", "unarchive", "pin", "unpin", "mute", "unmute"])
async def test_what_the_client_library_cannot_do_is_501_with_the_reason(stage: Stage, action: str) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        answer = await own.post(f"/api/chats/{BEA}/{action}")
        assert (answer.status_code, answer.json()["code"]) == (501, "not_possible")
        assert "client library" in answer.json()["detail"]
        assert library.calls == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("typing", {"state": "thinking"}, "state"),
        ("typing", {}, "state"),
        ("disappearing", {"seconds": 60}, "seconds"),
        ("disappearing", {"seconds": "0"}, "seconds"),
        ("disappearing", {"seconds": True}, "seconds"),
    ],
)
async def test_what_does_not_fit_is_named(stage: Stage, path: str, body: Json, field: str) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        answer = await own.post(f"/api/chats/{BEA}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
        assert [error["path"] for error in answer.json()["errors"]] == [field]
        assert library.calls == []


async def test_a_timer_is_told_to_the_library_in_nanoseconds(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        assert (await own.post(f"/api/chats/{BEA}/disappearing", json={"seconds": 604800})).status_code == 204
        ((function, (_, timer, _)),) = library.calls
        assert (function, timer) == ("SetDisappearingTimer", 604800 * 10**9)
        channel = "120363000000000002@newsletter"
        answer = await own.post(f"/api/chats/{channel}/disappearing", json={"seconds": 0})
        assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid")


async def test_a_listing_of_a_deleted_session_is_refused(stage: Stage) -> None:
    answer = await stage.client.get("/api/sessions/nobody/chats")
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


async def test_a_session_made_anew_under_its_id_is_asked_for_names_at_once(stage: Stage) -> None:
    trip = neonize.GetJoinedGroupsReturnFunction(Group=[group(GROUP, subject="Trip").GroupInfo])
    nobody = neonize.ContactsGetAllContactsReturnFunction()
    for _ in range(2):
        async with await stage.session("ana") as own:
            play(stage, "ana", GetAllContacts=nobody, GetJoinedGroups=trip)
            await store(stage, GROUP, 1, "all", sender=BEA)
            assert [each["name"] for each in await chats(own)] == ["Trip"]
        assert (await stage.client.delete("/api/sessions/ana")).status_code == 204
