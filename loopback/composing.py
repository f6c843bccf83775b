"""Messages beyond plain ones, as phones make them: about other messages, polls and votes, quotes."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from loopback import proto
from loopback.content import POLLS, content_field, unwrapped
from loopback.signal.errors import SignalError
from loopback.signal.pollvote import SECRET_SIZE, option_hash, seal, unseal
from loopback.wire.node import BROADCAST, GROUP, JID

__all__ = ["Known", "choices", "edit", "poll", "quoting", "reaction", "revocation", "vote"]


@frozen
class Known:
    """A message that a phone knows: who wrote it (by hidden identifier) in which chat, and what it is."""

    id: str
    chat: JID
    author: JID
    from_me: bool
    timestamp: int  # Unix seconds
    raw: bytes  # waE2E.Message

    @property
    def message(self) -> Any:
        return proto.e2e.Message.FromString(self.raw)

    @property
    def key(self) -> Any:
        """By which other messages name it."""
        in_group = self.chat.server in {GROUP, BROADCAST}
        return proto.common.MessageKey(
            remoteJID=str(self.chat),
            fromMe=self.from_me,
            ID=self.id,
            participant=str(self.author) if in_group and not self.from_me else None,
        )


def reaction(to: Known, emoji: str) -> Any:
    """A reaction; without an emoji the one before is taken back."""
    made = proto.e2e.ReactionMessage(key=to.key, text=emoji, senderTimestampMS=_now())
    return proto.e2e.Message(reactionMessage=made)


def edit(of: Known, text: str) -> Any:
    """Another text for an own message, or another caption for its file."""
    e2e = proto.e2e
    changed = unwrapped(of.message)
    field = content_field(changed) or "conversation"
    if field == "conversation":
        changed.conversation = text
    elif field == "extendedTextMessage":
        changed.extendedTextMessage.text = text
    else:
        getattr(changed, field).caption = text
    change = e2e.ProtocolMessage(
        type=e2e.ProtocolMessage.MESSAGE_EDIT, key=of.key, editedMessage=changed, timestampMS=_now()
    )
    return e2e.Message(editedMessage=e2e.FutureProofMessage(message=e2e.Message(protocolMessage=change)))


def revocation(of: Known) -> Any:
    """A message is taken back: by whoever wrote it, or by a group's admin."""
    e2e = proto.e2e
    return e2e.Message(protocolMessage=e2e.ProtocolMessage(type=e2e.ProtocolMessage.REVOKE, key=of.key))


def poll(question: str, options: Sequence[str], selectable: int) -> Any:
    """A poll; `selectable` is how many options one may choose, 0 for any number."""
    e2e = proto.e2e
    made = e2e.PollCreationMessage(
        name=question,
        options=[e2e.PollCreationMessage.Option(optionName=option) for option in options],
        selectableOptionsCount=selectable,
    )
    context = e2e.MessageContextInfo(messageSecret=os.urandom(SECRET_SIZE))
    if selectable == 1:
        return e2e.Message(pollCreationMessageV3=made, messageContextInfo=context)
    return e2e.Message(pollCreationMessage=made, messageContextInfo=context)


def vote(in_poll: Known, voter: JID, options: Sequence[str]) -> Any:
    """A vote for these options, for none to take it back. Raises LookupError for what cannot be voted for."""
    message = in_poll.message
    offered = _offered(message)
    if not set(options) <= set(offered):
        raise LookupError("the poll has no such option")
    secret = message.messageContextInfo.messageSecret
    payload, iv = seal(secret, in_poll.id, str(in_poll.author), str(voter), options)
    e2e = proto.e2e
    made = e2e.PollUpdateMessage(
        pollCreationMessageKey=in_poll.key,
        vote=e2e.PollEncValue(encPayload=payload, encIV=iv),
        senderTimestampMS=_now(),
    )
    return e2e.Message(pollUpdateMessage=made)


def choices(message: Any, in_poll: Known, authors: Iterable[JID], voters: Iterable[JID]) -> list[str] | None:
    """The options that a vote is for; None when it cannot be read.

    Clients differ in whether they mean numbers or hidden identifiers: each of the addresses may be the one.
    """
    update = message.pollUpdateMessage
    poll_message = in_poll.message
    secret = poll_message.messageContextInfo.messageSecret
    names = {option_hash(option): option for option in _offered(poll_message)}
    for author in authors:
        for voter in voters:
            try:
                chosen = unseal(
                    secret, in_poll.id, str(author), str(voter), update.vote.encPayload, update.vote.encIV
                )
            except SignalError:
                continue
            return [names[each] for each in chosen if each in names]
    return None


def quoting(message: Any, quoted: Known | None, mentions: Sequence[JID] = ()) -> Any:
    """The message as an answer to another one, naming people; a plain text takes the form that can."""
    e2e = proto.e2e
    if message.HasField("conversation"):
        message = e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text=message.conversation))
    context = getattr(message, content_field(message) or "").contextInfo
    if quoted is not None:
        context.stanzaID = quoted.id
        context.participant = str(quoted.author)
        context.quotedMessage.CopyFrom(quoted.message)
    context.mentionedJID.extend(str(person) for person in mentions)
    return message


def _offered(message: Any) -> list[str]:
    """A poll's options. Raises LookupError if it is none."""
    inner = unwrapped(message)
    field = content_field(inner)
    if field not in POLLS:
        raise LookupError("this message is not a poll")
    return [option.optionName for option in getattr(inner, field).options]


def _now() -> int:
    return int(time.time() * 1000)
