"""A stored message passed on as it is: its file lies on WhatsApp's media host and is not uploaded again."""

from typing import Any

from actors.outgoing.context import forward
from actors.outgoing.target import Target
from actors.session.content import storable
from actors.whatsapp.proto import e2e
from actors.whatsapp.wrapping import BESIDE, may_have, part_of

_BOUND = frozenset(
    {
        "albumMessage",
        "pinInChatMessage",
        "pollUpdateMessage",
        "protocolMessage",
        "reactionMessage",
        "keepInChatMessage",
    }
)
"""What means something in its own chat only."""


def forward_message(target: Target) -> Any:
    """The message as a forwarded one, once more so if it was one already.

    Raises MessageUnsuitable for what is not kept, may be seen but once, or belongs to its chat.
    """
    message = e2e.Message()
    message.CopyFrom(target.message)
    for name in BESIDE:
        message.ClearField(name)
    part = part_of(message)
    if part is None:
        raise target.unsuitable("its content is not kept")
    name, value = part
    if name in _BOUND or getattr(value, "viewOnce", False):
        raise target.unsuitable("it cannot be forwarded")
    if name == "conversation":
        message.ClearField(name)
        message.extendedTextMessage.text = storable(value)
        value = message.extendedTextMessage
    if may_have(value, "contextInfo"):
        score = value.contextInfo.forwardingScore
        value.ClearField("contextInfo")
        value.contextInfo.forwardingScore = score
        forward(value.contextInfo)
    if name == "documentMessage" and value.caption:
        wrapped = e2e.Message()
        wrapped.documentWithCaptionMessage.message.CopyFrom(message)
        return wrapped
    return message
