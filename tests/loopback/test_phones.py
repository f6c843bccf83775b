"""People with nothing but a phone take part in everything, and clients see it as from WhatsApp."""

import base64
import hashlib
from typing import Any

from tests.loopback.networks import Network, until


async def test_what_is_done_with_messages_on_a_phone_reaches_the_client(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    phone = f"/phones/{network.bert}"
    sent = await anna.call("send", to=network.bert, text="hello")
    await until(lambda: network.inbox(network.bert))

    await network.post(f"{phone}/reactions", messageId=sent["id"], emoji="👍")
    reaction = await anna.event("Message", lambda m: m["type"] == "reaction")
    assert reaction["content"]["reactionMessage"]["text"] == "👍"
    assert reaction["content"]["reactionMessage"]["key"]["ID"] == sent["id"]

    said = (await network.post(f"{phone}/messages", to=network.anna, message="helo"))["messageId"]
    await anna.text("helo")
    await network.post(f"{phone}/edits", messageId=said, message="hello!")
    edit = await anna.event("Message", lambda m: m["edit"] == "1")
    assert edit["content"]["protocolMessage"]["editedMessage"]["conversation"] == "hello!"
    await network.post(f"{phone}/revocations", messageId=said)
    revoke = await anna.event("Message", lambda m: m["edit"] == "7")
    assert revoke["content"]["protocolMessage"]["key"]["ID"] == said

    await network.post(f"{phone}/messages", to=network.anna, message="as you say", quote=sent["id"])
    answer = (await anna.text("as you say"))["content"]["extendedTextMessage"]["contextInfo"]
    assert answer["stanzaID"] == sent["id"]

    file = {"kind": "image", "data": base64.b64encode(b"once").decode(), "mimetype": "image/png"}
    await network.post(f"{phone}/messages", to=network.anna, media=file | {"viewOnce": True})
    once = await anna.event("Message", lambda m: m["viewOnce"])
    assert await anna.call("download", message=once["id"]) == "once"
    await network.post(f"{phone}/messages", to=network.anna, media=file | {"kind": "voice"})
    voice = await anna.event("Message", lambda m: "audioMessage" in m["content"])
    assert voice["content"]["audioMessage"]["PTT"]

    back = await anna.call("react", chat=network.bert, sender=network.bert, message=said, emoji="🙏")

    async def seen() -> Any:
        return [m for m in await network.inbox(network.bert) if m["messageId"] == back]

    (seen_reaction,) = await until(seen)
    assert (seen_reaction["type"], seen_reaction["text"], seen_reaction["about"]) == (
        "reactionMessage",
        "🙏",
        said,
    )


async def test_votes_are_read_by_those_who_have_the_poll(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    phone = f"/phones/{network.bert}"
    asked = await anna.call("poll", to=network.bert, question="Tea?", options=["yes", "no"])
    await until(lambda: network.inbox(network.bert))
    await network.post(f"{phone}/votes", messageId=asked, options=["no"])
    vote = await anna.event("Message", lambda m: "pollUpdateMessage" in m["content"])
    assert await anna.call("read_vote", message=vote["id"]) == [hashlib.sha256(b"no").hexdigest()]

    question = {"question": "Coffee?", "options": ["black", "white"], "selectable": 1}
    poll = await network.post(f"{phone}/messages", to=network.anna, poll=question)
    await anna.event("Message", lambda m: m["id"] == poll["messageId"])
    await anna.call("vote", poll=poll["messageId"], options=["white"])

    async def voted() -> Any:
        return [m["choices"] for m in await network.inbox(network.bert) if m["about"] == poll["messageId"]]

    assert await until(voted) == [["white"]]


async def test_chats_and_names_set_on_a_phone_are_known_to_companions_of_then_and_later(
    network: Network,
) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    bert = f"{network.bert}@s.whatsapp.net"

    async def change(**settings: Any) -> None:
        answer = await network.control.patch(f"/phones/{network.anna}/settings", json=settings)
        assert answer.is_success, answer.text

    for n in range(25):  # more than are handed to a new companion one by one
        await change(contact=network.bert, fullName=f"Bert {n}", firstName="Bert")
    await change(chat=network.bert, archived=True, pinned=True, mutedUntil=-1)

    async def known(client: Any) -> Any:
        settings = await client.call("chat_settings", chat=bert)
        named = await client.call("full_name", of=bert) == "Bert 24"
        return named and settings.get("Archived") and settings.get("Pinned") and "MutedUntil" in settings

    await until(lambda: known(anna))
    second = await network.linked(network.anna, "second")
    await until(lambda: known(second))


async def test_history_of_the_phone_is_handed_to_a_new_companion(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="long ago")
    await until(lambda: network.inbox(network.anna))
    await network.post(f"/phones/{network.anna}/messages", to=network.bert, message="and answered")
    anna = await network.linked(network.anna)
    chats = await anna.event("HistorySync", lambda e: "conversations" in e["Data"])
    (conversation,) = chats["Data"]["conversations"]
    told = [message["message"] for message in conversation["messages"]]
    assert [(m["message"]["conversation"], m["key"]["fromMe"]) for m in told] == [
        ("long ago", False),
        ("and answered", True),
    ]
    await anna.event("HistorySync", lambda e: "pushnames" in e["Data"])

    async def called() -> Any:
        return await anna.call("push_name", of=f"{network.bert}@s.whatsapp.net") == "Bert"

    await until(called)


async def test_status_goes_to_those_in_the_address_book(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    await network.phone(network.carl, "Carl")
    for mine, other in ((network.anna, network.bert), (network.bert, network.anna)):
        body = {"contact": other, "fullName": "A Friend"}
        assert (await network.control.patch(f"/phones/{mine}/settings", json=body)).is_success
    anna = await network.linked(network.anna)
    for said in ("seen by my friends", "and again"):
        await network.post(f"/phones/{network.bert}/messages", to="status@broadcast", message=said)
        assert (await anna.text(said))["chat"] == "status@broadcast"
    bert = f"{network.bert}@s.whatsapp.net"
    await until(lambda: anna.call("full_name", of=bert))
    await anna.call("send", to="status@broadcast", text="mine too")

    async def got() -> Any:
        return [(m["text"], m["chat"]) for m in await network.inbox(network.bert)]

    assert await until(got) == [("mine too", "status@broadcast")]
    assert await network.inbox(network.carl) == []


async def test_call_accepted_on_the_phone_no_longer_rings_at_the_companion(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    call = await network.post(f"/phones/{network.bert}/calls", to=network.anna, video=True)
    await anna.event("CallOffer")
    act = f"/phones/{network.anna}/calls/{call['callId']}"
    assert (await network.post(act, action="accept"))["state"] == "accepted"
    await anna.event("CallAccept")
    assert (await anna.event("CallTerminate"))["reason"] == "accepted_elsewhere"
    assert (await network.post(act, action="end"))["state"] == "ended"
