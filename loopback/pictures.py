"""Pictures of people and groups (`w:profile:picture`, and within `w:g2` for communities)."""

import time

from loopback.accounts import Account, Accounts, Device
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.groups import Group, Groups
from loopback.media import PICTURE_HOST, Media
from loopback.wire.node import JID, Node

__all__ = ["Pictures"]

JPEG = b"\xff\xd8"


class Pictures:
    """Sets and shows pictures. All raise Refused."""

    def __init__(self, accounts: Accounts, groups: Groups, deliveries: Deliveries, media: Media) -> None:
        self._accounts = accounts
        self._groups = groups
        self._deliveries = deliveries
        self._media = media

    def answer(self, account: Account, device: Device | None, iq: Node) -> Node | None:
        """Answer one request of a companion, or (device None) of the account's phone."""
        del device
        target = iq.jid("target") or account.pn_jid
        picture = iq.child("picture")
        if iq.attr("type") == "set":
            return self._set(account, target, picture)
        return self._show(account, target, picture)

    def of_community(self, account: Account, asked: Node) -> Node:
        """Pictures of communities, which are asked for as groups' properties are (`pictures`)."""
        shown = [
            self._show(account, jid, picture)
            for picture in asked.children("picture")
            if (jid := picture.jid("parent_group_jid")) is not None
        ]
        return Node("pictures", {}, shown)

    def _show(self, account: Account, target: JID, picture: Node | None) -> Node:
        asked = picture.attrs if picture is not None else {}
        stored = self._visible(account, target, str(asked.get("invite") or ""))
        if not stored:
            raise Refused(404, "item-not-found")
        picture_id, _, path = stored.partition(" ")
        if asked.get("id") == picture_id:
            return Node("picture", {"status": 304})
        url, kind = f"https://{PICTURE_HOST}{path}", asked.get("type") or "image"
        return Node("picture", {"id": picture_id, "url": url, "type": kind, "direct_path": path})

    def _visible(self, account: Account, target: JID, invite: str) -> str:
        """The picture of a person or group, which not everybody may see."""
        if (group := self._groups.find(target)) is not None:
            if account.lid not in group.members and invite != group.invite:
                raise Refused(401, "not-authorized")
            return group.picture
        person = self._accounts.resolve(target)
        if person is None:
            raise Refused(404, "item-not-found")
        if not person.shows("profile", account):
            raise Refused(401, "not-authorized")
        return person.picture

    def _set(self, account: Account, target: JID, picture: Node | None) -> Node | None:
        group, person = self._groups.find(target), self._accounts.resolve(target)
        if group is None and person is not account:
            raise Refused(403 if person is not None else 404, "forbidden")
        if group is not None:
            self._may_change(account, group)
        picture_id = stored = ""
        if picture is not None:
            if not picture.data.startswith(JPEG):
                raise Refused(406, "not-acceptable")
            picture_id = str(time.time_ns() // 1000)
            stored = f"{picture_id} {self._media.store('pps', picture.data)}"
        if group is not None:
            group.picture = stored
            self._groups.save(group)
            audience, shown = self._groups.members(group), group.jid
        else:
            account.picture = stored
            self._accounts.save(account)
            watchers = map(self._accounts.by_lid, {account.lid, *account.watchers})
            audience = [each for each in watchers if each is not None and account.shows("profile", each)]
            shown = account.pn_jid
        attrs = {"jid": shown, "author": account.lid_jid, "id": picture_id or None}
        change = Node("set" if stored else "delete", attrs)
        for each in audience:
            self._deliveries.put_to_companions(each, notification("picture", shown, change))
        return Node("picture", {"id": picture_id}) if stored else None

    @staticmethod
    def _may_change(account: Account, group: Group) -> None:
        if account.lid not in group.members or (group.locked and not group.is_admin(account.lid)):
            raise Refused(403, "forbidden")
