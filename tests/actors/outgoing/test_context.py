"""Quotes, mentions, the mark of what was passed on, and when a message disappears."""

from typing import Any

import pytest

from actors.errors import MessageUnsuitable
from actors.outgoing.context import Context, put_context, put_secret
from actors.outgoing.forwards import forward_message
from actors.whatsapp.proto import e2e
from tests.actors.outgoing.stored import (
    BEN,
    BEN_LID,
    GROUP,
    OWN,
    in_group,
    ours,
    picture,
    poll,
    row,
    target,
    text,
)


def with_context(message: Any, chat: str = BEN, **context: Any) -> Any:
    put_context(message, Context(**context), chat)
    return message


def test_without_context_a_text_stays_a_conversation() -> None:
    assert with_context(text("hi")) == text("hi")


def test_a_quote_names_its_message_and_shows_it() -> None:
    answer = with_context(text("yes"), quoted=target(row(text("tea?")))).extendedTextMessage
    assert answer.text == "yes"
    quote = answer.contextInfo
    assert (quote.stanzaID, quote.participant, quote.quotedMessage) == ("A1", BEN, text("tea?"))
    assert not quote.HasField("remoteJID")


def test_a_quote_shows_neither_secrets_nor_what_the_quoted_message_quoted() -> None:
    quoted = with_context(picture("sunset"), quoted=target(row(text("first"))))
    shown = with_context(text("nice"), quoted=target(row(quoted))).extendedTextMessage.contextInfo
    image = shown.quotedMessage.imageMessage
    assert (image.caption, image.HasField("contextInfo")) == ("sunset", False)
    assert not shown.quotedMessage.HasField("messageContextInfo")


def test_of_a_message_that_is_not_kept_the_stored_text_is_quoted() -> None:
    shown = with_context(text("yes"), quoted=target(row(text="tea?"))).extendedTextMessage.contextInfo
    assert shown.quotedMessage == text("tea?")


def test_in_a_group_a_quote_names_the_author_as_the_group_does_and_elsewhere_the_group() -> None:
    quoted = target(in_group(text("tea?")))
    inside = with_context(text("yes"), GROUP, quoted=quoted).extendedTextMessage.contextInfo
    assert (inside.participant, inside.HasField("remoteJID")) == (BEN_LID, False)
    aside = with_context(text("psst"), BEN, quoted=quoted).extendedTextMessage.contextInfo
    assert aside.remoteJID == GROUP


def test_mentions_expiry_and_the_forwarded_mark_go_into_what_the_message_says() -> None:
    wrapped = e2e.Message(viewOnceMessageV2={"message": picture()})
    with_context(wrapped, mentions=(BEN,), everyone=True, forwarded=True, ephemeral_seconds=86400)
    context = wrapped.viewOnceMessageV2.message.imageMessage.contextInfo
    assert (list(context.mentionedJID), context.nonJIDMentions) == ([BEN], 1)
    assert (context.isForwarded, context.forwardingScore, context.expiration) == (True, 1, 86400)


def test_what_has_no_place_for_a_context_is_left_alone() -> None:
    message = e2e.Message(reactionMessage={"text": "!"})
    assert with_context(message, ephemeral_seconds=60) == e2e.Message(reactionMessage={"text": "!"})


def test_only_what_can_be_answered_in_secret_gets_a_secret_and_keeps_its_own() -> None:
    said, reaction, known = text("hi"), e2e.Message(reactionMessage={"text": "!"}), poll("a")
    for message in (said, reaction, known):
        put_secret(message)
    assert len(said.messageContextInfo.messageSecret) == 32
    assert not reaction.HasField("messageContextInfo")
    assert known == poll("a")


def test_a_forward_counts_and_carries_nothing_of_the_chat_it_came_from() -> None:
    once = forward_message(target(row(with_context(text("news"), quoted=target(row(text("?")))))))
    context = once.extendedTextMessage.contextInfo
    assert once.extendedTextMessage.text == "news"
    assert (context.isForwarded, context.forwardingScore) == (True, 1)
    assert not context.HasField("quotedMessage")
    twice = forward_message(target(row(once)))
    assert twice.extendedTextMessage.contextInfo.forwardingScore == 2


def test_a_text_that_is_none_can_be_forwarded_and_quoted() -> None:
    odd = e2e.Message.FromString(b"\x0a\x02\xff!")
    forwarded = forward_message(target(row(odd)))
    assert forwarded.extendedTextMessage.text == "\N{REPLACEMENT CHARACTER}!"
    answer = with_context(text("?"), quoted=target(row(odd))).extendedTextMessage
    assert answer.contextInfo.quotedMessage == odd


def test_a_forwarded_file_is_where_it_was() -> None:
    image = forward_message(target(ours(picture("sunset")))).imageMessage
    assert (image.directPath, image.mediaKey, image.caption) == ("/v/1", b"k" * 32, "sunset")
    assert image.contextInfo.isForwarded


def test_a_forwarded_document_with_a_caption_is_in_its_envelope_again() -> None:
    document = e2e.Message(documentMessage={"caption": "read", "fileName": "a.pdf", "directPath": "/v/2"})
    again = forward_message(target(row(e2e.Message(documentWithCaptionMessage={"message": document}))))
    inside = again.documentWithCaptionMessage.message.documentMessage
    assert (inside.caption, inside.contextInfo.isForwarded) == ("read", True)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "not kept"),
        (e2e.Message(viewOnceMessageV2={"message": picture()}), "cannot be forwarded"),
        (e2e.Message(albumMessage={"expectedImageCount": 2}), "cannot be forwarded"),
    ],
)
def test_what_cannot_be_forwarded_is_refused(message: Any, reason: str) -> None:
    with pytest.raises(MessageUnsuitable, match=reason):
        forward_message(target(row(message)))


def test_a_message_that_whatsapp_does_not_have_is_nothing_to_be_about() -> None:
    with pytest.raises(MessageUnsuitable, match="does not have it"):
        target(ours(text("waiting"), wa_id=None, sender=OWN))
