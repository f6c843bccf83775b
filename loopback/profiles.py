"""What people show of themselves and whom they shut out: about, privacy, blocked people, pictures, links."""

import base64
import hashlib
import secrets
import time
from typing import Any

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.groups import Groups
from loopback.media import PICTURE_HOST, Media
from loopback.wire.node import JID, Node

__all__ = ["SET_ABOUT", "Profiles"]

PRIVACY = {
    "readreceipts": "all",
    "profile": "all",
    "status": "all",
    "online": "all",
    "last": "all",
    "groupadd": "all",
    "calladd": "all",
    "messages": "all",
    "stickers": "contacts",
}
SET_ABOUT = "9152604461510864"  # the query's number


class Profiles:
    """Answers requests about the asker's own and other people's profiles. All raise Refused."""

    def __init__(self, accounts: Accounts, groups: Groups, deliveries: Deliveries, media: Media) -> None:
        self._accounts = accounts
        self._groups = groups
        self._deliveries = deliveries
        self._media = media

    def privacy(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Privacy settings, and the tokens by which people trust each other (`privacy`)."""
        if (tokens := iq.child("tokens")) is not None:
            self._trust(account, tokens)
            return None
        if iq.attr("type") == "set":
            changed = iq.child("privacy")
            categories = changed.children("category") if changed is not None else ()
            for category in categories:
                account.privacy[category.attr("name") or ""] = category.attr("value") or ""
            self._accounts.save(account)
            self._tell_own(account, device, Node("privacy", {}, categories))
        settings = PRIVACY | account.privacy
        return Node("privacy", {}, [Node("category", {"name": k, "value": v}) for k, v in settings.items()])

    def blocklist(self, account: Account, device: Device, iq: Node) -> Node:
        """The people who are blocked (`blocklist`)."""
        before = _blocklist_hash(account)
        if iq.attr("type") == "set":
            for item in iq.children("item"):
                person = self._accounts.resolve(item.jid("jid"))
                if person is None:
                    raise Refused(404, "item-not-found")
                if item.attr("action") == "block":
                    account.blocked.add(person.lid)
                else:
                    account.blocked.discard(person.lid)
                change = Node("item", {"jid": person.lid_jid, "action": item.attr("action")})
                attrs = {"action": "modify", "dhash": _blocklist_hash(account), "prev_dhash": before}
                self._tell_own(account, device, Node("blocklist", attrs, change))
            self._accounts.save(account)
        items = [
            Node("item", {"jid": person.lid_jid})
            for lid in sorted(account.blocked)
            if (person := self._accounts.by_lid(lid)) is not None
        ]
        return Node("list", {"dhash": _blocklist_hash(account), "addressing_mode": "lid"}, items)

    def set_about(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        """The own about text (`w:mex`)."""
        account.about, account.about_set = str(variables["input"].get("text") or ""), int(time.time())
        self._accounts.save(account)
        return {"xwa2_update_text_status": {"result": "SUCCESS"}}

    def about(self, account: Account, device: Device, iq: Node) -> Node | None:
        """The own about text, as older clients set it (`status`)."""
        del device
        if (status := iq.child("status")) is not None and iq.attr("type") == "set":
            account.about, account.about_set = status.text, int(time.time())
            self._accounts.save(account)
        return None

    def picture(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Pictures of people and groups (`w:profile:picture`)."""
        del device
        target = iq.jid("target") or account.pn_jid
        group, person = self._groups.find(target), self._accounts.resolve(target)
        shown = group if group is not None else person
        if shown is None:
            raise Refused(404, "item-not-found")
        picture = iq.child("picture")
        if iq.attr("type") == "set":
            if group is None and person is not account:
                raise Refused(403, "forbidden")
            if group is not None and account.lid not in group.members:
                raise Refused(403, "forbidden")
            return self._set_picture(account, target, picture)
        if person is not None and person is not account and person.privacy.get("profile") == "none":
            raise Refused(401, "not-authorized")
        if not shown.picture:
            raise Refused(404, "item-not-found")
        kind = (picture.attr("type") if picture is not None else None) or "image"
        picture_id, _, path = shown.picture.partition(" ")
        if picture is not None and picture.attr("id") == picture_id:
            return Node("picture", {"status": 304})
        url = f"https://{PICTURE_HOST}{path}"
        return Node("picture", {"id": picture_id, "url": url, "type": kind, "direct_path": path})

    def contact_link(self, account: Account, device: Device, iq: Node) -> Node:
        """The link under which an account can be found (`w:qr`)."""
        del device
        qr = iq.child("qr")
        if qr is None:
            raise Refused(400, "bad-request")
        if code := qr.attr("code"):
            found = next((a for a in self._accounts if a.contact_code == code), None)
            if found is None:
                raise Refused(404, "item-not-found")
            return Node("qr", {"jid": found.pn_jid, "type": "contact", "notify": found.name})
        if not account.contact_code or qr.attr("action") == "revoke":
            account.contact_code = secrets.token_urlsafe(10).upper()
            self._accounts.save(account)
        return Node("qr", {"code": account.contact_code, "type": "contact"})

    def _trust(self, account: Account, tokens: Node) -> None:
        """Somebody was written to and may answer: tell their devices the token that shows it."""
        for token in tokens.children("token"):
            person = self._accounts.resolve(token.jid("jid"))
            if person is None:
                continue
            given = int(token.attr("t") or time.time())
            secret = hashlib.sha256(f"{account.lid} {person.lid} {given}".encode()).digest()
            attrs: Attrs = {"t": given, "type": "trusted_contact"}
            content = Node("tokens", {}, Node("token", attrs, secret))
            node = notification("privacy_token", account.pn_jid, content, sender_lid=account.lid_jid)
            self._deliveries.put_to_companions(person, node)

    def _set_picture(self, account: Account, target: JID, picture: Node | None) -> Node | None:
        group = self._groups.find(target)
        picture_id = ""
        stored = ""
        if picture is not None:
            if not picture.data.startswith(b"\xff\xd8"):
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
            audience, shown = [person for person in watchers if person is not None], account.pn_jid
        attrs = {"jid": shown, "author": account.lid_jid, "id": picture_id or None}
        change = Node("set" if stored else "delete", attrs)
        for person in audience:
            self._deliveries.put_to_companions(person, notification("picture", shown, change))
        return Node("picture", {"id": picture_id}) if stored else None

    def _tell_own(self, account: Account, author: Device, content: Node) -> None:
        node = notification("account_sync", account.pn_jid, content)
        self._deliveries.put_to_companions(account, node, but=author.number)


def _blocklist_hash(account: Account) -> str:
    digest = hashlib.sha256(",".join(sorted(account.blocked)).encode()).digest()
    return base64.b64encode(digest[:6]).decode()
