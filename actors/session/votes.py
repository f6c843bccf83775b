"""Votes in polls and answers to invitations, as events tell of them."""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from actors.session.content import storable
from actors.whatsapp.secrets import option_hash
from storage.rows import Json


def vote_data(
    poll_key: Json,
    vote_key: Json,
    voter: str,
    voter_alt: str | None,
    chosen: Iterable[bytes] | None,
    poll: Any | None,
    at: datetime,
) -> Json:
    """The `data` of poll.vote: all that someone chooses now.

    `chosen` are hashes of options; None when the vote cannot be read, because its poll is not known here.
    `pollUpdates` is for those who know Baileys' form.
    """
    hashes = None if chosen is None else [bytes(each) for each in chosen]
    offered = () if poll is None else [each.optionName for each in poll.options]
    names = {option_hash(option): storable(option) for option in offered}
    selected = [base64.b64encode(each).decode() for each in hashes or ()]
    update = {
        "pollUpdateMessageKey": vote_key,
        "vote": {"selectedOptions": selected},
        "senderTimestampMs": int(at.timestamp() * 1000),
    }
    return {
        "key": poll_key,
        "voter": voter,
        "voterAlt": voter_alt,
        "options": None if hashes is None else [names[each] for each in hashes if each in names],
        "pollUpdates": [] if hashes is None else [update],
        "timestamp": int(at.timestamp()),
    }


_ANSWERS = {1: "going", 2: "not_going", 3: "maybe"}  # waE2E.EventResponseMessage.EventResponseType


def answer_data(event_key: Json, guest: str, guest_alt: str | None, answer: Any | None, at: datetime) -> Json:
    """The `data` of event.response; `answer`, an `EventResponseMessage`, is None when it cannot be read."""
    return {
        "key": event_key,
        "guest": guest,
        "guestAlt": guest_alt,
        "response": None if answer is None else _ANSWERS.get(answer.response),
        "extraGuests": None if answer is None else answer.extraGuestCount,
        "timestamp": int(at.timestamp()),
    }
