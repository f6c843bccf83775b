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
