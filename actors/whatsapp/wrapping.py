"""The envelopes that some messages travel in, taken off: what counts is the message inside."""

from typing import Any

from google.protobuf.message import Message as ProtobufMessage

__all__ = ["BESIDE", "may_have", "media_part", "part_of", "unwrapped"]

BESIDE = frozenset(
    {
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "messageContextInfo",
    }
)
"""Parts of a message that say how it travels, not what it says."""

_VIEW_ONCE = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})
# Types of parts whose `message` is another message.
_ENVELOPES = frozenset({"FutureProofMessage", "DeviceSentMessage"})
_DEEPEST = 8  # as many as nobody has a use for


def part_of(message: Any) -> tuple[str, Any] | None:
    """The name and value of what a `waE2E.Message` says; None when it only carries keys."""
    return next(
        ((field.name, value) for field, value in message.ListFields() if field.name not in BESIDE), None
    )


def may_have(value: Any, name: str) -> bool:
    """Whether a part of a message has a field of this name; the bare text of one has none."""
    return isinstance(value, ProtobufMessage) and name in value.DESCRIPTOR.fields_by_name


def unwrapped(message: Any, *, view_once: bool = False) -> Any:
    """The message without its envelopes; what may be seen but once, or is said to be, is marked so inside.

    A message that has none is returned as it is, any other as a copy that keeps the context of the whole.
    """
    inner = message
    for _ in range(_DEEPEST):
        part = part_of(inner)
        if part is None or not may_have(part[1], "message") or part[1].DESCRIPTOR.name not in _ENVELOPES:
            break
        view_once = view_once or part[0] in _VIEW_ONCE
        inner = part[1].message
    if inner is message and not view_once:
        return message
    found = type(message)()
    found.CopyFrom(inner)
    if message.HasField("messageContextInfo") and not found.HasField("messageContextInfo"):
        found.messageContextInfo.CopyFrom(message.messageContextInfo)
    part = part_of(found)
    if view_once and part is not None and may_have(part[1], "viewOnce"):
        part[1].viewOnce = True
    return found


def media_part(message: Any) -> Any | None:
    """The part of an unwrapped message that has a file on the media host; None when it has none."""
    part = part_of(message)
    return part[1] if part is not None and may_have(part[1], "directPath") else None
