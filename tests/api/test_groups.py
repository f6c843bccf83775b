"""Groups over HTTP: what is refused, and what the client library's answers become."""

from typing import Any

import pytest

from actors.session.messages import CheckContacts, ContactCheck
from actors.whatsapp.errors import CallTimedOut
from actors.whatsapp.proto import neonize
from tests.api.library import group, jid, participant, play
from tests.api.stage import Stage

GROUP = "120363000000000001@g.us"
AT = f"/api/chats/groups/{GROUP}"
LINK = "https://chat.whatsapp.com/"
CODE = "AbCdEfGhIjKlMnOpQrStUv"


@pytest.mark.parametrize(
    ("method", "path", "body", "paths"),
    [
        ("POST", "", {"subject": "", "participants": []}, {"subject", "participants"}),
        ("POST", "", {"subject": "x" * 101, "participants": ["0812"]}, {"subject", "participants[0]"}),
        ("POST", "", {"participants": [f"{1}@g.us", "628110000002"]}, {"subject", "participants[0]"}),
        ("PATCH", f"/{GROUP}", {"ephemeralSeconds": 60, "locked": "yes"}, {"ephemeralSeconds", "locked"}),
        ("PATCH", f"/{GROUP}", {"description": "x" * 2049, "owner": "me"}, {"description", "owner"}),
        ("PATCH", f"/{GROUP}", {"memberAddMode": "nobody"}, {"memberAddMode"}),
        ("PUT", f"/{GROUP}/picture", {}, {"imageUrl"}),
        ("POST", f"/{GROUP}/participants", {"participants": [GROUP]}, {"participants[0]"}),
        ("DELETE", f"/{GROUP}/participants", {}, {"participants"}),
        ("POST", "/join", {"invite": "https://example.org/AbCdEfGhIjKlMnOpQrStUv"}, {"invite"}),
        ("GET", "/preview", None, {"invite"}),
    ],
)
async def test_what_does_not_fit_is_named_and_asked_of_nobody(
    stage: Stage, method: str, path: str, body: Any, paths: set[str]
) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        answer = await own.request(method, f"/api/chats/groups{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), answer.text
        assert {error["path"] for error in answer.json()["errors"]} == paths
        assert library.calls == []


async def test_what_is_no_group_leads_nowhere(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        for address in ("628110000002", "628110000002@s.whatsapp.net", "nobody", "x@g.us"):
            for method, rest, body in (
                ("GET", "", None),
                ("POST", "/leave", None),
                ("GET", "/participants", None),
            ):
                answer = await own.request(method, f"/api/chats/groups/{address}{rest}", json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "invalid_jid"), (method, rest)
        assert library.calls == []


async def test_what_the_client_library_cannot_do_is_501_and_does_nothing(stage: Stage) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana")
        for method, rest, body in (
            ("PATCH", "", {"subject": "New", "approvalMode": True}),
            ("PATCH", "", {"memberAddMode": "admins"}),
            ("DELETE", "/picture", None),
            ("POST", "/requests/approve", {"participants": ["628110000002"]}),
            ("POST", "/requests/reject", {"participants": ["628110000002"]}),
        ):
            answer = await own.request(method, f"{AT}{rest}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (501, "not_possible"), (method, rest)
            assert "client library" in answer.json()["detail"]
        assert library.calls == []


async def test_a_refusal_tells_a_plain_member_from_a_stranger(stage: Stage) -> None:
    forbidden = "info query returned status 403: forbidden"
    stranger = neonize.GetGroupInfoReturnFunction(Error="you're not participating in that group: 403")
    unknown = neonize.GetGroupInfoReturnFunction(Error="that group does not exist: 404")
    cases = [
        (group(GROUP), forbidden, 403, "not_group_admin"),
        (stranger, forbidden, 403, "not_group_member"),
        (unknown, "info query returned status 404: item-not-found", 404, "group_not_found"),
        (group(GROUP), "info query returned status 500: internal", 502, "whatsapp_error"),
        (group(GROUP), CallTimedOut("SetGroupName", 75.0), 504, "upstream_timeout"),
    ]
    async with await stage.session("ana") as own:
        for info, outcome, status, code in cases:
            play(stage, "ana", GetGroupInfo=info, SetGroupName=outcome)
            answer = await own.patch(AT, json={"subject": "New"})
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_invitation_that_is_void_is_told_from_one_that_never_was(stage: Stage) -> None:
    cases = [
        ("that group invite link is not valid", 404, "invite_not_found"),
        ("that group invite link has been revoked", 410, "invite_revoked"),
        ("info query returned status 500: internal", 502, "whatsapp_error"),
    ]
    async with await stage.session("ana") as own:
        for text, status, code in cases:
            refused = neonize.JoinGroupWithLinkReturnFunction(Error=text)
            play(stage, "ana", JoinGroupWithLink=refused)
            answer = await own.post("/api/chats/groups/join", json={"invite": CODE})
            assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("invite", [CODE, f"{LINK}{CODE}", f"{LINK}invite/{CODE}", f"{LINK}{CODE}?mode=ac_t"])
async def test_an_invitation_is_its_code_however_it_is_written(stage: Stage, invite: str) -> None:
    async with await stage.session("ana") as own:
        library = play(stage, "ana", GetGroupInfoFromLink=group(GROUP, subject="Open"))
        answer = await own.get("/api/chats/groups/preview", params={"invite": invite})
        assert (answer.status_code, answer.json()["subject"]) == (200, "Open")
        assert library.calls == [("GetGroupInfoFromLink", [CODE])]


async def test_joining_a_group_that_one_is_in_already_changes_nothing(stage: Stage) -> None:
    conflict = neonize.JoinGroupWithLinkReturnFunction(Error="info query returned status 409: conflict")
    async with await stage.session("ana") as own:
        play(stage, "ana", JoinGroupWithLink=conflict, GetGroupInfoFromLink=group(GROUP))
        answer = await own.post("/api/chats/groups/join", json={"invite": CODE})
        assert answer.json() == {"jid": GROUP, "status": "joined"}


async def test_where_an_admin_has_to_agree_joining_is_only_asked_for(stage: Stage) -> None:
    outside = neonize.GetGroupInfoReturnFunction(Error="you're not participating in that group: 403")
    asked = neonize.JoinGroupWithLinkReturnFunction(Jid=jid(GROUP))
    async with await stage.session("ana") as own:
        play(stage, "ana", JoinGroupWithLink=asked, GetGroupInfo=outside)
        answer = await own.post("/api/chats/groups/join", json={"invite": CODE})
        assert answer.json() == {"jid": GROUP, "status": "requested"}


async def test_each_person_who_could_not_be_added_says_why(stage: Stage) -> None:
    async def check(request: CheckContacts) -> tuple[ContactCheck, ...]:
        return tuple(
            ContactCheck(phone=phone, exists=not phone.endswith("9"), jid=None, lid=None)
            for phone in request.phones
        )

    made = group(
        GROUP,
        participant("1@lid", "628110000001", role="superadmin"),
        participant("2@lid", "628110000002"),
        participant("3@lid", "628110000003", error=403, invitation="ABC"),
        participant("4@lid", error=500),
    )
    phones = ["628110000002", "628110000003", "628110000009", "4@lid"]
    async with await stage.session("ana") as own:
        library = play(stage, "ana", CreateGroup=made)
        stage.scripts["ana"].answers[CheckContacts] = check
        answer = await own.post("/api/chats/groups", json={"subject": "Trip", "participants": phones})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        outcome = [(each["jid"], each["role"], each.get("error")) for each in body["participants"]]
        assert outcome == [
            ("628110000001@s.whatsapp.net", "superadmin", None),
            ("628110000002@s.whatsapp.net", "member", None),
            ("628110000003@s.whatsapp.net", "member", "privacy"),
            ("4@lid", "member", "code_500"),
            ("628110000009@s.whatsapp.net", "member", "not_on_whatsapp"),
        ]
        assert body["participants"][1] == {
            "jid": "628110000002@s.whatsapp.net",
            "alt": "2@lid",
            "phone": "628110000002",
            "role": "member",
        }
        assert body["participants"][2]["inviteCode"] == "ABC"
        assert (body["owner"], body["ownerAlt"], body["size"]) == ("628110000001@s.whatsapp.net", "1@lid", 2)
        ((_, (asked,)),) = library.calls
        members = [each.User for each in neonize.ReqCreateGroup.FromString(asked).Participants]
        assert members == ["628110000002", "628110000003", "4"]

        nobody = {"subject": "Trip", "participants": ["628110000009"]}
        refused = await own.post("/api/chats/groups", json=nobody)
        assert (refused.status_code, refused.json()["code"]) == (404, "recipient_not_on_whatsapp")
        assert len(library.calls) == 1


async def test_a_key_that_may_only_read_changes_no_group(stage: Stage) -> None:
    await (await stage.session("ana")).aclose()
    library = play(stage, "ana", GetGroupInfo=group(GROUP))
    key = await stage.key(session_id="ana", scopes=("read",))
    async with stage.client_with(key) as reader:
        assert (await reader.get(AT)).status_code == 200
        for method, path in (("PATCH", AT), ("POST", f"{AT}/leave"), ("POST", f"{AT}/invite/revoke")):
            answer = await reader.request(method, path, json={})
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_denied")
        assert library.functions == ["GetGroupInfo"]
