"""What is done to earlier messages: the message that does it, and what it makes of the stored one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.errors import MessageUnsuitable
from actors.outgoing import changes, polls
from actors.outgoing.draft import Draft
from actors.session.reading import Edited, Reacted, Revoked, Secret, read_content
from actors.whatsapp.client import SendResult
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Use, open_sealed, option_hash
from storage.writes import Append, UpdateMessage
from tests.actors.outgoing.stored import (
    BEN,
    BEN_LID,
    GROUP,
    OWN,
    SECRET,
    in_group,
    ours,
    picture,
    poll,
    row,
    target,
    text,
)

RESULT = SendResult(message_id="B2", timestamp=1_790_000_000.0, server_id=None)
OWN_LID = "711@lid"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def also(draft: Draft) -> Any:
    """The one other write that follows once WhatsApp has the message."""
    (write,) = draft.then(RESULT)
    return write


def told(draft: Draft) -> tuple[str, Any]:
    """The event in it."""
    (event,) = also(draft).events
    return event.event, event.data


def test_a_reaction_names_its_message_and_is_told() -> None:
    draft = changes.reaction(target(row(text("hi"))), "!", chat=BEN, own_jid=OWN)
    put = draft.message.reactionMessage
    assert (put.key.remoteJID, put.key.fromMe, put.key.ID, put.text) == (BEN, False, "A1", "!")
    assert not put.key.HasField("participant")
    assert put.senderTimestampMS > 1_700_000_000_000
    assert read_content(draft.message) == Reacted(message_id="A1", from_me=False, emoji="!")
    assert isinstance(also(draft), Append)
    assert told(draft) == (
        "messages.reaction",
        {
            "key": {"remoteJid": BEN, "fromMe": False, "id": "A1"},
            "reaction": {"key": {"remoteJid": BEN, "fromMe": True, "id": "B2"}, "text": "!"},
        },
    )


def test_in_a_group_the_key_names_the_author_as_the_group_does_and_nobody_for_our_own() -> None:
    theirs = changes.reaction(target(in_group(text("hi"))), "!", chat=GROUP, own_jid=OWN)
    assert theirs.message.reactionMessage.key.participant == BEN_LID
    own = changes.reaction(target(ours(text("hi"), chat=GROUP)), "!", chat=GROUP, own_jid=OWN)
    assert not own.message.reactionMessage.key.HasField("participant")
    _, data = told(theirs)
    assert data["key"]["participant"] == BEN
    assert data["reaction"]["key"]["participant"] == OWN


def test_an_edit_travels_in_its_envelope_and_changes_the_stored_message() -> None:
    draft = changes.edit(target(ours(text("helo"))), "hello", chat=BEN)
    protocol = draft.message.editedMessage.message.protocolMessage
    assert protocol.type == e2e.ProtocolMessage.MESSAGE_EDIT == 14
    assert (protocol.key.remoteJID, protocol.key.fromMe, protocol.key.ID) == (BEN, True, "A1")
    assert protocol.timestampMS > 1_700_000_000_000
    said = read_content(draft.message)
    assert isinstance(said, Edited)
    assert said.message == text("hello")
    write = also(draft)
    assert isinstance(write, UpdateMessage)
    assert (write.id, write.text, write.payload) == ("msg_1", "hello", {"conversation": "hello"})
    assert e2e.Message.FromString(write.raw or b"") == text("hello")
    name, data = told(draft)
    assert (name, data["key"]["id"], data["message"]) == ("messages.edited", "A1", {"conversation": "hello"})


def test_editing_a_file_changes_its_caption_and_keeps_file_and_secret() -> None:
    draft = changes.edit(target(ours(picture("sunst"), type="image")), "sunset", chat=BEN)
    sent = draft.message.editedMessage.message.protocolMessage.editedMessage
    assert (sent.imageMessage.caption, sent.imageMessage.directPath) == ("sunset", "/v/1")
    assert not sent.HasField("messageContextInfo")
    kept = e2e.Message.FromString(also(draft).raw)
    assert (kept.imageMessage.caption, kept.messageContextInfo.messageSecret) == ("sunset", SECRET)


def test_deleting_for_everyone_leaves_nothing_but_that_it_was_there() -> None:
    draft = changes.revoke(target(ours(picture("oops"))), chat=BEN, own_jid=OWN)
    protocol = draft.message.protocolMessage
    assert (protocol.type, protocol.HasField("type"), protocol.key.ID) == (0, True, "A1")
    assert protocol.key.fromMe
    assert read_content(draft.message) == Revoked(message_id="A1")
    write = also(draft)
    assert (write.type, write.text, write.payload, write.raw) == ("revoked", "", {}, b"")
    assert told(draft) == (
        "messages.revoked",
        {"key": {"remoteJid": BEN, "fromMe": True, "id": "A1"}, "revokedBy": OWN},
    )


def test_an_admin_deletes_what_another_wrote_to_the_group() -> None:
    key = changes.revoke(target(in_group(text("spam"))), chat=GROUP, own_jid=OWN).message.protocolMessage.key
    assert (key.remoteJID, key.fromMe, key.participant) == (GROUP, False, BEN_LID)


def test_a_pin_lasts_and_is_taken_away_by_none() -> None:
    pinned = changes.pin(target(row(text("hi"))), 86400, chat=BEN).message
    assert pinned.pinInChatMessage.type == e2e.PinInChatMessage.PIN_FOR_ALL
    assert pinned.pinInChatMessage.key.ID == "A1"
    assert pinned.messageContextInfo.messageAddOnDurationInSecs == 86400
    removed = changes.pin(target(row(text("hi"))), 0, chat=BEN).message
    assert removed.pinInChatMessage.type == e2e.PinInChatMessage.UNPIN_FOR_ALL
    assert not removed.HasField("messageContextInfo")


def test_a_vote_is_readable_for_who_has_the_poll_alone() -> None:
    found = target(in_group(poll("yes", "no", "later", selectable=2), type="poll"))
    draft = polls.vote(found, ("no", "later", "no"), chat=GROUP, voter=OWN_LID, own_jid=OWN)
    said = read_content(draft.message)
    assert isinstance(said, Secret)
    assert (said.message_id, said.author, said.from_me) == ("A1", BEN_LID, False)

    def opened(secret: bytes, voter: str) -> bytes | None:
        return open_sealed(
            said.sealed, secret, Use.POLL_VOTE, message_id="A1", authors=[BEN, BEN_LID], senders=[voter]
        )

    assert opened(b"x" * 32, OWN_LID) is None
    assert opened(SECRET, OWN) is None
    vote = e2e.PollVoteMessage.FromString(opened(SECRET, OWN_LID))
    assert list(vote.selectedOptions) == [option_hash("no"), option_hash("later")]
    name, data = told(draft)
    assert (name, data["options"], data["voter"]) == ("poll.vote", ["no", "later"], OWN)
    assert data["key"] == {"remoteJid": GROUP, "fromMe": False, "id": "A1", "participant": BEN}


def test_no_options_take_a_vote_back() -> None:
    draft = polls.vote(target(row(poll("yes"))), (), chat=BEN, voter=OWN_LID, own_jid=OWN)
    assert told(draft)[1]["options"] == []


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (lambda: changes.edit(target(row(text("hi"))), "ho", chat=BEN), "somebody else's"),
        (lambda: changes.edit(target(ours(text("hi"), occurred_at=LONG_AGO)), "ho", chat=BEN), "too old"),
        (lambda: changes.edit(target(ours(poll("a"))), "b", chat=BEN), "no words"),
        (lambda: changes.edit(target(ours(raw=b"")), "b", chat=BEN), "no words"),
        (lambda: changes.revoke(target(row(text("hi"))), chat=BEN, own_jid=OWN), "somebody else's"),
        (lambda: _vote(text("hi"), "yes"), "no poll"),
        (lambda: _vote(e2e.Message(pollCreationMessage={"name": "?"}), "yes"), "no poll"),
        (lambda: _vote(poll("yes"), "no"), "this option"),
        (lambda: _vote(poll("yes", "no"), "yes", "no"), "at most 1"),
    ],
)
def test_what_cannot_be_done_to_a_message_is_refused(do: Any, reason: str) -> None:
    with pytest.raises(MessageUnsuitable, match=reason):
        do()


def _vote(message: Any, *options: str) -> Draft:
    return polls.vote(target(row(message)), options, chat=BEN, voter=OWN_LID, own_jid=OWN)
