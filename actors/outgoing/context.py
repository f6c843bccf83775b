"""What a message carries besides its content: what it quotes, whom it mentions, and when it disappears."""

import os
from typing import Any

from attrs import frozen

from actors.outgoing.target import Target
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import SECRET
from actors.whatsapp.wrapping import BESIDE, may_have, part_of, unwrapped

_ELSEWHERE = ("@g.us", "@broadcast")
# What is about another message needs no secret of its own: nobody can react to it.
_WITHOUT_SECRET = frozenset({"reactionMessage", "pollUpdateMessage", "protocolMessage", "pinInChatMessage"})


@frozen(kw_only=True)
class Context:
    """The same as `Options`, looked up."""

    quoted: Target | None = None
    mentions: tuple[str, ...] = ()
    everyone: bool = False
    """Of the group, who are among `mentions` too: older clients know no other way."""
    forwarded: bool = False
    ephemeral_seconds: int | None = None

    @property
    def is_empty(self) -> bool:
        return self == Context()


def put_context(message: Any, context: Context, chat: str) -> None:
    """Put the context into what the message says, where that has a place for it."""
    if context.is_empty:
        return
    place = _place(message)
    if place is None:
        return
    if context.quoted is not None:
        _quote(place, context.quoted, chat)
    place.mentionedJID.extend(context.mentions)
    if context.everyone:
        place.nonJIDMentions = 1
    if context.forwarded:
        forward(place)
    if context.ephemeral_seconds:
        place.expiration = context.ephemeral_seconds


def forward(place: Any) -> None:
    """Have a `ContextInfo` say that its message was passed on once more."""
    place.isForwarded = True
    place.forwardingScore += 1


def put_secret(message: Any) -> None:
    """Give a message the secret that others need to answer it in secret, unless it has one or needs none."""
    part = part_of(unwrapped(message))
    if part is not None and part[0] not in _WITHOUT_SECRET and not message.messageContextInfo.messageSecret:
        message.messageContextInfo.messageSecret = os.urandom(SECRET)


def _place(message: Any) -> Any | None:
    """The `ContextInfo` of what the message says, inside whatever it is wrapped in."""
    while (part := part_of(message)) is not None:
        name, value = part
        if name == "conversation":
            message.ClearField("conversation")
            message.extendedTextMessage.text = value
            return message.extendedTextMessage.contextInfo
        if may_have(value, "contextInfo"):
            return value.contextInfo
        if not may_have(value, "message"):
            return None
        message = value.message
    return None


def _quote(place: Any, quoted: Target, chat: str) -> None:
    place.stanzaID = quoted.wa_id
    place.participant = quoted.author
    place.quotedMessage.CopyFrom(quotable(quoted))
    if quoted.row.chat != chat and quoted.row.chat.endswith(_ELSEWHERE):
        place.remoteJID = quoted.row.chat


def quotable(quoted: Target) -> Any:
    """The message as it appears in a quote: what it says, without what it quotes itself."""
    said = e2e.Message()
    said.CopyFrom(quoted.message)
    for name in BESIDE:
        said.ClearField(name)
    part = part_of(said)
    if part is None:
        return e2e.Message(conversation=quoted.row.text or "")
    if may_have(part[1], "contextInfo"):
        part[1].ClearField("contextInfo")
    return said
