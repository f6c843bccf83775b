"""Polls, and votes in them: a vote is sealed with its poll's secret."""

import time
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from actors.outgoing.content import Poll
from actors.outgoing.draft import Also, Draft
from actors.outgoing.target import Target
from actors.session.content import poll_of
from actors.session.votes import vote_data
from actors.whatsapp.client import SendResult
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Use, option_hash, seal
from storage.writes import Append, NewEvent


def poll_message(content: Poll) -> Any:
    """A poll. Whoever sends it gives it a secret.

    Newer clients have other forms for a single choice, with the same fields, which the client library does
    not know for polls: it would not mark them as such for WhatsApp's server.
    """
    message = e2e.Message()
    poll = message.pollCreationMessage
    poll.name = content.question
    for option in content.options:
        poll.options.add(optionName=option)
    poll.selectableOptionsCount = content.selectable if content.selectable <= len(content.options) else 0
    return message


def vote(poll: Target, options: tuple[str, ...], *, chat: str, voter: str, own_jid: str) -> Draft:
    """All that one chooses now; `voter` is our address in the form that `poll.author` has.

    Raises MessageUnsuitable when it is no poll, has no such option, or allows fewer.
    """
    creation, secret = poll_of(poll.message), poll.message.messageContextInfo.messageSecret
    if creation is None or not secret:
        raise poll.unsuitable("it is no poll")
    options = tuple(dict.fromkeys(options))
    offered = {each.optionName for each in creation.options}
    if not offered.issuperset(options):
        raise poll.unsuitable("it does not have this option")
    allowed = creation.selectableOptionsCount or len(offered)
    if len(options) > allowed:
        raise poll.unsuitable(f"at most {allowed} of its options may be chosen")
    chosen = e2e.PollVoteMessage(selectedOptions=[option_hash(option) for option in options])
    sealed = seal(
        chosen.SerializeToString(),
        secret,
        Use.POLL_VOTE,
        message_id=poll.wa_id,
        author=poll.author,
        sender=voter,
    )
    message = e2e.Message()
    put = message.pollUpdateMessage
    poll.put_key(put.pollCreationMessageKey, chat)
    put.vote.encPayload, put.vote.encIV = sealed.payload, sealed.iv
    put.senderTimestampMS = int(time.time() * 1000)

    def then(result: SendResult) -> Also:
        at = datetime.fromtimestamp(result.timestamp, UTC)
        by = own_jid if poll.in_group else None
        key = evolve(poll.key, from_me=True, id=result.message_id, participant=by)
        data = vote_data(poll.key.json(), key.json(), own_jid, None, chosen.selectedOptions, creation, at)
        return (Append(poll.row.session_id, (NewEvent("poll.vote", data, at),)),)

    return Draft(message=message, then=then)
