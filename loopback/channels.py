"""Channels (newsletters): one writes, many follow, and nothing is encrypted between them and the network."""

import json
import secrets
import time
from typing import Any

from attrs import Factory, define

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.graph import GraphError, Query
from loopback.log import log
from loopback.store import Store
from loopback.wire.node import JID, NEWSLETTER, SERVER, Node

__all__ = ["Channels"]

KEPT = 500  # posts a channel remembers
LIVE_UPDATES = 300  # seconds a device is told about reactions and views


@define(eq=False)
class Post:
    """One message of a channel."""

    server_id: int  # counts from 100 in each channel, as clients expect no small ones
    id: str
    type: str
    timestamp: int  # Unix seconds
    content: bytes  # waE2E.Message
    reactions: dict[str, str] = Factory(dict)  # lid to code
    viewers: set[str] = Factory(set)


@define(eq=False)
class Channel:
    """One channel. Its owner follows it too."""

    id: str
    name: str
    description: str
    owner: str  # lid
    created: int
    invite: str = Factory(lambda: secrets.token_urlsafe(16))
    followers: dict[str, bool] = Factory(dict)  # lid to whether muted
    posts: list[Post] = Factory(list)
    next_server_id: int = 100

    @property
    def jid(self) -> JID:
        return JID(self.id, NEWSLETTER)


class Channels:
    """Every channel, kept in the store."""

    def __init__(self, store: Store, accounts: Accounts, deliveries: Deliveries) -> None:
        self._store = store
        self._accounts = accounts
        self._deliveries = deliveries
        self._channels = store.load("channel", Channel)

    @property
    def queries(self) -> dict[str, Query]:
        """What is asked about channels by `w:mex`, by the numbers of the clients seen."""
        return {
            "6234210096708695": self._create,
            "6563316087068696": self._fetch,
            "6388546374527196": self._subscribed,
            "9926858900719341": self._follow,
            "6392786840836363": self._unfollow,
            "6274038279359549": self._mute,
            "6068417879924485": self._unmute,
        }

    # --- Queries ------------------------------------------------------------------------------------------

    def _create(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        given = variables.get("newsletter_input") or variables.get("input") or {}
        channel = Channel(
            f"1203634{secrets.randbelow(10**11):011d}",
            str(given.get("name") or ""),
            str(given.get("description") or ""),
            account.lid,
            int(time.time()),
        )
        channel.followers[account.lid] = False
        self._channels[channel.id] = channel
        self._save(channel)
        log("channel_created", phone=account.phone, channel=channel.id)
        return {"xwa2_newsletter_create": self._about(channel, account)}

    def _fetch(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        asked = variables.get("input") or {}
        key = str(asked.get("key") or "")
        if asked.get("type") == "INVITE":
            found = next((c for c in self._channels.values() if c.invite == key), None)
            if found is None:
                raise GraphError(404, "Not Found")
        else:
            found = self._named(key)
        return {"xwa2_newsletter": self._about(found, account)}

    def _subscribed(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        del variables
        mine = [c for c in self._channels.values() if account.lid in c.followers]
        return {"xwa2_newsletter_subscribed": [self._about(channel, account) for channel in mine]}

    def _follow(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        channel.followers.setdefault(account.lid, False)
        self._save(channel)
        about = self._about(channel, account)
        self._tell(account, "NotificationNewsletterJoin", "xwa2_notify_newsletter_on_join", about)
        return {"xwa2_newsletter_join_v2": about}

    def _unfollow(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        if channel.owner == account.lid:
            raise GraphError(403, "Forbidden")
        channel.followers.pop(account.lid, None)
        self._save(channel)
        about = {"id": str(channel.jid), "role": "GUEST"}
        self._tell(account, "NotificationNewsletterLeave", "xwa2_notify_newsletter_on_leave", about)
        return {"xwa2_newsletter_leave_v2": about}

    def _mute(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        return self._set_muted(account, variables, muted=True)

    def _unmute(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        return self._set_muted(account, variables, muted=False)

    def _set_muted(self, account: Account, variables: dict[str, Any], *, muted: bool) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        if account.lid not in channel.followers:
            raise GraphError(403, "Forbidden")
        channel.followers[account.lid] = muted
        self._save(channel)
        about = {"id": str(channel.jid), "mute": "ON" if muted else "OFF"}
        operation = "NotificationNewsletterMuteChange"
        self._tell(account, operation, "xwa2_notify_newsletter_on_mute_change", about)
        return {"xwa2_newsletter_update": about}

    # --- Stanzas ------------------------------------------------------------------------------------------

    def answer(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Answer one `newsletter` request. Raises Refused."""
        del account, device
        if (asked := iq.child("messages")) is not None:
            channel = self._find(asked.jid("jid"))
            if channel is None:
                raise Refused(404, "item-not-found")
            before = int(asked.attr("before") or channel.next_server_id)
            posts = [post for post in channel.posts if post.server_id < before]
            shown = posts[-int(asked.attr("count") or 50) :]
            return Node("messages", {"jid": channel.jid}, [_post_node(p, content=True) for p in shown])
        channel = self._find(iq.jid("to"))
        if channel is None:
            raise Refused(404, "item-not-found")
        if iq.child("live_updates") is not None:
            return Node("live_updates", {"duration": LIVE_UPDATES})
        if (updates := iq.child("message_updates")) is not None:
            after = int(updates.attr("after") or 0)
            posts = [post for post in channel.posts if post.server_id > after]
            shown = posts[: int(updates.attr("count") or 100)]
            return Node("message_updates", {}, Node("messages", {}, [_post_node(p) for p in shown]))
        raise Refused(501, "feature-not-implemented")

    def accept(self, account: Account, number: int, message: Node) -> Node:
        """Take a post or reaction of a device; its acknowledgement."""
        channel = self._find(message.jid("to"))
        attrs: Attrs = {"class": "message", "id": message.attr("id"), "from": message.jid("to")}
        now = int(time.time())
        if channel is None or account.lid not in channel.followers:
            return Node("ack", attrs | {"t": now, "error": 404 if channel is None else 403})
        if message.attr("type") == "reaction":
            self._react(channel, account, message)
            return Node("ack", attrs | {"t": now})
        content = message.child("plaintext")
        if channel.owner != account.lid or content is None:
            return Node("ack", attrs | {"t": now, "error": 403})
        kind = message.attr("type") or "text"
        post = Post(channel.next_server_id, message.attr("id") or "", kind, now, content.data)
        channel.next_server_id += 1
        channel.posts = [*channel.posts, post][-KEPT:]
        self._save(channel)
        head: Attrs = {
            "from": channel.jid,
            "id": post.id,
            "server_id": post.server_id,
            "type": post.type,
            "t": now,
        }
        node = Node("message", head, content)
        for follower in filter(None, map(self._accounts.by_lid, channel.followers)):
            self._deliveries.put_to_companions(follower, node, but=number if follower is account else None)
        return Node("ack", attrs | {"t": now, "server_id": post.server_id})

    def viewed(self, account: Account, receipt: Node) -> None:
        """Count who saw which posts."""
        channel, items = self._find(receipt.jid("to")), receipt.child("list")
        if channel is None or items is None:
            return
        seen = {int(item.attr("server_id") or 0) for item in items.children("item")}
        for post in channel.posts:
            if post.server_id in seen:
                post.viewers.add(account.lid)
        self._save(channel)

    def _react(self, channel: Channel, account: Account, message: Node) -> None:
        reaction = message.child("reaction")
        code = reaction.attr("code") if reaction is not None else None
        for post in channel.posts:
            if str(post.server_id) == message.attr("server_id"):
                post.reactions.pop(account.lid, None)
                if code:
                    post.reactions[account.lid] = code
        self._save(channel)

    # --- Parts --------------------------------------------------------------------------------------------

    def _save(self, channel: Channel) -> None:
        self._store.put("channel", channel.id, channel)

    def _find(self, jid: JID | None) -> Channel | None:
        return self._channels.get(jid.user) if jid is not None and jid.server == NEWSLETTER else None

    def _named(self, address: str) -> Channel:
        channel = self._channels.get(address.partition("@")[0])
        if channel is None:
            raise GraphError(404, "Not Found")
        return channel

    def _about(self, channel: Channel, viewer: Account) -> dict[str, Any]:
        """As clients parse it: many numbers are strings."""
        changed = str(channel.created * 1_000_000)
        role = "OWNER" if channel.owner == viewer.lid else "SUBSCRIBER"
        if viewer.lid not in channel.followers:
            role = "GUEST"
        return {
            "id": str(channel.jid),
            "state": {"type": "ACTIVE"},
            "thread_metadata": {
                "creation_time": str(channel.created),
                "invite": channel.invite,
                "name": {"text": channel.name, "id": changed, "update_time": changed},
                "description": {"text": channel.description, "id": changed, "update_time": changed},
                "subscribers_count": str(len(channel.followers)),
                "verification": "UNVERIFIED",
                "picture": {"id": "", "type": "IMAGE", "direct_path": ""},
                "preview": {"id": "", "type": "PREVIEW", "direct_path": ""},
                "settings": {"reaction_codes": {"value": "all"}},  # in capitals it is not understood
            },
            "viewer_metadata": {
                "mute": "ON" if channel.followers.get(viewer.lid) else "OFF",
                "role": role,
            },
        }

    def _tell(self, account: Account, operation: str, field: str, about: dict[str, Any]) -> None:
        """Tell the account's companions, the one that asked included."""
        update = Node("update", {"op_name": operation}, json.dumps({"data": {field: about}}))
        self._deliveries.put_to_companions(account, notification("mex", SERVER, update))


def _post_node(post: Post, *, content: bool = False) -> Node:
    counts = {
        code: list(post.reactions.values()).count(code) for code in sorted(set(post.reactions.values()))
    }
    parts = [
        Node("views_count", {"count": len(post.viewers)}),
        Node("reactions", {}, [Node("reaction", {"code": code, "count": n}) for code, n in counts.items()]),
    ]
    if content:
        parts.insert(0, Node("plaintext", {}, post.content))
    attrs: Attrs = {"server_id": post.server_id, "id": post.id, "type": post.type, "t": post.timestamp}
    return Node("message", attrs, parts)
