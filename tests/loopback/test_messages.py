"""Linked clients and phones exchange messages over the network, by the unmodified client library."""

import base64
from typing import Any

import pytest
import trio

from loopback import proto
from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, until


async def test_two_clients_write_to_each_other_and_get_receipts(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await bert.call("force_receipts")
    sent = await anna.call("send", to=network.bert, text="hello")
    got = await bert.text("hello")
    assert got["id"] == sent["id"]
    assert got["pushName"] == "Anna"
    assert got["senderAlt"].startswith(f"{network.anna}:1@")

    delivered = await anna.event("Receipt", lambda r: r["type"] == 1 and ":1@" in r["sender"])
    assert delivered["ids"] == [sent["id"]]
    await bert.call("read", chat=got["chat"], sender=got["sender"], ids=[got["id"]])
    read = await anna.event("Receipt", lambda r: r["type"] == 4)
    assert read["ids"] == [sent["id"]]

    await bert.call("send", to=network.anna, text="and back")
    await anna.text("and back")
    own = await until(lambda: network.inbox(network.anna))
    assert [(m["text"], m["fromMe"], m["chat"]) for m in own] == [
        ("hello", True, network.bert),
        ("and back", False, network.bert),
    ]


async def test_contact_with_only_a_phone_writes_reads_and_is_answered(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert", autoRead=True)
    anna = await network.linked(network.anna)
    written = await network.post(
        f"/phones/{network.bert}/messages", to=network.anna, message="are you there?"
    )
    got = await anna.text("are you there?")
    assert got["id"] == written["messageId"]
    assert got["pushName"] == "Bert"
    answer = await anna.call("send", to=network.bert, text="yes")
    assert (await anna.event("Receipt", lambda r: r["type"] == 1))["ids"] == [answer["id"]]
    assert (await anna.event("Receipt", lambda r: r["type"] == 4))["ids"] == [answer["id"]]

    async def answered() -> Any:
        return [m for m in await network.inbox(network.bert) if m["text"] == "yes"]

    (received,) = await until(answered)
    assert (received["from"], received["messageId"], received["fromMe"]) == (
        network.anna,
        answer["id"],
        False,
    )

    async def receipts() -> Any:
        (message,) = (await network.get(f"/phones/{network.bert}/sent"))["messages"]
        return {r["type"] for r in message["receipts"]}

    assert await until(receipts) <= {"delivered", "inactive"}


async def test_what_the_user_writes_on_the_phone_reaches_the_own_companion(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    await network.post(f"/phones/{network.anna}/messages", to=network.bert, message="from my phone")
    copy = await anna.text("from my phone")
    assert copy["fromMe"]
    (received,) = await until(lambda: network.inbox(network.bert))
    assert received["text"] == "from my phone"


async def test_client_that_was_away_gets_its_messages_once_on_return(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await anna.call("send", to=network.bert, text="first")
    await bert.text("first")
    await bert.kill()
    for n in range(5):
        await anna.call("send", to=network.bert, text=f"missed {n}")
    back = await network.client(network.bert)
    await back.call("connect")
    for n in range(5):
        await back.text(f"missed {n}")
    await back.event("OfflineSyncCompleted")

    async def settled() -> Any:
        devices = (await network.get(f"/deliveries?phone={network.bert}"))["devices"]
        (companion,) = (d for d in devices if d["device"] == 1)
        return companion["waiting"] == 0 and companion

    companion = await until(settled)
    assert len(companion["messagesSettled"]) == len(set(companion["messagesSettled"])) == 7
    assert [m["text"] for m in back.all("Message")] == [f"missed {n}" for n in range(5)]


@pytest.mark.parametrize("direction", ["to client", "to phone"])
async def test_damaged_message_is_asked_for_again_and_arrives(network: Network, direction: str) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="hello")
    await anna.text("hello")
    if direction == "to client":
        await network.post("/faults", kind="corrupt", phone=network.anna, count=2)
        sent = await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="again")
        await anna.event("UndecryptableMessage")
        assert (await anna.text("again"))["id"] == sent["messageId"]
    else:
        await network.post("/faults", kind="corrupt", phone=network.bert, count=2)
        sent = await anna.call("send", to=network.bert, text="again")

        async def arrived() -> Any:
            return [m for m in await network.inbox(network.bert) if m["text"] == "again"]

        (received,) = await until(arrived)
        assert received["messageId"] == sent["id"]


async def test_client_asks_a_client_again_and_gets_the_message(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await anna.call("send", to=network.bert, text="hello")
    await bert.text("hello")
    await network.post("/faults", kind="corrupt", phone=network.bert, count=2)
    sent = await anna.call("send", to=network.bert, text="again")
    assert (await bert.text("again"))["id"] == sent["id"]


async def test_file_uploaded_by_one_client_is_downloaded_by_another(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await anna.call("document", to=network.bert, data="the file's content")
    got = await bert.text("a file")
    assert got["type"] == "media"
    assert await bert.call("download", message=got["id"]) == "the file's content"


async def test_file_goes_from_client_to_phone_and_back(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    sent = await anna.call("document", to=network.bert, data="for the phone")
    await until(lambda: network.inbox(network.bert))
    fetched = await network.control.get(f"/phones/{network.bert}/messages/{sent}/media")
    assert (fetched.text, fetched.headers["content-type"]) == ("for the phone", "text/plain")

    data = base64.b64encode(b"for the client").decode()
    file = {"kind": "document", "data": data, "mimetype": "text/plain", "caption": "take this"}
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, media=file)
    got = await anna.text("take this")
    assert await anna.call("download", message=got["id"]) == "for the client"


async def test_phone_without_automatic_reading_confirms_when_its_user_reads(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    sent = await anna.call("send", to=network.bert, text="read me")
    await anna.event("Receipt", lambda r: r["type"] == 1)
    assert not [r for r in anna.all("Receipt") if r["type"] == 4]
    await network.post(f"/phones/{network.bert}/messages/{sent['id']}/read")
    assert (await anna.event("Receipt", lambda r: r["type"] == 4))["ids"] == [sent["id"]]


async def test_one_receipt_confirms_several_messages(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    ids = []
    for text in ("one", "two", "three"):
        sent = await network.post(f"/phones/{network.bert}/messages", to=network.anna, message=text)
        ids.append(sent["messageId"])
    got = await anna.text("three")
    await anna.call("read", chat=got["chat"], sender=got["sender"], ids=ids)

    async def read() -> bool:
        messages = (await network.get(f"/phones/{network.bert}/sent"))["messages"]
        return all("read" in {r["type"] for r in message["receipts"]} for message in messages)

    await until(read)


async def test_any_kind_of_message_can_be_written_raw(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    sent = await anna.call("send", to=network.bert, text="like me")
    await until(lambda: network.inbox(network.bert))
    e2e = proto.e2e
    key = proto.common.MessageKey(remoteJID=f"{network.anna}@s.whatsapp.net", fromMe=False, ID=sent["id"])
    reaction = e2e.Message(reactionMessage=e2e.ReactionMessage(key=key, text="👍", senderTimestampMS=1))
    raw = base64.b64encode(reaction.SerializeToString()).decode()
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, raw=raw)
    await anna.event("Message", lambda m: m["type"] == "reaction")


async def test_directory_tells_who_is_registered(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    found = await anna.call("is_on_whatsapp", numbers=[f"+{network.bert}", "+628999999999"])
    assert [(f["query"], f["isIn"]) for f in found] == [(f"+{network.bert}", True), ("+628999999999", False)]
    with pytest.raises(ClientError, match="no LID found"):
        await anna.call("send", to="628999999999", text="hello?")


async def test_call_rings_is_refused_or_given_up(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    call = await network.post(f"/phones/{network.bert}/calls", to=network.anna)
    offer = await anna.event("CallOffer")
    caller = offer["basicCallMeta"]["from"]
    assert offer["basicCallMeta"]["callID"] == call["callId"]
    await anna.call("reject_call", caller=f"{caller['User']}@{caller['Server']}", which=call["callId"])

    async def states() -> list[str]:
        return [c["state"] for c in (await network.get(f"/phones/{network.bert}/calls"))["calls"]]

    async def rejected() -> bool:
        return await states() == ["rejected"]

    await until(rejected)
    await network.post(f"/phones/{network.bert}/calls", to=network.anna)
    await anna.event("CallOffer")
    await network.control.delete(f"/phones/{network.bert}/calls")
    await anna.event("CallTerminate")
    assert await states() == ["rejected", "ended"]


async def test_presence_and_typing_reach_those_who_watch(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await named(anna, "Anna A.")
    await named(bert, "Bert B.")
    await anna.call("presence", available=True)
    await anna.call("subscribe", to=f"{network.bert}@s.whatsapp.net")
    assert (await anna.event("Presence"))["Unavailable"]
    await bert.call("presence", available=True)
    await anna.event("Presence", lambda p: not p.get("Unavailable"))
    await bert.call("typing", to=network.anna)
    await anna.event("ChatPresence", lambda p: "COMPOSING" in p["State"])
    await bert.call("presence", available=False)
    gone = await anna.event("Presence", lambda p: p.get("Unavailable", False))
    assert int(gone["LastSeen"]) > 0
    # The name is what others see from now on.
    await bert.call("send", to=network.anna, text="hi")
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
    network: Network,
) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    one = await network.linked(network.anna, "one")
    await named(one, "First")
    two = await network.linked(network.anna, "two")
    await named(two, "Second")
    await named(one, "Third")
    await one.call("send", to=network.bert, text="from one")
    assert (await two.text("from one"))["fromMe"]
    await two.call("send", to=network.bert, text="from two")
    assert (await one.text("from two"))["fromMe"]
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="to both")
    await one.text("to both")
    await two.text("to both")


async def test_profile_privacy_and_blocklist_are_answered(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    await bert.call("set_status", text="at work")
    (info,) = await anna.call("user_info", person=network.bert)
    assert info["UserInfo"]["Status"] == "at work"
    assert (await anna.call("privacy"))["ReadReceipts"] == "ALL"
    assert "DHash" in await anna.call("blocklist")
