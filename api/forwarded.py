"""What one node tells another about a request that it passes on, and how the other knows who says so.

The header `terzetto-forwarded` names the node, the client's address, the request's id and until when anybody
waits, in Unix milliseconds; `terzetto-signature` is an HMAC-SHA256 over method, target and that header, with
the secret of the node that it goes to. Without a good signature both are ignored: no client is believed.
"""

import hmac
import re
from typing import Any

from attrs import frozen

FORWARDED = "terzetto-forwarded"
SIGNATURE = "terzetto-signature"

PATIENCE = 900.0
"""Seconds that a client waits for an answer at most: to send a large file takes minutes."""

_NOBODY = "-"
_FORM = re.compile(r"(\S{1,64}) (\S{1,64}) ([A-Za-z0-9._-]{1,128}) ([0-9]{1,15})")


@frozen(kw_only=True)
class Forwarded:
    """A request's way so far."""

    node: str | None
    """Whence it comes; None: that one is not registered now."""
    address: str | None
    """The client's."""
    request_id: str
    deadline: float
    """In Unix seconds."""

    def __str__(self) -> str:
        node, address = self.node or _NOBODY, self.address or _NOBODY
        return f"{node} {address} {self.request_id} {round(self.deadline * 1000)}"


def signature(secret: bytes, method: str, target: bytes, forwarded: str) -> str:
    """What shows that the words are a node's."""
    said = b"\n".join((method.encode(), target, forwarded.encode("utf-8", "replace")))
    return hmac.digest(secret, said, "sha256").hex()


def verified(secret: bytes, method: str, target: bytes, said: str, signed: str) -> Forwarded | None:
    """The words, if a node signed them; None: somebody else."""
    expected = signature(secret, method, target, said)
    if not hmac.compare_digest(expected.encode(), signed.encode("utf-8", "replace")):
        return None
    if (found := _FORM.fullmatch(said)) is None:
        return None
    node, address, request_id, deadline = found.groups()
    return Forwarded(
        node=None if node == _NOBODY else node,
        address=None if address == _NOBODY else address,
        request_id=request_id,
        deadline=int(deadline) / 1000,
    )


def target_of(scope: Any) -> bytes:
    """Path and query, as they were sent."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path
