"""What decrypted messages (waE2E.Message) hold, and the wrappings that some of them travel in."""

from typing import Any

from loopback import proto
from loopback.wire.node import JID

__all__ = ["content_field", "own_copy", "stanza_type", "text_of", "with_distribution"]


def with_distribution(message: Any, group: JID, distribution: bytes) -> bytes:
    """The message with a sender key for the group in it, serialised."""
    message.senderKeyDistributionMessage.groupID = str(group)
    message.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = distribution
    data: bytes = message.SerializeToString()
    return data


def content_field(message: Any) -> str | None:
    """The field that makes the message what it is; None if it only carries keys."""
    beside = {
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "messageContextInfo",
    }
    return next((field.name for field, _ in message.ListFields() if field.name not in beside), None)


def text_of(message: Any) -> str:
    """The text or caption, "" for none."""
    field = content_field(message)
    if field is None:
        return ""
    value = getattr(message, field)
    if isinstance(value, str):
        return value
    return next((text for name in ("text", "caption") if (text := getattr(value, name, ""))), "")


def stanza_type(raw: bytes) -> str:
    """How the message's stanza names its kind."""
    match content_field(proto.e2e.Message.FromString(raw)):
        case "reactionMessage":
            return "reaction"
        case "pollCreationMessage" | "pollUpdateMessage":
            return "poll"
        case "imageMessage" | "videoMessage" | "audioMessage" | "documentMessage" | "stickerMessage":
            return "media"
        case _:
            return "text"


def own_copy(chat: JID, raw: bytes) -> bytes:
    """How a message to a chat is told to the writer's own companions."""
    e2e = proto.e2e
    wrapped = e2e.DeviceSentMessage(destinationJID=str(chat), message=e2e.Message.FromString(raw))
    data: bytes = e2e.Message(deviceSentMessage=wrapped).SerializeToString()
    return data
