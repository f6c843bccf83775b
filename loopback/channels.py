"""Channels (newsletters): what each is, and how they are made, found, followed and muted (`w:mex`)."""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from attrs import Factory, define

from loopback.accounts import Account, Accounts
from loopback.answers import notification
from loopback.deliveries import Deliveries
from loopback.graph import GraphError, Query
from loopback.log import log
from loopback.media import PICTURE_HOST, Media
from loopback.store import Store
from loopback.wire.node import JID, NEWSLETTER, SERVER, Node

__all__ = ["Channel", "Channels", "Post"]


@define(eq=False)
class Post:
    """One message of a channel."""

    server_id: int  # counts from 100 in each channel, as clients expect no small ones
    id: str
    type: str
    timestamp: int  # Unix seconds
    content: bytes  # waE2E.Message; empty once it was taken back
    mediatype: str = ""
    edited: int = 0  # Unix milliseconds, 0 for never
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
    picture: str = ""  # path on the picture host, empty for none
    invite: str = Factory(lambda: secrets.token_urlsafe(16))
    followers: dict[str, bool] = Factory(dict)  # lid to whether muted
    posts: list[Post] = Factory(list)
    next_server_id: int = 100

    @property
    def jid(self) -> JID:
        return JID(self.id, NEWSLETTER)


class Channels:
    """Every channel, kept in the store."""

    def __init__(self, store: Store, accounts: Accounts, deliveries: Deliveries, media: Media) -> None:
        self._store = store
        self._accounts = accounts
        self._deliveries = deliveries
        self._media = media
        self._channels = store.load("channel", Channel)

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._channels.values()))

    def find(self, jid: JID | None) -> Channel | None:
        return self._channels.get(jid.user) if jid is not None and jid.server == NEWSLETTER else None

    def followers(self, channel: Channel) -> list[Account]:
        return [account for lid in channel.followers if (account := self._accounts.by_lid(lid)) is not None]

    def save(self, channel: Channel) -> None:
        self._store.put("channel", channel.id, channel)

    @property
    def queries(self) -> dict[str, Query]:
        """What is asked about channels, by the numbers of the clients seen."""
        return {
            "6234210096708695": self.create,
            "6563316087068696": self._fetch,
            "6388546374527196": self._subscribed,
            "9926858900719341": self.follow,
            "6392786840836363": self.unfollow,
            "6274038279359549": self.mute,
            "6068417879924485": self.unmute,
        }

    # --- Queries: all raise GraphError --------------------------------------------------------------------

    def create(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        given = variables.get("newsletter_input") or variables.get("input") or {}
        picture = ""
        if given.get("picture"):
            try:
                data = base64.b64decode(given["picture"], validate=True)
            except (TypeError, binascii.Error) as malformed:
                raise GraphError(400, "Bad Request") from malformed
            picture = self._media.store("pps", data)
        channel = Channel(
            f"1203634{secrets.randbelow(10**11):011d}",
            str(given.get("name") or ""),
            str(given.get("description") or ""),
            account.lid,
            int(time.time()),
            picture,
        )
        channel.followers[account.lid] = False
        self._channels[channel.id] = channel
        self.save(channel)
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
        about = self._about(found, account)
        if variables.get("fetch_viewer_metadata") is False:
            del about["viewer_metadata"]
        return {"xwa2_newsletter": about}

    def _subscribed(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        del variables
        mine = [c for c in self._channels.values() if account.lid in c.followers]
        return {"xwa2_newsletter_subscribed": [self._about(channel, account) for channel in mine]}

    def follow(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        channel.followers.setdefault(account.lid, False)
        self.save(channel)
        about = self._about(channel, account)
        self._tell(account, "NotificationNewsletterJoin", "xwa2_notify_newsletter_on_join", about)
        return {"xwa2_newsletter_join_v2": about}

    def unfollow(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        if channel.owner == account.lid:
            raise GraphError(403, "Forbidden")
        channel.followers.pop(account.lid, None)
        self.save(channel)
        about = {"id": str(channel.jid), "role": "GUEST"}
        self._tell(account, "NotificationNewsletterLeave", "xwa2_notify_newsletter_on_leave", about)
        return {"xwa2_newsletter_leave_v2": about}

    def mute(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        return self._set_muted(account, variables, muted=True)

    def unmute(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        return self._set_muted(account, variables, muted=False)

    def _set_muted(self, account: Account, variables: dict[str, Any], *, muted: bool) -> dict[str, Any]:
        channel = self._named(str(variables.get("newsletter_id")))
        if account.lid not in channel.followers:
            raise GraphError(403, "Forbidden")
        channel.followers[account.lid] = muted
        self.save(channel)
        about = {"id": str(channel.jid), "mute": "ON" if muted else "OFF"}
        operation = "NotificationNewsletterMuteChange"
        self._tell(account, operation, "xwa2_notify_newsletter_on_mute_change", about)
        return {"xwa2_newsletter_update": about}

    # --- Parts --------------------------------------------------------------------------------------------

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
        picture = {"id": "", "direct_path": ""}
        if channel.picture:
            url = f"https://{PICTURE_HOST}{channel.picture}"
            picture = {"id": changed, "direct_path": channel.picture, "url": url}
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
                "picture": picture | {"type": "IMAGE"},
                "preview": picture | {"type": "PREVIEW"},
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
