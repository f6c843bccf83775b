"""Messages to a group under sender keys."""

import pytest

from loopback.signal import senderkey
from loopback.signal.chain import MAX_AHEAD
from loopback.signal.errors import (
    BadSignatureError,
    DuplicateError,
    MalformedError,
    NoSenderKeyError,
    TooFarAheadError,
)
from loopback.signal.peer import SignalPeer
from tests.loopback.signal.talk import ALICE, Talk

GROUP = "120363000000000001@g.us"


def write(talk: Talk, text: bytes) -> bytes:
    """Alice writes to the group and tells Bob her key, as with every message."""
    distribution, message = talk.alice.group_encrypt(GROUP, text)
    talk.bob.process_distribution(GROUP, ALICE, distribution)
    return message


def read(talk: Talk, message: bytes) -> bytes:
    return talk.bob.group_decrypt(GROUP, ALICE, message)


def test_a_member_reads_what_comes_after_it_was_told_the_key(talk: Talk) -> None:
    _, before = talk.alice.group_encrypt(GROUP, b"before")
    message = write(talk, b"after")
    assert read(talk, message) == b"after"
    _, later = talk.alice.group_encrypt(GROUP, b"later")
    assert read(talk, later) == b"later"
    with pytest.raises(DuplicateError):
        read(talk, before)


def test_overtaken_messages_are_read_though_each_came_with_the_key(talk: Talk) -> None:
    messages = [write(talk, b"%d" % n) for n in range(10)]
    for n in reversed(range(10)):
        assert read(talk, messages[n]) == b"%d" % n
    with pytest.raises(DuplicateError):
        read(talk, messages[5])
    assert len(talk.bob.received_sender_keys[GROUP][ALICE]) == 1


def test_damage_anywhere_changes_nothing(talk: Talk) -> None:
    message = write(talk, b"whole")
    before = talk.bob.to_json()
    for at in range(len(message)):
        damaged = bytearray(message)
        damaged[at] ^= 1
        with pytest.raises((BadSignatureError, MalformedError, NoSenderKeyError)):
            read(talk, bytes(damaged))
    assert talk.bob.to_json() == before
    assert read(talk, message) == b"whole"


def test_another_member_cannot_write_in_the_name_of_the_first(talk: Talk) -> None:
    write(talk, b"hello")
    mallory = SignalPeer.generate()
    _, forged = mallory.group_encrypt(GROUP, b"hello, I am alice")
    with pytest.raises(NoSenderKeyError) as caught:
        read(talk, forged)
    assert (caught.value.group, caught.value.address) == (GROUP, ALICE)
    key = talk.alice.sender_keys[GROUP]
    _, forged = senderkey.encrypt(
        senderkey.SenderKey(key.id, key.chain, mallory.identity), b"hello, I am alice"
    )
    with pytest.raises(BadSignatureError):
        read(talk, forged)


def test_after_the_key_was_dropped_the_old_one_reads_no_more(talk: Talk) -> None:
    old = write(talk, b"old")
    leaver = SignalPeer.from_json(talk.bob.to_json())
    talk.alice.drop_sender_key(GROUP)
    new = write(talk, b"new")
    with pytest.raises(NoSenderKeyError):
        leaver.group_decrypt(GROUP, ALICE, new)
    assert read(talk, new) == b"new"
    assert read(talk, old) == b"old"


def test_the_keys_kept_of_one_member_are_bounded(talk: Talk) -> None:
    for _ in range(senderkey.MAX_KEYS + 3):
        talk.alice.drop_sender_key(GROUP)
        last = write(talk, b"hello")
    assert len(talk.bob.received_sender_keys[GROUP][ALICE]) == senderkey.MAX_KEYS
    assert read(talk, last) == b"hello"


def test_a_member_long_away_reads_again_after_it_is_told_anew(talk: Talk) -> None:
    write(talk, b"first")
    for _ in range(MAX_AHEAD + 1):
        distribution, message = talk.alice.group_encrypt(GROUP, b"missed")
    with pytest.raises(TooFarAheadError):
        read(talk, message)
    talk.bob.process_distribution(GROUP, ALICE, distribution)
    assert read(talk, message) == b"missed"


def test_groups_and_members_have_keys_of_their_own(talk: Talk) -> None:
    message = write(talk, b"hello")
    with pytest.raises(NoSenderKeyError):
        talk.bob.group_decrypt("120363000000000002@g.us", ALICE, message)
    with pytest.raises(NoSenderKeyError):
        talk.bob.group_decrypt(GROUP, "1001@lid:1", message)


def test_group_state_survives_json(talk: Talk) -> None:
    skipped, message = write(talk, b"skipped"), write(talk, b"read")
    read(talk, message)
    talk.alice = SignalPeer.from_json(talk.alice.to_json())
    talk.bob = SignalPeer.from_json(talk.bob.to_json())
    assert read(talk, skipped) == b"skipped"
    _, later = talk.alice.group_encrypt(GROUP, b"later")
    assert read(talk, later) == b"later"
