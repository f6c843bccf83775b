"""What decrypted messages (waE2E.Message) hold, the wrappings some travel in, and what their stanzas say."""

from typing import Any

from loopback import proto
from loopback.wire.node import JID, Node

__all__ = [
    "content_field",
    "edit_of",
    "mediatype",
    "meta_of",
    "own_copy",
    "stanza_type",
    "subject_of",
    "text_of",
    "unwrapped",
    "view_once",
    "with_distribution",
]

BESIDE = {
    "senderKeyDistributionMessage",
    "fastRatchetKeySenderKeyDistributionMessage",
    "messageContextInfo",
}
VIEW_ONCE = {"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"}
# Messages whose content is one field deeper.
WRAPPINGS = VIEW_ONCE | {
    "ephemeralMessage",
    "editedMessage",
    "documentWithCaptionMessage",
    "lottieStickerMessage",
}
POLLS = {f"pollCreationMessage{version}" for version in ("", "V2", "V3", "V5")}
MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}


def with_distribution(message: Any, group: JID, distribution: bytes) -> bytes:
    """The message with a sender key for the group in it, serialised."""
    message.senderKeyDistributionMessage.groupID = str(group)
    message.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = distribution
    data: bytes = message.SerializeToString()
    return data


def content_field(message: Any) -> str | None:
    """The field that makes the message what it is; None if it only carries keys."""
    return next((field.name for field, _ in message.ListFields() if field.name not in BESIDE), None)


def unwrapped(message: Any) -> Any:
    """The message inside, without its wrappings."""
    while (field := content_field(message)) in WRAPPINGS:
        message = getattr(message, field).message
    return message


def view_once(message: Any) -> bool:
    """Whether it may be looked at only once."""
    if content_field(message) in VIEW_ONCE:
        return True
    inner = unwrapped(message)
    return bool(getattr(getattr(inner, content_field(inner) or "", None), "viewOnce", False))


def text_of(message: Any) -> str:
    """The text or caption, "" for none; of an edit the new one."""
    message = unwrapped(message)
    field = content_field(message)
    if field is None:
        return ""
    value = getattr(message, field)
    if isinstance(value, str):
        return value
    if field == "protocolMessage" and value.HasField("editedMessage"):
        return text_of(value.editedMessage)
    return next((text for name in ("text", "caption", "name") if (text := getattr(value, name, ""))), "")


def subject_of(message: Any) -> str:
    """The id of the message that this one is about: reacts to, changes, takes back, votes in; "" for none."""
    message = unwrapped(message)
    field = content_field(message)
    value = getattr(message, field) if field is not None else None
    for name in ("key", "pollCreationMessageKey", "targetMessageKey"):
        if hasattr(value, name):
            return str(getattr(value, name).ID)
    return ""


# --- In stanzas ---------------------------------------------------------------------------------------------


def stanza_type(raw: bytes) -> str:
    """How the message's stanza names its kind."""
    message = unwrapped(proto.e2e.Message.FromString(raw))
    field = content_field(message)
    if field in {"reactionMessage", "encReactionMessage"}:
        return "reaction"
    if field in POLLS | {"pollUpdateMessage"}:
        return "poll"
    return "media" if field in MEDIA else "text"


def mediatype(raw: bytes) -> str | None:
    """How the ciphertext's node names the kind of file inside; None for none."""
    message = unwrapped(proto.e2e.Message.FromString(raw))
    field = content_field(message) or ""
    if field == "audioMessage" and message.audioMessage.PTT:
        return "ptt"
    return MEDIA.get(field)


def edit_of(raw: bytes) -> str | None:
    """How the stanza says that the message changes another one; None if it does not."""
    message = unwrapped(proto.e2e.Message.FromString(raw))
    match content_field(message):
        case "protocolMessage":
            change = message.protocolMessage
            if change.type == change.MESSAGE_EDIT:
                return "1"
            if change.type == change.REVOKE and change.HasField("key"):
                return "7" if change.key.fromMe else "8"
        case "pinInChatMessage":
            return "2"
        case "reactionMessage" if not message.reactionMessage.text:
            return "7"
    return None


def meta_of(raw: bytes) -> list[Node]:
    """What stands beside the ciphertext for the receivers."""
    field = content_field(unwrapped(proto.e2e.Message.FromString(raw)))
    if field in POLLS:
        return [Node("meta", {"polltype": "creation"})]
    return [Node("meta", {"polltype": "vote"})] if field == "pollUpdateMessage" else []


def own_copy(chat: JID, raw: bytes) -> bytes:
    """How a message to a chat is told to the writer's own companions."""
    e2e = proto.e2e
    message = e2e.Message.FromString(raw)
    wrapped = e2e.DeviceSentMessage(destinationJID=str(chat), message=message)
    copy = e2e.Message(deviceSentMessage=wrapped)
    if message.HasField("messageContextInfo"):
        copy.messageContextInfo.CopyFrom(message.messageContextInfo)
    data: bytes = copy.SerializeToString()
    return data
