"""Conversations between two devices, in every order that a network can make of them."""

import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback.signal import chain, ratchet
from loopback.signal.errors import (
    BadSignatureError,
    DuplicateError,
    MalformedError,
    NoSessionError,
    TooFarAheadError,
    UndecryptableError,
    UnknownPreKeyError,
)
from loopback.signal.keys import KeyPair
from loopback.signal.messages import PreKeySignalMessage, SignalMessage
from loopback.signal.peer import MAX_SESSIONS, SignalPeer
from loopback.signal.x3dh import PreKey
from tests.loopback.signal.talk import ALICE, BOB, Talk


def flip(data: bytes, at: int) -> bytes:
    """The same bytes with one bit of one of them turned."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_messages_are_pkmsg_until_the_first_answer(talk: Talk) -> None:
    first, second = talk.say(b"1"), talk.say(b"2")
    assert [first[0], second[0]] == ["pkmsg", "pkmsg"]
    assert talk.hear(first) == b"1"
    assert talk.hear(second) == b"2"
    answer = talk.answer(b"3")
    assert answer[0] == "msg"
    assert talk.hear_answer(answer) == b"3"
    assert talk.say(b"4")[0] == "msg"


def test_a_long_talk_turns_the_ratchet_each_time(acquainted: Talk) -> None:
    ratchets = set()
    for n in range(20):
        text = str(n).encode()
        assert acquainted.hear(acquainted.say(text)) == text
        assert acquainted.hear_answer(acquainted.answer(text)) == text
        ratchets.add(acquainted.alice.sessions[BOB][0].ratchet.public)
    assert len(ratchets) == 20


def test_an_empty_and_a_large_message_come_through(acquainted: Talk) -> None:
    for text in (b"", b"x" * 1_000_000):
        assert acquainted.hear(acquainted.say(text)) == text


@pytest.mark.parametrize("seed", range(5))
def test_messages_out_of_order_are_read_across_turns(acquainted: Talk, seed: int) -> None:
    shuffle = random.Random(seed).shuffle
    batches = []
    for turn in range(ratchet.MAX_RECEIVING - 1):
        batches += [(b"%d.%d" % (turn, n), acquainted.say(b"%d.%d" % (turn, n))) for n in range(5)]
        # The last of each turn arrives at once and is answered, so that the ratchet turns under the others.
        text, message = batches.pop()
        assert acquainted.hear(message) == text
        acquainted.hear_answer(acquainted.answer(b"turn"))
    shuffle(batches)
    for text, message in batches:
        assert acquainted.hear(message) == text


def test_lost_messages_do_no_harm(acquainted: Talk) -> None:
    for _ in range(50):
        acquainted.say(b"lost")
        acquainted.answer(b"lost too")
    assert acquainted.hear(acquainted.say(b"heard")) == b"heard"
    assert acquainted.hear_answer(acquainted.answer(b"heard")) == b"heard"


@pytest.mark.parametrize("between", [0, 3])
def test_a_message_is_read_only_once(acquainted: Talk, between: int) -> None:
    message = acquainted.say(b"once")
    acquainted.hear(message)
    for _ in range(between):
        acquainted.hear(acquainted.say(b"later"))
    with pytest.raises(DuplicateError):
        acquainted.hear(message)
    assert acquainted.hear(acquainted.say(b"next")) == b"next"


def test_a_first_message_is_read_only_once(talk: Talk) -> None:
    message = talk.say(b"once")
    talk.hear(message)
    with pytest.raises(DuplicateError):
        talk.hear(message)
    assert len(talk.bob.sessions[ALICE]) == 1


@pytest.mark.parametrize("first", [True, False])
def test_damage_anywhere_changes_nothing(talk: Talk, first: bool) -> None:
    if not first:
        talk.hear(talk.say(b"hello"))
        talk.hear_answer(talk.answer(b"hello yourself"))
    kind, data = talk.say(b"attack at dawn")
    before = talk.bob.to_json()
    accepted = []
    for at in range(len(data)):
        try:
            talk.hear((kind, flip(data, at)))
        except (MalformedError, UndecryptableError, DuplicateError, TooFarAheadError, UnknownPreKeyError):
            assert talk.bob.to_json() == before
        else:
            accepted.append(at)
            talk.bob = SignalPeer.from_json(before)
    # A preamble tells without proof what its sender could speak (1 byte) and its registration id (1 or 2).
    # All the rest is under a code or names a key.
    assert len(accepted) <= (3 if first else 0)
    assert talk.hear((kind, data)) == b"attack at dawn"


def test_a_truncated_message_is_refused(acquainted: Talk) -> None:
    kind, data = acquainted.say(b"whole")
    for length in range(len(data)):
        with pytest.raises((MalformedError, UndecryptableError)):
            acquainted.hear((kind, data[:length]))
    assert acquainted.hear((kind, data)) == b"whole"


def test_both_may_write_first_at_the_same_time(talk: Talk) -> None:
    alice, bob = talk.alice, talk.bob
    crossing = (
        alice.encrypt(BOB, bob.bundle(), b"from alice"),
        bob.encrypt(ALICE, alice.bundle(), b"from bob"),
    )
    assert talk.hear(crossing[0]) == b"from alice"
    assert talk.hear_answer(crossing[1]) == b"from bob"
    for n in range(6):  # crossing again and again, then in turns
        text = str(n).encode()
        there, back = talk.say(text), talk.answer(text)
        assert talk.hear(there) == text
        assert talk.hear_answer(back) == text
    assert talk.hear(talk.say(b"in turn")) == b"in turn"
    assert talk.hear_answer(talk.answer(b"in turn")) == b"in turn"
    assert alice.sessions[BOB][0].base_key == bob.sessions[ALICE][0].base_key


def test_a_retry_with_a_new_bundle_starts_a_new_session_and_the_old_one_stays_readable(
    acquainted: Talk,
) -> None:
    late = acquainted.say(b"late")
    acquainted.bob.drop_session(ALICE)
    with pytest.raises(NoSessionError):
        acquainted.hear(acquainted.say(b"unreadable"))
    kind, data = acquainted.alice.encrypt(BOB, acquainted.bob.bundle(), b"again")
    assert kind == "pkmsg"
    assert acquainted.hear((kind, data)) == b"again"
    assert acquainted.hear_answer(acquainted.answer(b"ok")) == b"ok"
    with pytest.raises(UndecryptableError):
        acquainted.hear(late)
    assert len(acquainted.alice.sessions[BOB]) == 2


def test_a_message_of_an_older_session_is_read_and_moves_it_to_the_front(acquainted: Talk) -> None:
    kind, data = acquainted.alice.encrypt(BOB, acquainted.bob.bundle(), b"new session, delayed")
    older = acquainted.alice.sessions[BOB][1]
    answer = acquainted.answer(b"in the old one")
    assert acquainted.hear_answer(answer) == b"in the old one"
    assert acquainted.alice.sessions[BOB][0].base_key == older.base_key
    assert acquainted.hear((kind, data)) == b"new session, delayed"


def test_a_late_message_of_an_older_session_is_read_though_its_number_is_high(acquainted: Talk) -> None:
    late = acquainted.say(b"late")
    for n in range(chain.MAX_AHEAD + 1):
        late = acquainted.say(b"late")
        if n == 1000:
            acquainted.hear(late)
    acquainted.hear(acquainted.alice.encrypt(BOB, acquainted.bob.bundle(), b"new session"))
    assert acquainted.hear(late) == b"late"


def test_the_ratchet_keys_that_stay_readable_are_bounded(acquainted: Talk) -> None:
    late = [acquainted.say(b"late")]
    for _ in range(ratchet.MAX_RECEIVING):
        acquainted.hear(acquainted.say(b"there"))
        acquainted.hear_answer(acquainted.answer(b"back"))
        late.append(acquainted.say(b"late"))
    acquainted.hear(acquainted.say(b"there"))
    assert len(acquainted.bob.sessions[ALICE][0].receiving) == ratchet.MAX_RECEIVING
    with pytest.raises(UndecryptableError):
        acquainted.hear(late[0])
    assert acquainted.hear(late[1]) == b"late"


def test_a_message_tells_how_many_went_before_it_under_the_last_ratchet_key(acquainted: Talk) -> None:
    for _ in range(3):
        acquainted.say(b"under one ratchet key")
    acquainted.hear(acquainted.say(b"the fourth, number 3"))
    acquainted.hear_answer(acquainted.answer(b"turn"))
    message, _, _ = SignalMessage.parse(acquainted.say(b"under the next")[1])
    assert (message.counter, message.previous_counter) == (0, 3)


def test_sessions_with_one_address_are_bounded(talk: Talk) -> None:
    messages = [talk.alice.encrypt(BOB, talk.bob.bundle(), b"%d" % n) for n in range(MAX_SESSIONS + 2)]
    for n, message in enumerate(messages):
        assert talk.hear(message) == b"%d" % n
    assert len(talk.alice.sessions[BOB]) == len(talk.bob.sessions[ALICE]) == MAX_SESSIONS


def test_a_one_time_prekey_is_used_once_and_kept_when_the_first_message_is_damaged(talk: Talk) -> None:
    [prekey] = talk.bob.add_prekeys(1)
    kind, data = talk.alice.encrypt(BOB, talk.bob.bundle(prekey), b"hello")
    with pytest.raises(UndecryptableError):
        talk.hear((kind, flip(data, len(data) - 12)))  # in the code that ends the inner message
    assert prekey.id in talk.bob.prekeys
    assert talk.hear((kind, data)) == b"hello"
    assert prekey.id not in talk.bob.prekeys
    other = SignalPeer.generate().encrypt(BOB, talk.bob.bundle(prekey), b"too late")
    with pytest.raises(UnknownPreKeyError) as caught:
        talk.bob.decrypt("1003@lid:0", *other)
    assert caught.value.prekey_id == prekey.id


def test_a_later_preamble_cannot_use_up_another_prekey(talk: Talk) -> None:
    talk.hear(talk.say(b"hello"))
    [other] = talk.bob.add_prekeys(1)
    preamble = PreKeySignalMessage.parse(talk.say(b"hello again")[1])
    forged = attrs.evolve(preamble, prekey_id=other.id)
    assert talk.hear(("pkmsg", forged.encode())) == b"hello again"
    assert other.id in talk.bob.prekeys


def test_prekey_ids_never_repeat() -> None:
    peer = SignalPeer.generate()
    first = peer.add_prekeys(3)
    peer.prekeys.clear()
    assert not {key.id for key in first} & {key.id for key in peer.add_prekeys(3)}


def test_a_first_message_for_an_unknown_signed_prekey_is_refused(talk: Talk) -> None:
    bundle = attrs.evolve(talk.bob.bundle(), signed_prekey_id=77)
    with pytest.raises(UnknownPreKeyError):
        talk.hear(talk.alice.encrypt(BOB, bundle, b"hello"))


def test_a_bundle_with_another_key_under_its_signature_is_refused(talk: Talk) -> None:
    good, other = talk.bob.bundle(), KeyPair.generate().public
    for bad in (attrs.evolve(good, identity_key=other), attrs.evolve(good, signed_prekey=other)):
        with pytest.raises(BadSignatureError):
            talk.alice.encrypt(BOB, bad, b"hello")
    assert not talk.alice.has_session(BOB)


def test_a_bundle_with_a_key_of_low_order_is_refused(talk: Talk) -> None:
    with pytest.raises(MalformedError):
        talk.alice.encrypt(BOB, talk.bob.bundle(PreKey(1, bytes(32))), b"hello")


def test_without_session_and_bundle_nothing_can_be_written_or_read(talk: Talk) -> None:
    with pytest.raises(NoSessionError) as caught:
        talk.alice.encrypt(BOB, None, b"hello")
    assert caught.value.address == BOB
    with pytest.raises(NoSessionError):
        talk.hear(("msg", b"\x33" + bytes(50)))


def test_an_unknown_type_of_ciphertext_is_refused(acquainted: Talk) -> None:
    with pytest.raises(MalformedError):
        acquainted.bob.decrypt(ALICE, "frskmsg", b"")


def test_the_keys_kept_for_skipped_messages_are_bounded() -> None:
    start = chain.Chain(bytes(32))
    with pytest.raises(TooFarAheadError):
        start.take(chain.MAX_AHEAD + 1)
    ahead, _ = start.take(chain.MAX_AHEAD)
    ahead, _ = ahead.take(ahead.counter + chain.MAX_AHEAD)
    assert len(ahead.skipped) == chain.MAX_SKIPPED
    with pytest.raises(DuplicateError):
        ahead.take(0)
    ahead.take(ahead.counter - 2)


@given(st.permutations(range(12)))
def test_a_chain_gives_the_same_seeds_in_any_order(order: list[int]) -> None:
    straight, expected = chain.Chain(b"k" * 32), {}
    for n in range(12):
        straight, expected[n] = straight.next()
    taken = chain.Chain(b"k" * 32)
    for n in order:
        taken, seed = taken.take(n)
        assert seed == expected[n]
    assert taken == straight


def test_a_peer_goes_on_from_its_json_in_mid_conversation(acquainted: Talk) -> None:
    acquainted.bob.add_prekeys(2)
    skipped, message = acquainted.say(b"skipped"), acquainted.say(b"after")
    acquainted.hear(message)
    pending = SignalPeer.generate()
    acquainted.alice.encrypt("1009@lid:0", pending.bundle(), b"not yet answered")
    for name in ("alice", "bob"):
        peer = getattr(acquainted, name)
        text = peer.to_json()
        setattr(acquainted, name, SignalPeer.from_json(text))
        assert getattr(acquainted, name).to_json() == text
    assert acquainted.hear(skipped) == b"skipped"
    with pytest.raises(DuplicateError):
        acquainted.hear(message)
    assert acquainted.hear_answer(acquainted.answer(b"goes on")) == b"goes on"
    kind, data = acquainted.alice.encrypt("1009@lid:0", None, b"still pending")
    assert kind == "pkmsg"
    assert pending.decrypt(ALICE, kind, data) == b"still pending"


def test_no_private_key_shows_in_a_repr(acquainted: Talk) -> None:
    shown = repr(acquainted.alice)
    session = acquainted.alice.sessions[BOB][0]
    for secret in (acquainted.alice.identity.private, session.root_key, session.sending.key):
        assert repr(secret) not in shown
