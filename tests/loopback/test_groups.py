"""Groups of clients and phones: made, written in, changed, joined and left."""

from pathlib import Path
from typing import Any

import pytest

from tests.loopback.clients import ClientError
from tests.loopback.networks import start_network, until

ANNA, BERT, CARL = "628111111111", "628222222222", "628333333333"


async def test_group_of_clients_and_a_phone_reads_what_each_member_writes(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number, name in ((ANNA, "Anna"), (BERT, "Bert"), (CARL, "Carl")):
            await network.phone(number, name)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[BERT, CARL])
        joined = await bert.event("JoinedGroup")
        assert joined["GroupInfo"]["GroupName"]["Name"] == "Us"
        assert await bert.call("joined_groups") == [group]
        info = await bert.call("group_info", group=group)
        assert {p["PhoneNumber"]["User"] for p in info["Participants"]} == {ANNA, BERT, CARL}

        await anna.call("send", to=group, text="hello all")
        got = await bert.text("hello all")
        assert (got["isGroup"], got["chat"]) == (True, group)

        async def carl_got() -> Any:
            return await network.inbox(CARL)

        (received,) = await until(carl_got)
        assert (received["text"], received["chat"], received["from"]) == ("hello all", group, ANNA)

        await bert.call("send", to=group, text="from Bert")
        await anna.text("from Bert")
        for n in range(2):
            await network.post(f"/phones/{CARL}/messages", to=group, message=f"from Carl {n}")
            await anna.text(f"from Carl {n}")
            await bert.text(f"from Carl {n}")


async def test_delivery_and_read_receipts_come_from_each_member(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        await network.phone(ANNA, "Anna")
        for number in (BERT, CARL):
            await network.phone(number, number, autoRead=True)
        anna = await network.linked(ANNA)
        group = await anna.call("create_group", subject="Us", participants=[BERT, CARL])
        sent = await anna.call("send", to=group, text="hello")
        readers = set()
        for _ in range(2):
            receipt = await anna.event("Receipt", lambda r: r["type"] == 4)
            assert (receipt["ids"], receipt["chat"]) == ([sent["id"]], group)
            readers.add(receipt["sender"])
        assert len(readers) == 2


async def test_newcomer_reads_what_comes_after_and_the_removed_nothing(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT, CARL):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[CARL])
        await anna.call("send", to=group, text="before")
        await anna.call("add_to_group", group=group, people=[BERT])
        await bert.event("JoinedGroup")
        await anna.event("GroupInfoEvent", lambda e: "Join" in e)
        await anna.call("send", to=group, text="welcome")
        await bert.text("welcome")
        assert [m["text"] for m in bert.all("Message") if m["text"]] == ["welcome"]
        await network.post(f"/phones/{CARL}/messages", to=group, message="hi Bert")
        await bert.text("hi Bert")

        await anna.call("remove_from_group", group=group, people=[CARL])
        await anna.event("GroupInfoEvent", lambda e: "Leave" in e)
        await anna.call("send", to=group, text="without Carl")
        await bert.text("without Carl")
        assert "without Carl" not in [m["text"] for m in await network.inbox(CARL)]
        refused = await network.control.post(f"/phones/{CARL}/messages", json={"to": group, "message": "?"})
        assert refused.status_code == 404


async def test_changes_are_told_to_the_members_and_only_admins_make_them(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[BERT])
        await bert.event("JoinedGroup")
        await anna.call("group_name", group=group, name="We")
        assert (await bert.event("GroupInfoEvent", lambda e: "Name" in e))["Name"]["Name"] == "We"
        await anna.call("group_topic", group=group, topic="What we are for")
        assert (await bert.event("GroupInfoEvent", lambda e: "Topic" in e))["Topic"][
            "Topic"
        ] == "What we are for"
        with pytest.raises(ClientError, match="403"):
            await bert.call("remove_from_group", group=group, people=[ANNA])


async def test_group_photo_is_kept_and_shown(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[BERT])
        await bert.event("JoinedGroup")
        with pytest.raises(ClientError, match="does not have a profile picture"):
            await bert.call("picture", of=group)
        jpeg = b"\xff\xd8\xff\xe0 not much of a picture"
        picture_id = await anna.call("group_photo", group=group, jpeg=jpeg.hex())
        await bert.event("Picture")
        shown = await bert.call("picture", of=group)
        assert shown["ID"] == picture_id


async def test_group_is_joined_by_its_link_and_left(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
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


async def test_member_that_was_away_reads_the_group_on_return(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[BERT])
        await bert.event("JoinedGroup")
        await bert.kill()
        for n in range(3):
            await anna.call("send", to=group, text=f"missed {n}")
        back = await network.client(BERT)
        await back.call("connect")
        for n in range(3):
            await back.text(f"missed {n}")


async def test_damaged_group_message_is_sent_again_to_the_one_that_asks(tmp_path: Path) -> None:
    async with start_network(tmp_path / "net") as network:
        for number in (ANNA, BERT, CARL):
            await network.phone(number, number)
        anna, bert = await network.linked(ANNA), await network.linked(BERT)
        group = await anna.call("create_group", subject="Us", participants=[BERT, CARL])
        await bert.event("JoinedGroup")
        await anna.call("send", to=group, text="hello")
        await bert.text("hello")
        await network.post("/faults", kind="corrupt", phone=BERT, count=2)
        await anna.call("send", to=group, text="again")
        await bert.text("again")
        await network.post("/faults", kind="corrupt", phone=BERT, count=2)
        await network.post(f"/phones/{CARL}/messages", to=group, message="Carl again")
        await bert.text("Carl again")
        assert not anna.all("UndecryptableMessage")
