"""Channels as people make, follow, post in and react in them on their phones."""

from typing import Any

from quart import Blueprint

from loopback.addresses import Attrs
from loopback.answers import new_id
from loopback.channels import Channel
from loopback.control.asked import body, chat_of, phone_of
from loopback.control.problems import ANY_TEXT, FLAG, NUMBER, OPTIONAL, TEXT, Field, Problem
from loopback.control.shown import channel_shown
from loopback.network import Network
from loopback.wire.node import Node

__all__ = ["routes"]

IDS = Field(list, NUMBER.says, of=NUMBER)


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("channels", __name__)

    def channel_of(jid: str) -> Channel:
        channel = network.channels.find(chat_of(jid, "channel"))
        if channel is None:
            raise Problem(404, "unknown-channel", "There is no such channel")
        return channel

    @at.get("/channels")
    async def channels() -> Any:
        return {"channels": [channel_shown(network, channel) for channel in network.channels]}

    @at.post("/phones/<number>/channels")
    async def create(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(name=TEXT, description=OPTIONAL(ANY_TEXT), picture=OPTIONAL(TEXT))
        made = network.channels.create(phone.account, {"input": given})["xwa2_newsletter_create"]
        return {"channel": made["id"], "invite": made["thread_metadata"]["invite"]}, 201

    @at.get("/phones/<number>/channels")
    async def followed(number: str) -> Any:
        lid = phone_of(network, number).account.lid
        mine = [channel for channel in network.channels if lid in channel.followers]
        return {"channels": [channel_shown(network, channel) for channel in mine]}

    @at.patch("/phones/<number>/channels/<jid>")
    async def change(number: str, jid: str) -> Any:
        account, channel = phone_of(network, number).account, channel_of(jid)
        given = await body(following=OPTIONAL(FLAG), muted=OPTIONAL(FLAG))
        variables = {"newsletter_id": str(channel.jid)}
        if given["following"] is not None:
            change = network.channels.follow if given["following"] else network.channels.unfollow
            change(account, variables)
        if given["muted"] is not None:
            change = network.channels.mute if given["muted"] else network.channels.unmute
            change(account, variables)
        return channel_shown(network, channel)

    @at.post("/phones/<number>/channels/<jid>/reactions")
    async def react(number: str, jid: str) -> Any:
        account, channel = phone_of(network, number).account, channel_of(jid)
        given = await body(serverId=NUMBER, emoji=ANY_TEXT)
        network.posts.react(account, channel, str(int(given["serverId"])), given["emoji"] or None)
        return channel_shown(network, channel)

    @at.post("/phones/<number>/channels/<jid>/views")
    async def view(number: str, jid: str) -> Any:
        account, channel = phone_of(network, number).account, channel_of(jid)
        given = await body(serverIds=IDS)
        items = [Node("item", {"server_id": int(each)}) for each in given["serverIds"]]
        attrs: Attrs = {"id": new_id(), "to": channel.jid, "type": "view"}
        network.posts.view(account, Node("receipt", attrs, Node("list", {}, items)))
        return channel_shown(network, channel)

    return at
