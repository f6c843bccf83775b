"""People over HTTP: what the client library's answers become, and what is refused."""

from typing import Any

import pytest

from actors.session.messages import CheckContacts, ContactCheck
from actors.whatsapp.errors import CallTimedOut
from actors.whatsapp.proto import neonize
from storage.chats import Address
from storage.rows import Message, MessageStatus
from storage.writes import Append, StoreAddresses, StoreMessage
from tests.api.library import jid, play
from tests.api.stage import Stage

BEA, BEA_LID = "628110000002@s.whatsapp.net", "2@lid"


def user(address: str, *, about: str = "", picture: str = "", devices: int = 1) -> Any:
    """An answer of `GetUserInfo`."""
    info = neonize.UserInfo(Status=about, PictureID=picture, Devices=[jid(address)] * devices)
    return neonize.GetUserInfoReturnFunction(
        UsersInfo=[neonize.GetUserInfoSingleReturnFunction(JID=jid(address), UserInfo=info)]
    )


def contact(**names: str) -> Any:
    """An answer of `GetContact`."""
    given = dict.fromkeys(("FirstName", "FullName", "PushName", "BusinessName", "RedactedPhone"), "")
    return neonize.ContactsGetContactReturnFunction(
        ContactInfo=neonize.ContactInfo(Found=bool(names), **{**given, **names})
    )


def blocklist(*addresses: str) -> Any:
    listed = neonize.Blocklist(DHash="1:x", JIDs=[jid(each) for each in addresses])
    return neonize.GetBlocklistReturnFunction(Blocklist=listed)


def stored(address: str) -> Any:
    """An answer of the library's map of LIDs and numbers."""
    return neonize.GetJIDFromStoreReturnFunction(Jid=jid(address))


UNKNOWN = neonize.GetJIDFromStoreReturnFunction(Error="no such mapping")


async def test_contacts_are_everybody_known_and_everybody_who_wrote(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        play(stage, "ana", GetAllContacts=neonize.ContactsGetAllContactsReturnFunction())
        rows = (
            Address(jid=BEA, alt=BEA_LID, name="Bea", push_name="bea.trice"),
            Address(jid="120363000000000001@g.us", name="Trip"),
        )
        await stage.services.writer.call(StoreAddresses("ana", rows))
        for chat in (BEA_LID, "628110000003@s.whatsapp.net", "120363000000000001@g.us"):
            message = Message(
                session_id="ana",
                id=f"msg_{chat}",
                chat=chat,
                sender=chat,
                from_me=False,
                type="text",
                status=MessageStatus.RECEIVED,
            )
            await stage.services.writer.call(StoreMessage(message=message))
        found = (await own.get("/api/contacts")).json()
        assert [(each["jid"], each["phone"], each["name"]) for each in found["contacts"]] == [
            (BEA, "628110000002", "Bea"),
            ("628110000003@s.whatsapp.net", "628110000003", None),
        ]
        first = (await own.get("/api/contacts?limit=1")).json()
        rest = (await own.get("/api/contacts", params={"limit": "1", "cursor": first["cursor"]})).json()
        assert [each["jid"] for each in rest["contacts"]] == ["628110000003@s.whatsapp.net"]
        assert rest["cursor"] is None
        named = (await own.get("/api/contacts?q=TRICE")).json()["contacts"]
        assert [each["alt"] for each in named] == [BEA_LID]


async def test_a_person_is_shown_with_what_both_addresses_tell(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        play(
            stage,
            "ana",
            GetUserInfo=user(BEA, about="Baking", picture="17"),
            GetLIDFromPN=stored(BEA_LID),
            GetContact=contact(FullName="Bea of the Book", PushName="bea"),
            GetBlocklist=blocklist(BEA_LID),
        )
        assert (await own.get("/api/contacts/628110000002")).json() == {
            "jid": BEA,
            "alt": BEA_LID,
            "phone": "628110000002",
            "name": "Bea of the Book",
            "pushName": "bea",
            "businessName": None,
            "about": "Baking",
            "pictureId": "17",
            "blocked": True,
        }
        await stage.services.writer.call(Append("ana"))  # what was cast before is stored
        (known,) = await stage.services.reads.chats.addresses("ana", [BEA_LID])
        assert (known.jid, known.name) == (BEA, "Bea of the Book")


async def test_who_has_no_account_is_not_found(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        play(stage, "ana", GetUserInfo=user(BEA, devices=0), GetLIDFromPN=UNKNOWN)
        answer = await own.get("/api/contacts/628110000002")
        assert (answer.status_code, answer.json()["code"]) == (404, "recipient_not_on_whatsapp")
        for address in ("nobody", "120363000000000001@g.us", "120363000000000002@newsletter"):
            answer = await own.get(f"/api/contacts/{address}")
            assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid")


@pytest.mark.parametrize(
    ("text", "status", "code", "detail"),
    [
        ("that user or group does not have a profile picture", 404, "picture_not_found", "no picture"),
        ("the user has hidden their profile picture from you", 404, "picture_not_found", "hidden"),
        ("info query returned status 500: internal", 502, "whatsapp_error", "500"),
    ],
)
async def test_a_picture_that_is_not_shown_says_why(
    stage: Stage, text: str, status: int, code: str, detail: str
) -> None:
    async with await stage.session("ana") as own:
        play(stage, "ana", GetProfilePicture=neonize.GetProfilePictureReturnFunction(Error=text))
        answer = await own.get(f"/api/contacts/{BEA}/picture")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert detail in answer.json()["detail"]


async def test_a_picture_is_its_id_and_where_it_is(stage: Stage) -> None:
    found = neonize.ProfilePictureInfo(
        URL="https://pps.whatsapp.net/x", ID="17", Type="preview", DirectPath="/x", Hash=b""
    )
    async with await stage.session("ana") as own:
        answers = neonize.GetProfilePictureReturnFunction(Picture=found)
        library = play(stage, "ana", GetProfilePicture=answers)
        shown = (await own.get(f"/api/contacts/{BEA}/picture?preview=true")).json()
        assert shown == {"id": "17", "url": "https://pps.whatsapp.net/x", "type": "preview"}
        asked = neonize.GetProfilePictureParams.FromString(library.calls[0][1][1])
        assert asked.Preview


async def test_blocking_is_asked_for_those_only_who_are_on_whatsapp(stage: Stage) -> None:
    async def check(request: CheckContacts) -> tuple[ContactCheck, ...]:
        found = [phone != "628110000009" for phone in request.phones]
        return tuple(
            ContactCheck(phone=phone, exists=exists, jid=None, lid=None)
            for phone, exists in zip(request.phones, found, strict=True)
        )

    async with await stage.session("ana") as own:
        library = play(stage, "ana", UpdateBlocklist=blocklist(BEA_LID))
        stage.scripts["ana"].answers[CheckContacts] = check
        for action in ("block", "unblock"):
            assert (await own.post(f"/api/contacts/628110000002/{action}")).status_code == 204
        assert [arguments[1] for _, arguments in library.calls] == ["block", "unblock"]
        answer = await own.post("/api/contacts/628110000009/block")
        assert (answer.status_code, answer.json()["code"]) == (404, "recipient_not_on_whatsapp")
        assert len(library.calls) == 2
        play(stage, "ana", UpdateBlocklist=CallTimedOut("UpdateBlocklist", 75.0))
        answer = await own.post(f"/api/contacts/{BEA_LID}/block")
        assert (answer.status_code, answer.json()["code"]) == (504, "upstream_timeout")


async def test_the_blocked_are_told_by_both_addresses(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        play(stage, "ana", GetBlocklist=blocklist(BEA_LID), GetPNFromLID=stored(BEA))
        (blocked,) = (await own.get("/api/contacts/blocked")).json()["contacts"]
        assert blocked == {"jid": BEA, "alt": BEA_LID, "phone": "628110000002"}


async def test_lids_and_numbers_lead_to_each_other_as_far_as_is_known(stage: Stage) -> None:
    both = {"phone": "628110000002", "jid": BEA, "lid": BEA_LID}
    async with await stage.session("ana") as own:
        play(stage, "ana", GetPNFromLID=stored(BEA))
        assert (await own.get("/api/lids/2@lid")).json() == both
        assert (await own.get("/api/lids/2")).json() == both
        play(stage, "ana", GetPNFromLID=UNKNOWN)
        answer = await own.get("/api/lids/2@lid")
        assert (answer.status_code, answer.json()["code"]) == (404, "phone_not_found")
        answer = await own.get(f"/api/lids/{BEA}")
        assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid")

        known = ContactCheck(phone="628110000002", exists=True, jid=BEA, lid=BEA_LID)
        stage.scripts["ana"].answers[CheckContacts] = (known,)
        assert (await own.get("/api/lids/by-phone/628110000002")).json() == both


async def test_a_business_is_its_verified_name(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        play(stage, "ana", GetUserInfo=user(BEA), GetContact=contact(BusinessName="Bea's Bakery"))
        answer = await own.get("/api/contacts/628110000002/business")
        assert answer.json() == {"jid": BEA, "verifiedName": "Bea's Bakery"}
        play(stage, "ana", GetUserInfo=user(BEA), GetContact=contact(PushName="Bea"))
        answer = await own.get("/api/contacts/628110000002/business")
        assert (answer.status_code, answer.json()["code"]) == (404, "business_not_found")


@pytest.mark.parametrize("phones", [[], ["1"] * 101, ["+628110000002"], "628110000002"])
async def test_a_check_takes_1_to_100_numbers(stage: Stage, phones: Any) -> None:
    async with await stage.session("ana") as own:
        answer = await own.post("/api/contacts/check", json={"phones": phones})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
        assert stage.scripts["ana"].asked == []
