"""Who comes into groups how, and who may not; communities."""

from typing import Any

import pytest

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, until


async def test_people_come_in_by_approval_or_invitation_and_not_by_a_revoked_link(network: Network) -> None:
    for number in (network.anna, network.bert, network.carl):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    group = await anna.call("create_group", subject="Us", participants=[])
    old = await anna.call("invite_link", group=group)
    link = await anna.call("revoke_link", group=group)
    with pytest.raises(ClientError, match="revoked"):
        await bert.call("join_link", link=old)
    with pytest.raises(ClientError, match="not valid"):
        await bert.call("join_link", link="https://chat.whatsapp.com/nonsense")

    change = f"/phones/{network.anna}/groups/{group}"
    assert (await network.control.patch(change, json={"approvalMode": True})).is_success
    await bert.call("join_link", link=link)
    asking = await network.post(f"/phones/{network.carl}/groups/join", invite=link)
    assert asking["asked"]
    requests = await anna.call("requests", group=group)
    assert len(requests) == 2
    decided = f"{change}/participants"
    await network.post(decided, action="approve", participants=[network.bert])
    await network.post(decided, action="reject", participants=[network.carl])
    assert (await bert.event("JoinedGroup"))["GroupInfo"]["GroupName"]["Name"] == "Us"
    assert await anna.call("requests", group=group) == []
    with pytest.raises(ClientError, match="permission"):
        await bert.call("invite_link", group=group)

    hidden = {"privacy": {"groupadd": "none"}}
    assert (await network.control.patch(f"/phones/{network.carl}", json=hidden)).is_success
    (added,) = await anna.call("participants", group=group, people=[network.carl], change="ADD")
    assert added["Error"] == 403
    (owner,) = await anna.call("participants", group=group, people=[network.anna], change="DEMOTE")
    (inside,) = await anna.call("participants", group=group, people=[network.bert], change="ADD")
    assert (owner["Error"], inside["Error"]) == (406, 409)
    carl = await network.linked(network.carl)
    invitation = added["AddRequest"]
    await carl.call(
        "join_invited",
        group=group,
        inviter=network.anna,
        code=invitation["Code"],
        expiration=int(invitation["Expiration"]),
    )
    assert await carl.call("joined_groups") == [group]


async def test_members_of_linked_groups_are_in_the_community(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    community = await anna.call("create_community", name="The Village")
    (own,) = await anna.call("sub_groups", community=community)
    group = await anna.call("create_group", subject="The Choir", participants=[network.bert])
    await bert.event("JoinedGroup")
    await anna.call("link_group", community=community, group=group)
    names = {(await bert.event("JoinedGroup"))["GroupInfo"]["GroupName"]["Name"] for _ in range(2)}
    assert names == {"The Village"}
    assert await anna.call("sub_groups", community=community) == [own, group]
    assert len(await anna.call("linked_participants", community=community)) == 2
    assert set(await bert.call("joined_groups")) == {community, own, group}
    info = await bert.call("group_info", group=group)
    assert info["GroupLinkedParent"]["LinkedParentJID"]["User"] == community.partition("@")[0]
    with pytest.raises(ClientError, match="405"):  # only admins write in the community's own group
        await bert.call("send", to=own, text="hello village")
    with pytest.raises(ClientError, match="403"):
        await bert.call("unlink_group", community=community, group=group)
    await anna.call("unlink_group", community=community, group=group)
    assert await anna.call("sub_groups", community=community) == [own]


async def test_phone_administers_a_group(network: Network) -> None:
    for number in (network.anna, network.bert):
        await network.phone(number, number)
    anna = await network.linked(network.anna)
    made = await network.post(f"/phones/{network.bert}/groups", subject="Bert's", participants=[network.anna])
    group = made["group"]
    await anna.event("JoinedGroup")
    at = f"/phones/{network.bert}/groups/{group}"
    changes = {"subject": "Ours", "description": "What for", "locked": True, "announce": True}
    changes |= {"ephemeralSeconds": 86400, "memberAddMode": "admin_add"}
    shown = (await network.control.patch(at, json=changes)).json()
    assert {name: shown[name] for name in changes} == changes
    told: set[str] = set()
    while not told >= {"Name", "Topic", "Locked", "Announce", "Ephemeral"}:
        told |= (await anna.event("GroupInfoEvent")).keys()
    with pytest.raises(ClientError, match="405"):
        await anna.call("send", to=group, text="may I?")
    with pytest.raises(ClientError, match="403"):
        await anna.call("group_name", group=group, name="Mine")
    await network.post(f"{at}/participants", action="promote", participants=[network.anna])
    await anna.event("GroupInfoEvent", lambda e: "Promote" in e)
    await anna.call("group_name", group=group, name="Mine too")
    await anna.call("send", to=group, text="now I may")

    async def got() -> Any:
        return [m["text"] for m in await network.inbox(network.bert)]

    assert await until(got) == ["now I may"]
