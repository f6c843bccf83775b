"""Trust between people: whoever writes to somebody lets them write back, and shows that with a token."""

import hashlib
import hmac
import time

from loopback.accounts import Account, Accounts
from loopback.addresses import Attrs
from loopback.answers import notification
from loopback.deliveries import Deliveries
from loopback.wire.node import Node

__all__ = ["Trust"]


class Trust:
    """Hands out tokens, and knows them again."""

    def __init__(self, accounts: Accounts, deliveries: Deliveries) -> None:
        self._accounts = accounts
        self._deliveries = deliveries

    def tokens(self, account: Account, tokens: Node) -> None:
        """Take a companion's word that its account wrote to these people (`privacy`)."""
        for token in tokens.children("token"):
            person = self._accounts.resolve(token.jid("jid"))
            if person is not None:
                self.give(account, person, int(token.attr("t") or time.time()))

    def give(self, account: Account, person: Account, given: int) -> None:
        """The account lets a person write to it: their devices get a token that shows it."""
        secret = hashlib.sha256(f"{account.lid} {person.lid} {given}".encode()).digest()
        account.trusted[person.lid] = secret.hex()
        self._accounts.save(account)
        attrs: Attrs = {"t": given, "type": "trusted_contact"}
        content = Node("tokens", {}, Node("token", attrs, secret))
        news = notification("privacy_token", account.pn_jid, content, sender_lid=account.lid_jid)
        self._deliveries.put_to_companions(person, news)

    @staticmethod
    def shown(message: Node, sender: Account, receiver: Account) -> bool:
        """Whether a message comes with the token that its receiver gave to its sender."""
        token, known = message.child("tctoken"), receiver.trusted.get(sender.lid)
        return token is not None and known is not None and hmac.compare_digest(token.data.hex(), known)
