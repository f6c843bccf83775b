"""Another client library, by other hands, finds WhatsApp here as well, and talks with the first one."""

from tests.loopback.clients import Client
from tests.loopback.networks import Network


async def linked(network: Network, number: str) -> Client:
    client = await network.pywhats(number)
    await client.call("connect")
    await network.post(f"/phones/{number}/scan", qr=(await client.event("qr"))["code"])
    await client.event("paired")
    await client.event("connected")
    return client


async def test_pywhats_and_whatsmeow_write_to_each_other_by_number_and_hidden_identifier(
    network: Network,
) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await linked(network, network.anna), await network.linked(network.bert)
    sent = await anna.call("send", to=network.bert, text="by number")
    got = await bert.text("by number")
    assert (got["id"], got["pushName"]) == (sent, "Anna")
    assert got["senderAlt"] == f"{network.anna}:1@s.whatsapp.net"
    await bert.call("send", to=network.anna, text="answered by number")
    answered = await anna.event("message", lambda m: m["text"] == "answered by number")
    await bert.call("send", to=got["chat"], text="answered by identifier")
    await anna.event("message", lambda m: m["text"] == "answered by identifier")
    await anna.call("send", to=answered["chat"], text="by identifier")
    await bert.text("by identifier")

    picture = await anna.call("image", to=network.bert, data="of something")
    assert (await bert.text("a picture"))["id"] == picture
    assert await bert.call("download", message=picture) == "of something"

    said = await network.post(f"/phones/{network.bert}/messages", to=network.anna, message="from the phone")
    await anna.event("message", lambda m: m["text"] == "from the phone")
    await network.post(f"/phones/{network.bert}/edits", messageId=said["messageId"], message="changed")
    assert (await anna.event("edit"))["text"] == "changed"
    await network.post(f"/phones/{network.bert}/revocations", messageId=said["messageId"])
    assert (await anna.event("revoke"))["message"] == said["messageId"]


async def test_pywhats_and_whatsmeow_read_each_other_in_a_group(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await linked(network, network.anna), await network.linked(network.bert)
    # First of all: pywhats looks for what comes in a group under the address of the hidden identifier only,
    # and would not find a session that began by number.
    group = await bert.call("create_group", subject="Us", participants=[network.anna])
    await bert.call("send", to=group, text="hello group")
    got = await anna.event("message", lambda m: m["text"] == "hello group")
    assert got["chat"] == group
    await anna.call("send_to_group", group=group, text="hello Bert")
    assert (await bert.text("hello Bert"))["chat"] == group
