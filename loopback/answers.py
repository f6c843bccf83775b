"""The network's own stanzas: answers to requests (`iq`), a result or an error with a code; notifications."""

import secrets
import time
from collections.abc import Iterable

from loopback.addresses import Attrs
from loopback.wire.node import JID, SERVER, Node

__all__ = ["Refused", "error", "new_id", "notification", "result"]


class Refused(Exception):
    """A request is answered with an error instead of a result."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def result(iq: Node, content: Node | None = None) -> Node:
    return Node("iq", {"from": iq.jid("to") or SERVER, "type": "result", "id": iq.attr("id")}, content)


def error(iq: Node, refused: Refused) -> Node:
    reason = Node("error", {"code": refused.code, "text": refused.text})
    return Node("iq", {"from": iq.jid("to") or SERVER, "type": "error", "id": iq.attr("id")}, reason)


def notification(
    kind: str, sender: JID, content: Node | Iterable[Node], **attrs: str | int | JID | None
) -> Node:
    """News for a device, as of now."""
    head: Attrs = {"from": sender, "type": kind, "id": new_id(), "t": int(time.time())}
    return Node("notification", head | attrs, content)


def new_id() -> str:
    """An id for a stanza that the network itself sends."""
    return secrets.token_hex(8).upper()
