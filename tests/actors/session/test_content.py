"""What is read of a message: its kind, its words, and what it says about an earlier one."""

import json
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.session.arrival import Known, message_writes, subject_of
from actors.session.content import KINDS, Content, kind_of, plain_content
from actors.session.reading import Edited, Reacted, Revoked, Secret, read_content
from actors.whatsapp.events import MessageArrived
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Use
from actors.whatsapp.wrapping import unwrapped
from storage.rows import Message, MessageStatus


def content(**parts: Any) -> Content:
    said = read_content(e2e.Message(**parts))
    assert isinstance(said, Content)
    return said


IMAGE = e2e.ImageMessage(caption="sunset", directPath="/v/1", mimetype="image/jpeg", URL="https://host/1")


@pytest.mark.parametrize(
    ("parts", "kind", "text"),
    [
        ({"conversation": "hi"}, "text", "hi"),
        ({"extendedTextMessage": {"text": "hi"}}, "text", "hi"),
        ({"imageMessage": IMAGE}, "image", "sunset"),
        ({"videoMessage": {"caption": "waves"}}, "video", "waves"),
        ({"videoMessage": {"gifPlayback": True}}, "gif", None),
        ({"ptvMessage": {"seconds": 3}}, "video_note", None),
        ({"audioMessage": {"seconds": 3}}, "audio", None),
        ({"audioMessage": {"PTT": True}}, "voice", None),
        ({"documentMessage": {"fileName": "a.pdf", "caption": "read"}}, "document", "read"),
        ({"stickerMessage": {"isAnimated": True}}, "sticker", None),
        ({"albumMessage": {"expectedImageCount": 2}}, "album", None),
        ({"locationMessage": {"name": "Home", "address": "Street 1"}}, "location", "Home"),
        ({"contactMessage": {"displayName": "Ana", "vcard": "BEGIN:VCARD"}}, "contact", "Ana"),
        (
            {"contactsArrayMessage": {"contacts": [{"displayName": "Ana"}, {"displayName": "Ben"}]}},
            "contact",
            "Ana, Ben",
        ),
        ({"pollCreationMessageV3": {"name": "Tea?"}}, "poll", "Tea?"),
        ({"eventMessage": {"name": "Party"}}, "event", "Party"),
        ({"groupInviteMessage": {"groupName": "Us", "caption": "come"}}, "group_invite", "come"),
        ({"buttonsMessage": {"contentText": "choose"}}, "buttons", "choose"),
        ({"listMessage": {"title": "Menu", "description": "choose"}}, "list", "choose"),
        ({"listResponseMessage": {"title": "Soup"}}, "choice", "Soup"),
        ({"buttonsResponseMessage": {"selectedDisplayText": "Yes"}}, "choice", "Yes"),
        ({"call": {}}, "other", None),
    ],
)
def test_each_kind_is_known_by_name_and_words(parts: dict[str, Any], kind: str, text: str | None) -> None:
    said = content(**parts)
    assert (said.kind, said.text) == (kind, text)
    assert kind in KINDS
    assert kind_of(said.json) == kind


@pytest.mark.parametrize(
    ("wrapper", "once"),
    [
        ("ephemeralMessage", False),
        ("viewOnceMessage", True),
        ("viewOnceMessageV2", True),
        ("viewOnceMessageV2Extension", True),
        ("documentWithCaptionMessage", False),
        ("groupStatusMessageV2", False),
        ("lottieStickerMessage", False),
        ("associatedChildMessage", False),
    ],
)
def test_what_counts_is_the_message_in_the_envelope(wrapper: str, *, once: bool) -> None:
    said = content(**{wrapper: {"message": {"imageMessage": IMAGE}}})
    assert (said.kind, said.text) == ("image", "sunset")
    assert said.json["imageMessage"].get("viewOnce", False) is once


def test_envelopes_within_envelopes_and_a_device_s_own_copy_are_opened() -> None:
    inner = e2e.Message(
        ephemeralMessage={"message": {"viewOnceMessageV2": {"message": {"imageMessage": IMAGE}}}}
    )
    said = content(deviceSentMessage={"destinationJID": "1@lid", "message": inner})
    assert said.kind == "image"
    assert said.json["imageMessage"]["viewOnce"] is True


def test_a_message_without_envelope_is_not_copied() -> None:
    message = e2e.Message(imageMessage=IMAGE)
    assert unwrapped(message) is message


def test_the_context_round_the_envelope_is_the_message_s() -> None:
    message = e2e.Message(
        viewOnceMessageV2={"message": {"imageMessage": IMAGE}},
        messageContextInfo={"messageSecret": b"s" * 32},
    )
    assert unwrapped(message).messageContextInfo.messageSecret == b"s" * 32


def test_secrets_and_keys_stay_out_of_what_listeners_are_told() -> None:
    said = content(
        imageMessage=IMAGE,
        messageContextInfo={"messageSecret": b"s" * 32},
        senderKeyDistributionMessage={"groupID": "1@g.us", "axolotlSenderKeyDistributionMessage": b"key"},
    )
    assert set(said.json) == {"imageMessage"}


def test_names_are_those_of_baileys() -> None:
    said = content(imageMessage=IMAGE)
    assert said.json["imageMessage"]["url"] == "https://host/1"
    quoting = content(extendedTextMessage={"text": "yes", "contextInfo": {"stanzaID": "A1"}})
    assert quoting.json["extendedTextMessage"]["contextInfo"]["stanzaId"] == "A1"


def test_an_edit_is_read_in_and_out_of_its_envelope() -> None:
    protocol = {"key": {"ID": "A1"}, "type": 14, "editedMessage": {"conversation": "new"}}
    for message in (
        e2e.Message(protocolMessage=protocol),
        e2e.Message(editedMessage={"message": {"protocolMessage": protocol}}),
    ):
        said = read_content(message)
        assert isinstance(said, Edited)
        assert (said.message_id, said.message.conversation) == ("A1", "new")
        assert subject_of(message) == "A1"


def test_a_deletion_a_reaction_and_a_vote_name_the_message_they_are_about() -> None:
    deletion = read_content(e2e.Message(protocolMessage={"key": {"ID": "A1"}, "type": 0}))
    assert deletion == Revoked(message_id="A1")
    reaction = read_content(
        e2e.Message(reactionMessage={"key": {"ID": "A1", "fromMe": True}, "text": "\N{HEAVY BLACK HEART}"})
    )
    assert reaction == Reacted(message_id="A1", from_me=True, emoji="\N{HEAVY BLACK HEART}")
    vote = read_content(
        e2e.Message(
            pollUpdateMessage={
                "pollCreationMessageKey": {"ID": "P1", "remoteJID": "1@g.us", "participant": "7@lid"},
                "vote": {"encPayload": b"p", "encIV": b"i"},
            }
        )
    )
    assert isinstance(vote, Secret)
    assert (vote.message_id, vote.author, vote.use) == ("P1", "7@lid", Use.POLL_VOTE)


def test_keys_between_devices_say_nothing() -> None:
    assert read_content(e2e.Message()) is None
    assert read_content(e2e.Message(senderKeyDistributionMessage={"groupID": "1@g.us"})) is None
    assert read_content(e2e.Message(protocolMessage={"type": 6})) is None


def test_text_that_is_none_and_text_that_cannot_be_stored_are_made_storable() -> None:
    said = plain_content(e2e.Message.FromString(b"\x0a\x03a\xff\x00"))
    assert said.text == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    broken = e2e.Message.FromString(b"\x1a\x04\x1a\x02\xff\x00")  # an image with such a caption
    assert plain_content(broken).text == "\N{REPLACEMENT CHARACTER}" * 2


def test_quotes_within_quotes_are_read_as_deep_as_they_come() -> None:
    message = e2e.Message(conversation="first")
    while True:
        outer = e2e.Message(extendedTextMessage={"text": "more"})
        outer.extendedTextMessage.contextInfo.quotedMessage.CopyFrom(message)
        try:
            e2e.Message.FromString(outer.SerializeToString())
        except DecodeError:
            break
        message = outer
    assert json.dumps(plain_content(message).json).count("more") > 20


def arrived(message: Any, **more: Any) -> MessageArrived:
    given_: dict[str, Any] = {
        "id": "M1",
        "chat": "2@lid",
        "chat_alt": "62@s.whatsapp.net",
        "sender": "2@lid",
        "sender_alt": "62@s.whatsapp.net",
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
    return MessageArrived(**given_ | more)


STORED = Message(
    session_id="s",
    id="msg_1",
    wa_id="A1",
    chat="62@s.whatsapp.net",
    sender="62@s.whatsapp.net",
    from_me=False,
    type="poll",
    status=MessageStatus.RECEIVED,
    raw=e2e.Message(
        pollCreationMessageV3={"name": "Tea?", "options": [{"optionName": "yes"}]},
        messageContextInfo={"messageSecret": b"s" * 32},
    ).SerializeToString(),
)

# A field's tag and a payload: far more of such bytes parse than of any.
FIELD = st.builds(
    lambda number, payload: _tag(number) + bytes([len(payload)]) + payload,
    st.sampled_from([field.number for field in e2e.Message.DESCRIPTOR.fields]),
    st.recursive(
        st.binary(max_size=12),
        lambda inner: st.builds(
            lambda number, payload: (_tag(number) + bytes([len(payload)]) + payload)[:120],
            st.integers(1, 30),
            inner,
        ),
        max_leaves=4,
    ),
)


def _tag(number: int) -> bytes:
    key = number << 3 | 2
    return bytes([key]) if key < 0x80 else bytes([key & 0x7F | 0x80, key >> 7])


@given(st.one_of(st.binary(max_size=60), st.lists(FIELD, max_size=4).map(b"".join)))
@example(b"\x0a\x02\xff\xfe")
@example(b"\x62\x06\x10\x0e\x72\x02\x0a\x00")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_parses_as_a_message_is_read_without_an_error(raw: bytes) -> None:
    try:
        message = e2e.Message.FromString(raw)
    except DecodeError:
        return
    said = read_content(message)
    json.dumps(plain_content(message).json)
    assert said is None or not isinstance(said, Content) or said.kind in KINDS
    for earlier in (None, STORED):
        for once in (False, True):
            writes = message_writes("s", arrived(message, is_view_once=once), Known(earlier, ("1@lid",)))
            for write in writes:
                json.dumps([event.data for event in getattr(write, "events", ())])
