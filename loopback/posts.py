"""What goes on in channels: posts, reactions, views; and the updates to those who watch a channel live."""

import time

from loopback.accounts import Account, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.channels import Channel, Channels, Post
from loopback.deliveries import Deliveries
from loopback.wire.node import JID, Node

__all__ = ["Posts"]

KEPT = 500  # posts a channel remembers
LIVE_UPDATES = 300  # seconds a device is told about reactions and views
NO_SUCH_CHANNEL = 404
NOT_ALLOWED = 403
EDIT = "3"
REVOKE = "8"


class Posts:
    """Takes posts and reactions, and answers requests for them."""

    def __init__(self, channels: Channels, deliveries: Deliveries) -> None:
        self._channels = channels
        self._deliveries = deliveries
        self._watching: dict[str, dict[JID, float]] = {}  # by channel: devices, and until when (Unix seconds)

    def answer(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Answer one `newsletter` request. Raises Refused."""
        if (asked := iq.child("messages")) is not None:
            channel = self._channel(asked.jid("jid"))
            before = int(asked.attr("before") or channel.next_server_id)
            posts = [post for post in channel.posts if post.server_id < before]
            shown = posts[-int(asked.attr("count") or 50) :]
            return Node("messages", {"jid": channel.jid}, [_post_node(p, content=True) for p in shown])
        channel = self._channel(iq.jid("to"))
        if iq.child("live_updates") is not None:
            watching = self._watching.setdefault(channel.id, {})
            watching[account.lid_jid.with_device(device.number)] = time.time() + LIVE_UPDATES
            return Node("live_updates", {"duration": LIVE_UPDATES})
        if (updates := iq.child("message_updates")) is not None:
            after = int(updates.attr("after") or 0)
            posts = [post for post in channel.posts if post.server_id > after]
            shown = posts[: int(updates.attr("count") or 100)]
            return Node("message_updates", {}, Node("messages", {}, [_post_node(p) for p in shown]))
        raise Refused(501, "feature-not-implemented")

    def accept(self, account: Account, number: int, message: Node) -> Node:
        """Take a post, its change, or a reaction of a device; the acknowledgement."""
        channel = self._channels.find(message.jid("to"))
        now = int(time.time())
        attrs: Attrs = {
            "class": "message",
            "id": message.attr("id"),
            "from": message.jid("to"),
            "t": now,
        }
        if channel is None or account.lid not in channel.followers:
            return Node("ack", attrs | {"error": NO_SUCH_CHANNEL if channel is None else NOT_ALLOWED})
        if message.attr("type") == "reaction":
            reaction = message.child("reaction")
            self.react(
                account, channel, message.attr("server_id"), reaction.attr("code") if reaction else None
            )
            return Node("ack", attrs)
        content = message.child("plaintext")
        if channel.owner != account.lid or content is None:
            return Node("ack", attrs | {"error": NOT_ALLOWED})
        post = self._posted(channel, message, content, now)
        if post is None:
            return Node("ack", attrs | {"error": NO_SUCH_CHANNEL})
        self._channels.save(channel)
        node = _delivered(channel, post, message.attr("edit"))
        for follower in self._channels.followers(channel):
            self._deliveries.put_to_companions(follower, node, but=number if follower is account else None)
        return Node("ack", attrs | {"server_id": post.server_id})

    def react(self, account: Account, channel: Channel, server_id: str | None, code: str | None) -> None:
        """Somebody reacts to a post, or (without a code) no longer does."""
        for post in channel.posts:
            if str(post.server_id) == server_id:
                post.reactions.pop(account.lid, None)
                if code:
                    post.reactions[account.lid] = code
                self._changed(channel, post)

    def view(self, account: Account, receipt: Node) -> None:
        """Count who saw which posts (receipt of type `view`)."""
        channel, items = self._channels.find(receipt.jid("to")), receipt.child("list")
        if channel is None or items is None:
            return
        seen = {int(item.attr("server_id") or 0) for item in items.children("item")}
        for post in channel.posts:
            if post.server_id in seen and account.lid not in post.viewers:
                post.viewers.add(account.lid)
                self._changed(channel, post)

    @staticmethod
    def _posted(channel: Channel, message: Node, content: Node, now: int) -> Post | None:
        """A new post, or one that was changed or taken back; None if that is not there."""
        post_id, edit = message.attr("id") or "", message.attr("edit")
        if edit in {EDIT, REVOKE}:
            known = next((post for post in channel.posts if post.id == post_id), None)
            if known is not None:
                known.content = content.data if edit == EDIT else b""
                known.edited = int(time.time() * 1000)
            return known
        kind, mediatype = message.attr("type") or "text", content.attr("mediatype") or ""
        post = Post(channel.next_server_id, post_id, kind, now, content.data, mediatype)
        channel.next_server_id += 1
        channel.posts = [*channel.posts, post][-KEPT:]
        return post

    def _changed(self, channel: Channel, post: Post) -> None:
        """Keep it and tell the devices that watch."""
        self._channels.save(channel)
        watching, now = self._watching.get(channel.id, {}), time.time()
        for device, until in list(watching.items()):
            if until < now:
                del watching[device]
            else:
                update = Node("live_updates", {}, _post_node(post))
                self._deliveries.put(device, notification("newsletter", channel.jid, update))

    def _channel(self, jid: JID | None) -> Channel:
        channel = self._channels.find(jid)
        if channel is None:
            raise Refused(404, "item-not-found")
        return channel


def _delivered(channel: Channel, post: Post, edit: str | None) -> Node:
    """A post on its way to a follower."""
    attrs: Attrs = {
        "from": channel.jid,
        "id": post.id,
        "server_id": post.server_id,
        "type": post.type,
        "t": post.timestamp,
        "edit": edit,
    }
    parts = [_plaintext(post)]
    if edit is not None:
        parts.append(Node("meta", {"msg_edit_t": post.edited, "original_msg_t": post.timestamp}))
    return Node("message", attrs, parts)


def _plaintext(post: Post) -> Node:
    return Node("plaintext", {"mediatype": post.mediatype or None}, post.content)


def _post_node(post: Post, *, content: bool = False) -> Node:
    counts = {
        code: list(post.reactions.values()).count(code) for code in sorted(set(post.reactions.values()))
    }
    parts = [
        Node("views_count", {"count": len(post.viewers)}),
        Node("reactions", {}, [Node("reaction", {"code": code, "count": n}) for code, n in counts.items()]),
    ]
    if content and post.content:
        parts.insert(0, _plaintext(post))
    attrs: Attrs = {"server_id": post.server_id, "id": post.id, "type": post.type, "t": post.timestamp}
    return Node("message", attrs, parts)
