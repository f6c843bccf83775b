"""Groups of clients and phones: made, written in, changed, joined and left."""

from typing import Any

import pytest

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, until


async def test_group_of_clients_and_a_phone_reads_what_each_member_writes(network: Network) -> None:
    for number, name in ((network.anna, "Anna"), (network.bert, "Bert"), (network.carl, "Carl")):
        await network.phone(number, name)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.bert, network.carl])
    joined = await bert.event("JoinedGroup")
    assert joined["GroupInfo"]["GroupName"]["Name"] == "Us"
    assert await bert.call("joined_groups") == [group]
    info = await bert.call("group_info", group=group)
    assert {p["PhoneNumber"]["User"] for p in info["Participants"]} == {
        network.anna,
        network.bert,
        network.carl,
    }

    await anna.call("send", to=group, text="hello all")
    got = await bert.text("hello all")
    assert (got["isGroup"], got["chat"]) == (True, group)

    async def carl_got() -> Any:
        return await network.inbox(network.carl)

    (received,) = await until(carl_got)
    assert (received["text"], received["chat"], received["from"]) == ("hello all", group, network.anna)

    await bert.call("send", to=group, text="from Bert")
    await anna.text("from Bert")
    for n in range(2):
        await network.post(f"/phones/{network.carl}/messages", to=group, message=f"from Carl {n}")
        await anna.text(f"from Carl {n}")
        await bert.text(f"from Carl {n}")


async def test_delivery_and_read_receipts_come_from_each_member(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    for number in (network.bert, network.carl):
        await network.phone(number, number, autoRead=True)
    anna = await network.linked(network.anna)
    group = await anna.call("create_group", subject="Us", participants=[network.bert, network.carl])
    sent = await anna.call("send", to=group, text="hello")
    readers = set()
    for _ in range(2):
        receipt = await anna.event("Receipt", lambda r: r["type"] == 4)
        assert (receipt["ids"], receipt["chat"]) == ([sent["id"]], group)
        readers.add(receipt["sender"])
    assert len(readers) == 2


async def test_newcomer_reads_what_comes_after_and_the_removed_nothing(network: Network) -> None:
    for number in (network.anna, network.bert, network.carl):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.carl])
    await anna.call("send", to=group, text="before")
    await anna.call("add_to_group", group=group, people=[network.bert])
    await bert.event("JoinedGroup")
    await anna.event("GroupInfoEvent", lambda e: "Join" in e)
    await anna.call("send", to=group, text="welcome")
    await bert.text("welcome")
    assert [m["text"] for m in bert.all("Message") if m["text"]] == ["welcome"]
    await network.post(f"/phones/{network.carl}/messages", to=group, message="hi Bert")
    await bert.text("hi Bert")

    await anna.call("remove_from_group", group=group, people=[network.carl])
    await anna.event("GroupInfoEvent", lambda e: "Leave" in e)
    await anna.call("send", to=group, text="without Carl")
    await bert.text("without Carl")
    assert "without Carl" not in [m["text"] for m in await network.inbox(network.carl)]
    refused = await network.control.post(
        f"/phones/{network.carl}/messages", json={"to": group, "message": "?"}
    )
    assert refused.status_code == 404


async def test_changes_are_told_to_the_members_and_only_admins_make_them(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.bert])
    await bert.event("JoinedGroup")
    await anna.call("group_name", group=group, name="We")
    assert (await bert.event("GroupInfoEvent", lambda e: "Name" in e))["Name"]["Name"] == "We"
    await anna.call("group_topic", group=group, topic="What we are for")
    assert (await bert.event("GroupInfoEvent", lambda e: "Topic" in e))["Topic"]["Topic"] == "What we are for"
    with pytest.raises(ClientError, match="403"):
        await bert.call("remove_from_group", group=group, people=[network.anna])


async def test_group_photo_is_kept_and_shown(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.bert])
    await bert.event("JoinedGroup")
    with pytest.raises(ClientError, match="does not have a profile picture"):
        await bert.call("picture", of=group)
    jpeg = b"\xff\xd8\xff\xe0 not much of a picture"
    picture_id = await anna.call("group_photo", group=group, jpeg=jpeg.hex())
    await bert.event("Picture")
    shown = await bert.call("picture", of=group)
    assert shown["ID"] == picture_id


async def test_group_is_joined_by_its_link_and_left(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[])
    link = await anna.call("invite_link", group=group)
    assert await bert.call("join_link", link=link) == group
    await bert.event("JoinedGroup")
    await anna.event("GroupInfoEvent", lambda e: "Join" in e)
    await anna.call("send", to=group, text="welcome")
    await bert.text("welcome")
    await bert.call("leave_group", group=group)
    await anna.event("GroupInfoEvent", lambda e: "Leave" in e)
    with pytest.raises(ClientError):
        await bert.call("group_info", group=group)


async def test_member_that_was_away_reads_the_group_on_return(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.bert])
    await bert.event("JoinedGroup")
    await bert.kill()
    for n in range(3):
        await anna.call("send", to=group, text=f"missed {n}")
    back = await network.client(network.bert)
    await back.call("connect")
    for n in range(3):
        await back.text(f"missed {n}")


async def test_damaged_group_message_is_sent_again_to_the_one_that_asks(network: Network) -> None:
    for number in (network.anna, network.bert, network.carl):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[network.bert, network.carl])
    await bert.event("JoinedGroup")
    await anna.call("send", to=group, text="hello")
    await bert.text("hello")
    await network.post("/faults", kind="corrupt", phone=network.bert, count=2)
    await anna.call("send", to=group, text="again")
    await bert.text("again")
    await network.post("/faults", kind="corrupt", phone=network.bert, count=2)
    await network.post(f"/phones/{network.carl}/messages", to=group, message="Carl again")
    await bert.text("Carl again")
    assert not anna.all("UndecryptableMessage")
