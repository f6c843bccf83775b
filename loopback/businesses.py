"""What businesses show: the verified name in the directory, and the profile (`w:biz`)."""

import time

from loopback import proto
from loopback.accounts import Account, Accounts, Business, Device
from loopback.addresses import Attrs
from loopback.answers import Refused
from loopback.signal import KeyPair
from loopback.wire.node import JID, Node

__all__ = ["Businesses", "certificate", "verified_name"]


def certificate(name: str, identity: KeyPair) -> bytes:
    """A name, signed by the phone that bears it (VerifiedNameCertificate)."""
    details = proto.vname.VerifiedNameCertificate.Details(
        serial=1, issuer="smb:wa", verifiedName=name, issueTime=int(time.time())
    ).SerializeToString()
    signed = proto.vname.VerifiedNameCertificate(details=details, signature=identity.sign(details))
    data: bytes = signed.SerializeToString()
    return data


def verified_name(business: Business) -> Node:
    """The name as the directory tells it."""
    attrs: Attrs = {
        "v": 1,
        "verified_level": "unknown",
        "host_storage": 1,
        "actual_actors": 1,
        "privacy_mode_ts": 0,
    }
    return Node("business", {}, Node("verified_name", attrs, business.certificate))


class Businesses:
    """Answers requests for profiles."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def answer(self, account: Account, device: Device, iq: Node) -> Node:
        """Profiles of those of the people asked for that are businesses. Raises Refused."""
        del account, device
        asked = iq.child("business_profile")
        if asked is None:
            raise Refused(400, "bad-request")
        people = [
            (node.jid("jid"), self._accounts.resolve(node.jid("jid"))) for node in asked.children("profile")
        ]
        profiles = [
            _profile(jid, person.business)
            for jid, person in people
            if person is not None and person.business is not None
        ]
        if not profiles:
            raise Refused(404, "item-not-found")
        return Node("business_profile", {}, profiles)


def _profile(jid: JID | None, business: Business) -> Node:
    texts = {
        "description": business.description,
        "address": business.address,
        "email": business.email,
        "website": business.website,
    }
    parts = [Node(tag, {}, text) for tag, text in texts.items() if text]
    if business.category:
        parts.append(Node("categories", {}, Node("category", {"id": "1"}, business.category)))
    return Node("profile", {"jid": jid}, parts)
