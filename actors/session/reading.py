"""What a message says: for itself, or about an earlier message of its chat."""

from typing import Any

from attrs import field, frozen

from actors.session.content import Content, plain_content, storable
from actors.whatsapp.secrets import Sealed, Use
from actors.whatsapp.wrapping import part_of, unwrapped

# waE2E.Message.ProtocolMessage.Type
_REVOKE, _EDIT = 0, 14

# waE2E.SecretEncryptedMessage.SecretEncType
_SECRET_EDITS = {1: Use.EVENT_EDIT, 2: Use.MESSAGE_EDIT, 4: Use.POLL_EDIT}

_ABOUT_EARLIER = frozenset(
    {
        "protocolMessage",
        "reactionMessage",
        "pollUpdateMessage",
        "encEventResponseMessage",
        "encReactionMessage",
        "encCommentMessage",
        "secretEncryptedMessage",
    }
)


@frozen(kw_only=True)
class Revoked:
    """An earlier message of the chat was deleted for everyone."""

    message_id: str


@frozen(kw_only=True)
class Edited:
    """An earlier message of the chat has new content."""

    message_id: str
    message: Any = field(repr=False)
    """A `waE2E.Message`: the content of the edit."""


@frozen(kw_only=True)
class Reacted:
    """Someone reacted to a message of the chat; an empty emoji takes a reaction back."""

    message_id: str
    from_me: bool  # whether the message reacted to is the reacting side's own
    emoji: str


@frozen(kw_only=True)
class Secret:
    """Something about an earlier message of the chat that only who has that message can read."""

    message_id: str
    from_me: bool  # whether that message is the writing side's own
    author: str
    """Its author's address as the writer knows it; may be empty."""
    use: Use
    sealed: Sealed = field(repr=False)


AboutEarlier = Revoked | Edited | Reacted | Secret
Said = Content | AboutEarlier


def read_content(message: Any) -> Said | None:
    """What a `waE2E.Message` says; None for key shares and the like, which say nothing to a person."""
    message = unwrapped(message)
    part = part_of(message)
    if part is None:
        return None
    return about_earlier(message) if part[0] in _ABOUT_EARLIER else plain_content(message)


def about_earlier(message: Any) -> AboutEarlier | None:
    """What a message says about an earlier one; None for one that stands for itself."""
    part = part_of(unwrapped(message))
    if part is None:
        return None
    name, value = part
    match name:
        case "protocolMessage":
            return _read_protocol(value)
        case "reactionMessage":
            return reacted(value)
        case "pollUpdateMessage":
            sealed = Sealed(value.vote.encPayload, value.vote.encIV)
            return _secret(Use.POLL_VOTE, value.pollCreationMessageKey, sealed)
        case "encEventResponseMessage":
            return _secret(Use.EVENT_RESPONSE, value.eventCreationMessageKey, _sealed(value))
        case "encReactionMessage":
            return _secret(Use.REACTION, value.targetMessageKey, _sealed(value))
        case "encCommentMessage":
            return _secret(Use.COMMENT, value.targetMessageKey, _sealed(value))
        case "secretEncryptedMessage" if value.secretEncType in _SECRET_EDITS:
            return _secret(_SECRET_EDITS[value.secretEncType], value.targetMessageKey, _sealed(value))
        case _:
            return None


def _sealed(value: Any) -> Sealed:
    return Sealed(value.encPayload, value.encIV)


def _secret(use: Use, key: Any, sealed: Sealed) -> Secret:
    return Secret(
        message_id=storable(key.ID),
        from_me=key.fromMe,
        author=storable(key.participant or key.remoteJID),
        use=use,
        sealed=sealed,
    )


def reacted(reaction: Any) -> Reacted:
    """What a `waE2E.ReactionMessage` says."""
    return Reacted(
        message_id=storable(reaction.key.ID), from_me=reaction.key.fromMe, emoji=storable(reaction.text)
    )


def _read_protocol(protocol: Any) -> Revoked | Edited | None:
    if not protocol.HasField("type"):
        return None
    if protocol.type == _REVOKE:
        return Revoked(message_id=storable(protocol.key.ID))
    if protocol.type == _EDIT:
        return Edited(message_id=storable(protocol.key.ID), message=protocol.editedMessage)
    return None
