"""What people say of themselves and whom they shut out: about, privacy, blocked people, timers, links."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.trust import Trust
from loopback.wire.node import Node

__all__ = ["PRIVACY", "SET_ABOUT", "Profiles"]

PRIVACY = {
    "readreceipts": "all",
    "profile": "all",
    "status": "all",
    "online": "all",
    "last": "all",
    "groupadd": "all",
    "calladd": "all",
    "messages": "all",
    "defense": "off",
    "stickers": "contacts",
}
SET_ABOUT = "9152604461510864"  # the query's number


class Profiles:
    """Answers requests about the asker's own account. All raise Refused."""

    def __init__(self, accounts: Accounts, deliveries: Deliveries, trust: Trust) -> None:
        self._accounts = accounts
        self._deliveries = deliveries
        self._trust = trust

    # --- Privacy ------------------------------------------------------------------------------------------

    def privacy(self, account: Account, device: Device, iq: Node) -> Node | None:
        """Privacy settings, and the tokens by which people trust each other (`privacy`)."""
        if (tokens := iq.child("tokens")) is not None:
            self._trust.tokens(account, tokens)
            return None
        if iq.attr("type") == "set":
            changed = iq.child("privacy")
            categories = changed.children("category") if changed is not None else ()
            wanted = {node.attr("name") or "": node.attr("value") or "" for node in categories}
            self.set_privacy(account, wanted, but=device.number)
        settings = PRIVACY | account.privacy
        return Node("privacy", {}, [Node("category", {"name": k, "value": v}) for k, v in settings.items()])

    def set_privacy(self, account: Account, wanted: Mapping[str, str], *, but: int | None = None) -> None:
        """Change settings; all companions hear of it but the one that did it."""
        if not wanted.keys() <= PRIVACY.keys():
            raise Refused(400, "bad-request")
        account.privacy |= wanted
        self._accounts.save(account)
        categories = [Node("category", {"name": k, "value": v}) for k, v in wanted.items()]
        self._tell_own(account, Node("privacy", {}, categories), but)

    def blocklist(self, account: Account, device: Device | None, iq: Node) -> Node:
        """The people who are blocked (`blocklist`); the account's phone asks with device None."""
        if iq.attr("type") == "set":
            for item in iq.children("item"):
                person = self._accounts.resolve(item.jid("jid"))
                if person is None:
                    raise Refused(404, "item-not-found")
                before = _blocklist_hash(account)
                if item.attr("action") == "block":
                    account.blocked.add(person.lid)
                else:
                    account.blocked.discard(person.lid)
                change = Node("item", {"jid": person.lid_jid, "action": item.attr("action")})
                attrs = {"action": "modify", "dhash": _blocklist_hash(account), "prev_dhash": before}
                but = device.number if device is not None else None
                self._tell_own(account, Node("blocklist", attrs, change), but)
            self._accounts.save(account)
        items = [
            Node("item", {"jid": person.lid_jid})
            for lid in sorted(account.blocked)
            if (person := self._accounts.by_lid(lid)) is not None
        ]
        return Node("list", {"dhash": _blocklist_hash(account), "addressing_mode": "lid"}, items)

    # --- About --------------------------------------------------------------------------------------------

    def set_about(self, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
        """The own about text (`w:mex`)."""
        account.about, account.about_set = str(variables["input"].get("text") or ""), int(time.time())
        self._accounts.save(account)
        return {"xwa2_update_text_status": {"result": "SUCCESS"}}

    def status(self, account: Account, device: Device, iq: Node) -> Node | None:
        """The own about text, as older clients set it, and to whom status messages go (`status`)."""
        del device
        if iq.child("privacy") is not None:
            return Node("privacy", {}, Node("list", {"type": "contacts", "default": "true"}))
        if (status := iq.child("status")) is not None and iq.attr("type") == "set":
            account.about, account.about_set = status.text, int(time.time())
            self._accounts.save(account)
        return None

    # --- The rest -----------------------------------------------------------------------------------------

    def disappearing_mode(self, account: Account, device: Device, iq: Node) -> Node | None:
        """How long messages last in chats that are begun from now on (`disappearing_mode`)."""
        if (mode := iq.child("disappearing_mode")) is not None and iq.attr("type") == "set":
            self.set_disappearing(account, int(mode.attr("duration") or 0), but=device.number)
        return None

    def set_disappearing(self, account: Account, seconds: int, *, but: int | None = None) -> None:
        """Change it; all companions hear of it but the one that did it."""
        account.disappearing, account.disappearing_set = seconds, int(time.time())
        self._accounts.save(account)
        attrs: Attrs = {"duration": seconds, "t": account.disappearing_set}
        news = notification("disappearing_mode", account.pn_jid, Node("disappearing_mode", attrs))
        self._deliveries.put_to_companions(account, news, but=but)

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

    def _tell_own(self, account: Account, content: Node, but: int | None) -> None:
        node = notification("account_sync", account.pn_jid, content)
        self._deliveries.put_to_companions(account, node, but=but)


def _blocklist_hash(account: Account) -> str:
    digest = hashlib.sha256(",".join(sorted(account.blocked)).encode()).digest()
    return base64.b64encode(digest[:6]).decode()
