"""Linked clients and phones exchange messages over the network, by the unmodified client library."""

import base64
from pathlib import Path
from typing import Any

import pytest
import trio

from loopback import proto
from tests.loopback.clients import ClientError
from tests.loopback.networks import start_network, until

ANNA, BERT, CARL = "628111111111", "628222222222", "628333333333"


async def test_two_clients_write_to_each_other_and_get_receipts(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await bert.call("force_receipts")
        sent = await anna.call("send", to=BERT, text="hello")
        got = await bert.text("hello")
        assert got["id"] == sent["id"]
        assert got["pushName"] == "Anna"
        assert got["senderAlt"].startswith(f"{ANNA}:1@")

        delivered = await anna.event("Receipt", lambda r: r["type"] == 1 and ":1@" in r["sender"])
        assert delivered["ids"] == [sent["id"]]
        await bert.call("read", chat=got["chat"], sender=got["sender"], ids=[got["id"]])
        read = await anna.event("Receipt", lambda r: r["type"] == 4)
        assert read["ids"] == [sent["id"]]

        await bert.call("send", to=ANNA, text="and back")
        await anna.text("and back")
        own = await until(lambda: network.inbox(ANNA))
        assert [(m["text"], m["fromMe"], m["chat"]) for m in own] == [
            ("hello", True, BERT),
            ("and back", False, BERT),
        ]


async def test_contact_with_only_a_phone_writes_reads_and_is_answered(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert", autoRead=True)
        anna = await network.linked(ANNA)
        written = await network.post(f"/phones/{BERT}/messages", to=ANNA, message="are you there?")
        got = await anna.text("are you there?")
        assert got["id"] == written["messageId"]
        assert got["pushName"] == "Bert"
        answer = await anna.call("send", to=BERT, text="yes")
        assert (await anna.event("Receipt", lambda r: r["type"] == 1))["ids"] == [answer["id"]]
        assert (await anna.event("Receipt", lambda r: r["type"] == 4))["ids"] == [answer["id"]]

        async def answered() -> Any:
            return [m for m in await network.inbox(BERT) if m["text"] == "yes"]

        (received,) = await until(answered)
        assert (received["from"], received["messageId"], received["fromMe"]) == (ANNA, answer["id"], False)

        async def receipts() -> Any:
            (message,) = (await network.get(f"/phones/{BERT}/sent"))["messages"]
            return {r["type"] for r in message["receipts"]}

        assert await until(receipts) <= {"delivered", "inactive"}


async def test_what_the_user_writes_on_the_phone_reaches_the_own_companion(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        await network.post(f"/phones/{ANNA}/messages", to=BERT, message="from my phone")
        copy = await anna.text("from my phone")
        assert copy["fromMe"]
        (received,) = await until(lambda: network.inbox(BERT))
        assert received["text"] == "from my phone"


async def test_client_that_was_away_gets_its_messages_once_on_return(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await anna.call("send", to=BERT, text="first")
        await bert.text("first")
        await bert.kill()
        for n in range(5):
            await anna.call("send", to=BERT, text=f"missed {n}")
        back = await network.client(BERT)
        await back.call("connect")
        for n in range(5):
            await back.text(f"missed {n}")
        await back.event("OfflineSyncCompleted")

        async def settled() -> Any:
            devices = (await network.get(f"/deliveries?phone={BERT}"))["devices"]
            (companion,) = (d for d in devices if d["device"] == 1)
            return companion["waiting"] == 0 and companion

        companion = await until(settled)
        assert len(companion["messagesSettled"]) == len(set(companion["messagesSettled"])) == 7
        assert [m["text"] for m in back.all("Message")] == [f"missed {n}" for n in range(5)]


@pytest.mark.parametrize("direction", ["to client", "to phone"])
async def test_damaged_message_is_asked_for_again_and_arrives(tmp_path: Path, direction: str) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        await network.post(f"/phones/{BERT}/messages", to=ANNA, message="hello")
        await anna.text("hello")
        if direction == "to client":
            await network.post("/faults", kind="corrupt", phone=ANNA, count=2)
            sent = await network.post(f"/phones/{BERT}/messages", to=ANNA, message="again")
            await anna.event("UndecryptableMessage")
            assert (await anna.text("again"))["id"] == sent["messageId"]
        else:
            await network.post("/faults", kind="corrupt", phone=BERT, count=2)
            sent = await anna.call("send", to=BERT, text="again")

            async def arrived() -> Any:
                return [m for m in await network.inbox(BERT) if m["text"] == "again"]

            (received,) = await until(arrived)
            assert received["messageId"] == sent["id"]


async def test_client_asks_a_client_again_and_gets_the_message(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await anna.call("send", to=BERT, text="hello")
        await bert.text("hello")
        await network.post("/faults", kind="corrupt", phone=BERT, count=2)
        sent = await anna.call("send", to=BERT, text="again")
        assert (await bert.text("again"))["id"] == sent["id"]


async def test_file_uploaded_by_one_client_is_downloaded_by_another(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await anna.call("document", to=BERT, data="the file's content")
        got = await bert.text("a file")
        assert got["type"] == "media"
        assert await bert.call("download", message=got["id"]) == "the file's content"


async def test_file_goes_from_client_to_phone_and_back(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        sent = await anna.call("document", to=BERT, data="for the phone")
        await until(lambda: network.inbox(BERT))
        fetched = await network.control.get(f"/phones/{BERT}/messages/{sent}/media")
        assert (fetched.text, fetched.headers["content-type"]) == ("for the phone", "text/plain")

        data = base64.b64encode(b"for the client").decode()
        file = {"kind": "document", "data": data, "mimetype": "text/plain", "caption": "take this"}
        await network.post(f"/phones/{BERT}/messages", to=ANNA, media=file)
        got = await anna.text("take this")
        assert await anna.call("download", message=got["id"]) == "for the client"


async def test_phone_without_automatic_reading_confirms_when_its_user_reads(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        sent = await anna.call("send", to=BERT, text="read me")
        await anna.event("Receipt", lambda r: r["type"] == 1)
        assert not [r for r in anna.all("Receipt") if r["type"] == 4]
        await network.post(f"/phones/{BERT}/messages/{sent['id']}/read")
        assert (await anna.event("Receipt", lambda r: r["type"] == 4))["ids"] == [sent["id"]]


async def test_any_kind_of_message_can_be_written_raw(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        sent = await anna.call("send", to=BERT, text="like me")
        await until(lambda: network.inbox(BERT))
        e2e = proto.e2e
        key = proto.common.MessageKey(remoteJID=f"{ANNA}@s.whatsapp.net", fromMe=False, ID=sent["id"])
        reaction = e2e.Message(reactionMessage=e2e.ReactionMessage(key=key, text="👍", senderTimestampMS=1))
        raw = base64.b64encode(reaction.SerializeToString()).decode()
        await network.post(f"/phones/{BERT}/messages", to=ANNA, raw=raw)
        await anna.event("Message", lambda m: m["type"] == "reaction")


async def test_directory_tells_who_is_registered(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna = await network.linked(ANNA)
        found = await anna.call("is_on_whatsapp", numbers=[f"+{BERT}", "+628999999999"])
        assert [(f["query"], f["isIn"]) for f in found] == [(f"+{BERT}", True), ("+628999999999", False)]
        with pytest.raises(ClientError, match="no LID found"):
            await anna.call("send", to="628999999999", text="hello?")


async def test_presence_and_typing_reach_those_who_watch(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await named(anna, "Anna A.")
        await named(bert, "Bert B.")
        await anna.call("presence", available=True)
        await anna.call("subscribe", to=f"{BERT}@s.whatsapp.net")
        assert (await anna.event("Presence"))["Unavailable"]
        await bert.call("presence", available=True)
        await anna.event("Presence", lambda p: not p.get("Unavailable"))
        await bert.call("typing", to=ANNA)
        await anna.event("ChatPresence", lambda p: "COMPOSING" in p["State"])
        await bert.call("presence", available=False)
        gone = await anna.event("Presence", lambda p: p.get("Unavailable", False))
        assert int(gone["LastSeen"]) > 0
        # The name is what others see from now on.
        await bert.call("send", to=ANNA, text="hi")
        assert (await anna.text("hi"))["pushName"] == "Bert B."


async def named(client: Any, name: str) -> None:
    """Set the push name, which needs the keys that the phone shares a moment after the login."""
    for _ in range(100):
        try:
            await client.call("profile_name", name=name)
        except ClientError:
            await trio.sleep(0.05)
        else:
            return
    raise AssertionError("the phone never shared its keys")


async def test_two_companions_of_one_phone_agree_on_settings_and_see_each_others_messages(
    tmp_path: Path,
) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        one = await network.linked(ANNA, "one")
        await named(one, "First")
        two = await network.linked(ANNA, "two")
        await named(two, "Second")
        await named(one, "Third")
        await one.call("send", to=BERT, text="from one")
        assert (await two.text("from one"))["fromMe"]
        await two.call("send", to=BERT, text="from two")
        assert (await one.text("from two"))["fromMe"]
        await network.post(f"/phones/{BERT}/messages", to=ANNA, message="to both")
        await one.text("to both")
        await two.text("to both")


async def test_profile_privacy_and_blocklist_are_answered(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        await network.phone(BERT, "Bert")
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        await bert.call("set_status", text="at work")
        (info,) = await anna.call("user_info", person=BERT)
        assert info["UserInfo"]["Status"] == "at work"
        assert (await anna.call("privacy"))["ReadReceipts"] == "ALL"
        assert "DHash" in await anna.call("blocklist")
