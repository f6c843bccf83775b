"""What arriving messages do to stored ones: only what whoever sent them may do."""

from typing import Any

import pytest

from actors.outgoing import changes, polls
from actors.session.arrival import Known, message_writes
from actors.session.inbound import writes_for
from actors.whatsapp.events import MessageArrived, OldCounter
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Use, option_hash, seal
from storage.rows import Message
from storage.writes import Append, StoreHeard, StoreMessage, UpdateMessage
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

OWN_LID = "711@lid"
EVA, EVA_LID = "62833@s.whatsapp.net", "733@lid"


def from_ben(message: Any, **more: Any) -> MessageArrived:
    """What Ben writes, to us alone unless `more` says otherwise."""
    given: dict[str, Any] = {
        "id": "C3",
        "chat": BEN_LID,
        "chat_alt": BEN,
        "sender": BEN_LID,
        "sender_alt": BEN,
        "sender_device": 0,
        "from_me": False,
        "is_group": False,
        "push_name": "Ben",
        "timestamp": 1_790_000_000.0,
        "type": "text",
        "media_type": "",
        "category": "",
        "edit": "",
        "message": message,
    }
    return MessageArrived(**given | more)


IN_GROUP: dict[str, Any] = {"chat": GROUP, "chat_alt": None, "is_group": True}
BY_US: dict[str, Any] = {"from_me": True, "sender": OWN_LID, "sender_alt": OWN}
BY_EVA: dict[str, Any] = {"sender": EVA_LID, "sender_alt": EVA}


def written(event: MessageArrived, earlier: Message | None = None) -> Any:
    """The one write of an event; None for none."""
    writes = message_writes("s", event, Known(earlier, (OWN, OWN_LID)))
    assert len(writes) <= 1
    return writes[0] if writes else None


def told(event: MessageArrived, earlier: Message | None = None) -> tuple[str, Any]:
    (said,) = written(event, earlier).events
    return said.event, said.data


def edit(words: str) -> Any:
    return e2e.Message(
        protocolMessage={"key": {"ID": "A1"}, "type": 14, "editedMessage": {"conversation": words}}
    )


REVOKE = e2e.Message(protocolMessage={"key": {"ID": "A1"}, "type": 0})


def test_a_message_is_stored_as_it_came_without_the_keys_that_travelled_with_it() -> None:
    message = picture("sunset")
    message.senderKeyDistributionMessage.groupID = GROUP
    write = written(from_ben(message, **IN_GROUP, is_view_once=True))
    assert isinstance(write, StoreMessage)
    kept = e2e.Message.FromString(write.message.raw or b"")
    assert not kept.HasField("senderKeyDistributionMessage")
    assert kept.messageContextInfo.messageSecret == SECRET
    assert kept.imageMessage.viewOnce
    assert write.message.payload["imageMessage"]["viewOnce"] is True
    assert (write.message.type, write.message.text) == ("image", "sunset")


def test_its_author_s_edit_changes_the_stored_message() -> None:
    write = written(from_ben(edit("hello")), row(text("helo")))
    assert isinstance(write, UpdateMessage)
    assert (write.id, write.text, write.payload) == ("msg_1", "hello", {"conversation": "hello"})
    (event,) = write.events
    assert event.event == "messages.edited"
    assert event.data["key"] == {"remoteJid": BEN, "fromMe": False, "id": "A1"}


def test_an_edit_of_what_is_not_stored_is_told_all_the_same() -> None:
    write = written(from_ben(edit("hello")))
    assert isinstance(write, Append)
    assert told(from_ben(edit("hello")))[0] == "messages.edited"


@pytest.mark.parametrize(
    ("event", "earlier"),
    [
        (from_ben(edit("I owe you")), ours(text("hi"))),
        (from_ben(edit("I owe you"), **BY_US), row(text("hi"))),
        (from_ben(edit("I owe you"), **IN_GROUP, **BY_EVA), in_group(text("hi"))),
        (from_ben(edit("back again")), row(raw=b"", type="revoked")),
        (from_ben(REVOKE, **IN_GROUP, **BY_EVA, edit="7"), in_group(text("hi"))),
        (from_ben(REVOKE), ours(text("hi"))),
        (from_ben(REVOKE, edit="8"), ours(text("hi"))),
    ],
)
def test_nobody_edits_or_deletes_what_another_wrote(event: MessageArrived, earlier: Message) -> None:
    assert written(event, earlier) is None


def test_its_author_and_an_admin_delete_a_message() -> None:
    write = written(from_ben(REVOKE, edit="7"), row(text("hi")))
    assert (write.id, write.type, write.text, write.payload, write.raw) == ("msg_1", "revoked", "", {}, b"")
    name, data = told(from_ben(REVOKE, **IN_GROUP, **BY_EVA, edit="8"), in_group(text("spam")))
    assert (name, data["revokedBy"]) == ("messages.revoked", EVA)
    assert data["key"] == {"remoteJid": GROUP, "fromMe": False, "id": "A1", "participant": BEN}
    assert told(from_ben(REVOKE))[1] == {
        "key": {"remoteJid": BEN, "remoteJidAlt": BEN_LID, "fromMe": False, "id": "A1"},
        "revokedBy": BEN,
    }


OWN_POLL = ours(poll("yes", "no"), type="poll")


def vote_of(author: str, voter: str, *options: str, **key: Any) -> Any:
    """A vote as WhatsApp's clients make it, with the addresses that they happen to use."""
    chosen = e2e.PollVoteMessage(selectedOptions=[option_hash(option) for option in options])
    sealed = seal(
        chosen.SerializeToString(), SECRET, Use.POLL_VOTE, message_id="A1", author=author, sender=voter
    )
    return e2e.Message(
        pollUpdateMessage={
            "pollCreationMessageKey": {"ID": "A1", "remoteJID": author, **key},
            "vote": {"encPayload": sealed.payload, "encIV": sealed.iv},
        }
    )


@pytest.mark.parametrize("author", [OWN, OWN_LID])
@pytest.mark.parametrize("voter", [BEN, BEN_LID])
def test_a_vote_is_read_whatever_addresses_it_was_made_with(author: str, voter: str) -> None:
    name, data = told(from_ben(vote_of(author, voter, "no")), OWN_POLL)
    assert name == "poll.vote"
    assert data["key"] == {"remoteJid": BEN, "fromMe": True, "id": "A1"}
    assert (data["voter"], data["voterAlt"], data["options"]) == (BEN, BEN_LID, ["no"])
    (update,) = data["pollUpdates"]
    assert update["pollUpdateMessageKey"]["id"] == "C3"
    assert len(update["vote"]["selectedOptions"]) == 1


def test_our_own_vote_from_another_device_is_told() -> None:
    vote = vote_of(BEN_LID, OWN_LID, "yes")
    assert told(from_ben(vote, **BY_US), row(poll("yes", "no")))[1]["options"] == ["yes"]
    own = vote_of(OWN_LID, OWN_LID, "yes", fromMe=True)
    assert told(from_ben(own, **BY_US), OWN_POLL)[1]["options"] == ["yes"]


def test_what_we_compose_is_what_others_read() -> None:
    voting = polls.vote(target(row(poll("yes", "no"))), ("yes",), chat=BEN, voter=OWN, own_jid=OWN)
    event = from_ben(voting.message, sender=OWN, sender_alt=None)
    assert told(event, ours(poll("yes", "no"), sender=BEN))[1]["options"] == ["yes"]
    editing = changes.edit(target(ours(text("helo"))), "hello", chat=BEN)
    assert written(from_ben(editing.message), row(text("helo"))).text == "hello"


def test_an_option_that_is_no_text_can_be_voted_for() -> None:
    odd = e2e.Message.FromString(poll("odd").SerializeToString().replace(b"odd", b"\xff\xfed"))
    vote = vote_of(OWN, BEN)
    sealed = seal(
        e2e.PollVoteMessage(selectedOptions=[option_hash(b"\xff\xfed")]).SerializeToString(),
        SECRET,
        Use.POLL_VOTE,
        message_id="A1",
        author=OWN,
        sender=BEN,
    )
    vote.pollUpdateMessage.vote.encPayload, vote.pollUpdateMessage.vote.encIV = sealed.payload, sealed.iv
    assert told(from_ben(vote), ours(odd))[1]["options"] == ["\N{REPLACEMENT CHARACTER}" * 2 + "d"]


@pytest.mark.parametrize("earlier", [None, row(text("no poll")), ours(poll("yes"), raw=None)])
def test_a_vote_that_cannot_be_read_is_told_without_options(earlier: Message | None) -> None:
    name, data = told(from_ben(vote_of(OWN, BEN, "no")), earlier)
    assert (name, data["options"], data["pollUpdates"]) == ("poll.vote", None, [])


def test_votes_and_reactions_are_not_stored_as_messages() -> None:
    assert isinstance(written(from_ben(vote_of(OWN, BEN, "no")), OWN_POLL), Append)
    reaction = e2e.Message(reactionMessage={"key": {"ID": "A1", "fromMe": False}, "text": "!"})
    name, data = told(from_ben(reaction))
    assert (name, data["key"]["fromMe"]) == ("messages.reaction", True)


def sealed_message(use: Use, plain: Any, field: str, **more: Any) -> Any:
    sealed = seal(plain.SerializeToString(), SECRET, use, message_id="A1", author=OWN_LID, sender=BEN_LID)
    key = "eventCreationMessageKey" if field == "encEventResponseMessage" else "targetMessageKey"
    said = {key: {"ID": "A1", "remoteJID": OWN_LID}, "encPayload": sealed.payload, "encIV": sealed.iv}
    return e2e.Message(**{field: {**said, **more}})


OWN_EVENT = ours(
    e2e.Message(eventMessage={"name": "Party"}, messageContextInfo={"messageSecret": SECRET}), type="event"
)


def test_an_answer_to_an_invitation_is_told() -> None:
    answer = e2e.EventResponseMessage(response=1, extraGuestCount=2)
    message = sealed_message(Use.EVENT_RESPONSE, answer, "encEventResponseMessage")
    name, data = told(from_ben(message), OWN_EVENT)
    assert (name, data["response"], data["extraGuests"]) == ("event.response", "going", 2)
    assert (data["guest"], data["guestAlt"]) == (BEN, BEN_LID)


def test_edits_reactions_and_comments_in_secret_are_what_they_are_in_the_open() -> None:
    reaction = sealed_message(Use.REACTION, e2e.ReactionMessage(text="!"), "encReactionMessage")
    assert told(from_ben(reaction), OWN_EVENT)[1]["reaction"]["text"] == "!"
    comment = sealed_message(Use.COMMENT, text("fine"), "encCommentMessage")
    stored = written(from_ben(comment), OWN_EVENT)
    assert (stored.message.type, stored.message.text) == ("text", "fine")

    theirs = row(e2e.Message(conversation="helo", messageContextInfo={"messageSecret": SECRET}))
    sealed = seal(
        text("hello").SerializeToString(),
        SECRET,
        Use.MESSAGE_EDIT,
        message_id="A1",
        author=BEN_LID,
        sender=BEN_LID,
    )
    change = e2e.Message(
        secretEncryptedMessage={
            "targetMessageKey": {"ID": "A1", "fromMe": True, "remoteJID": OWN_LID},
            "encPayload": sealed.payload,
            "encIV": sealed.iv,
            "secretEncType": 2,
        }
    )
    assert written(from_ben(change), theirs).text == "hello"


def test_what_cannot_be_opened_is_known_by_its_key() -> None:
    reaction = sealed_message(Use.REACTION, e2e.ReactionMessage(text="!"), "encReactionMessage")
    assert told(from_ben(reaction)) == (
        "messages.undecryptable",
        {
            "key": {"remoteJid": BEN, "remoteJidAlt": BEN_LID, "fromMe": False, "id": "C3"},
            "unavailable": False,
        },
    )


def test_what_says_nothing_still_moves_the_journal_on() -> None:
    keys = e2e.Message(senderKeyDistributionMessage={"groupID": GROUP})
    assert writes_for("s", from_ben(keys), 7) == (Append("s", journal_seq=7),)


def test_what_is_no_row_is_remembered_as_heard_of() -> None:
    def heard(event: MessageArrived, *, ignored: bool = False) -> StoreHeard:
        *_, last = writes_for("s", event, 7, ignored=ignored)
        assert isinstance(last, StoreHeard)
        return last

    peer = from_ben(text("between own devices"), category="peer")
    reaction = from_ben(e2e.Message(reactionMessage={"key": {"ID": "A1"}, "text": "!"}))
    for found in (heard(peer), heard(reaction), heard(from_ben(text("no")), ignored=True)):
        assert (found.wa_id, found.untold, found.journal_seq) == ("C3", None, 7)
    (stored,) = writes_for("s", from_ben(text("a row")), 7)
    assert isinstance(stored, StoreMessage)


def test_a_key_ahead_of_its_message_says_nothing_of_whether_that_came() -> None:
    keys = e2e.Message(senderKeyDistributionMessage={"groupID": GROUP})
    assert not any(isinstance(write, StoreHeard) for write in writes_for("s", from_ben(keys), 7))


def test_what_came_again_is_untold_until_it_is_known_to_be_lost() -> None:
    again = OldCounter("C3", sender=BEN_LID, chat=GROUP, sender_alt=BEN)
    (heard,) = writes_for("s", again, 7)
    assert isinstance(heard, StoreHeard)
    key = {
        "remoteJid": GROUP,
        "fromMe": False,
        "id": "C3",
        "participant": BEN,
        "participantAlt": BEN_LID,
    }
    assert (heard.untold, heard.journal_seq) == ({"key": key, "reason": "decrypted_before"}, 7)
    (ours,) = writes_for("s", again, 7, Known(own=(BEN,)))
    assert isinstance(ours, StoreHeard)
    assert ours.untold is not None
    assert ours.untold["key"]["fromMe"]
