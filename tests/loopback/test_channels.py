"""Channels: made, found, followed, written in, reacted to and left."""

from typing import Any

import pytest

from tests.loopback.clients import ClientError
from tests.loopback.networks import Network, until


async def test_followers_read_what_the_owner_posts(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    channel = await anna.call("create_channel", name="News", description="All of it")
    with pytest.raises(ClientError, match="404"):
        await bert.call("follow", channel="120363499999999999@newsletter")
    await bert.call("follow", channel=channel)
    assert (await bert.event("NewsletterJoin"))["NewsletterMetadata"]["ThreadMeta"]["Name"]["Text"] == "News"
    (followed,) = await bert.call("channels")
    assert followed["ThreadMeta"]["Description"]["Text"] == "All of it"

    sent = await anna.call("send", to=channel, text="first news")
    got = await bert.text("first news")
    assert (got["chat"], got["id"]) == (channel, sent["id"])
    await bert.call("react_to_post", channel=channel, server_id=100, reaction="👍")

    async def reacted() -> Any:
        (post,) = await anna.call("posts", channel=channel)
        return post.get("ReactionCounts")

    assert await until(reacted) == [{"type": "👍", "count": "1"}]
    with pytest.raises(ClientError, match="403"):
        await bert.call("send", to=channel, text="not mine")
    await bert.call("mute_channel", channel=channel)
    await bert.event("NewsletterMuteChange")
    await bert.call("unfollow", channel=channel)
    await bert.event("NewsletterLeave")
    assert await bert.call("channels") == []


async def test_files_changes_and_counts_of_a_channel_reach_its_followers(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna, bert = await network.linked(network.anna), await network.linked(network.bert)
    channel = await anna.call("create_channel", name="News", description="All of it")
    (shown,) = [each for each in (await network.get("/channels"))["channels"] if each["jid"] == channel]
    assert (await bert.call("channel_by_invite", invite=shown["invite"]))["id"] == channel
    await bert.call("follow", channel=channel)
    await anna.call("channel_image", channel=channel, data="of the news")
    got = await bert.text("an image for all")
    assert await bert.call("download", message=got["id"]) == "of the news"

    sent = await anna.call("send", to=channel, text="frist")
    await bert.text("frist")
    await anna.call("edit", chat=channel, message=sent["id"], text="first")
    assert (await bert.text("first"))["id"] == sent["id"]
    await bert.call("watch_channel", channel=channel)
    at = f"/phones/{network.anna}/channels/{channel}"
    await network.post(f"{at}/reactions", serverId=101, emoji="👍")
    update = await bert.event("NewsletterLiveUpdate")
    assert update["Messages"][0]["ReactionCounts"] == [{"type": "👍", "count": "1"}]
    await bert.call("view_posts", channel=channel, ids=[100, 101])
    (shown,) = (await network.get(f"/phones/{network.bert}/channels"))["channels"]
    assert [(p["text"], p["views"], p["mediatype"]) for p in shown["posts"]] == [
        ("an image for all", 1, "image"),
        ("first", 1, None),
    ]


async def test_phone_makes_a_channel_and_posts(network: Network) -> None:
    await network.phone(network.anna, "Anna")
    await network.phone(network.bert, "Bert")
    anna = await network.linked(network.anna)
    made = await network.post(f"/phones/{network.bert}/channels", name="Bert's")
    await anna.call("follow", channel=made["channel"])
    await network.post(f"/phones/{network.bert}/messages", to=made["channel"], message="from my phone")
    assert (await anna.text("from my phone"))["chat"] == made["channel"]
    refused = await network.control.post(
        f"/phones/{network.anna}/messages", json={"to": made["channel"], "message": "not mine"}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
