"""Whatever arrives, a parser answers with a value or with its own error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback.signal import adv, media, padding, paircode, wire
from loopback.signal.errors import MalformedError, SignalError, UndecryptableError
from loopback.signal.keys import KeyPair
from loopback.signal.messages import (
    PreKeySignalMessage,
    SenderKeyDistribution,
    SenderKeyMessage,
    SignalMessage,
)
from loopback.signal.peer import SignalPeer
from tests.loopback.signal.talk import ALICE, BOB

UINT32 = st.integers(0, 0xFFFFFFFF)
KEY = st.binary(min_size=32, max_size=32)
FIELDS = st.dictionaries(st.integers(1, 7), UINT32 | st.binary(max_size=80))
ENCODED = FIELDS.map(lambda fields: wire.encode(fields.items()))
GARBAGE = st.binary(max_size=300) | ENCODED.map(lambda body: b"\x33" + body + bytes(64))


@given(FIELDS)
def test_fields_are_read_as_they_were_written(fields: dict[int, int | bytes]) -> None:
    read = wire.Fields(wire.encode(fields.items()))
    for number, value in fields.items():
        assert (read.integer(number) if isinstance(value, int) else read.octets(number)) == value


def test_fields_have_the_encoding_of_protobuf() -> None:
    encoded = wire.encode([(1, 150), (2, b"testing"), (3, None), (4, 0)])
    assert encoded.hex() == "089601" + "120774657374696e67" + "2000"


def test_fields_of_other_wire_types_are_skipped() -> None:
    fields = wire.Fields(b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x18\x07")
    assert fields.integer(3) == 7


@pytest.mark.parametrize("data", [b"\x08", b"\x08\xff", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11])
def test_fields_that_do_not_end_or_have_unknown_types_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        wire.Fields(data)


def test_fields_of_the_wrong_kind_or_size_are_refused() -> None:
    fields = wire.Fields(wire.encode([(1, 1 << 32), (2, b"x")]))
    for number in (1, 2, 3):
        with pytest.raises(MalformedError):
            fields.integer(number)
    for number in (1, 3):
        with pytest.raises(MalformedError):
            fields.octets(number)


@given(KEY, UINT32, UINT32, st.binary())
def test_a_signal_message_is_read_as_it_was_written(key: bytes, n: int, before: int, box: bytes) -> None:
    message = SignalMessage(key, n, before, box)
    assert SignalMessage.parse(message.encode() + b"8 bytes!") == (message, message.encode(), b"8 bytes!")


@given(UINT32, UINT32 | st.none(), UINT32, KEY, KEY, st.binary())
def test_a_first_message_is_read_as_it_was_written(
    registration: int, prekey: int | None, signed: int, base: bytes, identity: bytes, inner: bytes
) -> None:
    message = PreKeySignalMessage(registration, prekey or None, signed, base, identity, inner)
    assert PreKeySignalMessage.parse(message.encode()) == message


@given(GARBAGE)
def test_garbage_is_never_a_message_and_never_another_error(data: bytes) -> None:
    for parse in (
        SignalMessage.parse,
        PreKeySignalMessage.parse,
        SenderKeyMessage.parse,
        SenderKeyDistribution.parse,
        wire.Fields,
    ):
        with contextlib.suppress(MalformedError):
            parse(data)


@pytest.mark.parametrize("version", [0x00, 0x22, 0x43])
def test_messages_of_another_version_are_refused(version: int) -> None:
    data = SignalMessage(bytes(32), 0, 0, b"").encode() + bytes(8)
    SignalMessage.parse(data)
    with pytest.raises(MalformedError):
        SignalMessage.parse(bytes([version]) + data[1:])


def an_acquainted_peer() -> SignalPeer:
    alice, bob = SignalPeer.generate(), SignalPeer.generate()
    bob.decrypt(ALICE, *alice.encrypt(BOB, bob.bundle(), b"hello"))
    bob.process_distribution("group", ALICE, alice.group_encrypt("group", b"hello")[0])
    return bob


PEER = an_acquainted_peer()


@given(st.sampled_from(["msg", "pkmsg", "skmsg", ""]), GARBAGE)
def test_a_peer_answers_garbage_with_its_own_errors(kind: str, data: bytes) -> None:
    before = PEER.to_json()
    with pytest.raises(SignalError):
        PEER.decrypt(ALICE, kind, data)
    with pytest.raises(SignalError):
        PEER.group_decrypt("group", ALICE, data)
    assert PEER.to_json() == before


@given(st.text() | st.lists(st.text(max_size=50), min_size=4, max_size=5).map(",".join))
def test_a_text_is_a_pairing_qr_or_malformed(text: str) -> None:
    with contextlib.suppress(MalformedError):
        adv.parse_qr(text)


@given(st.text())
def test_a_text_is_a_pairing_code_or_malformed(text: str) -> None:
    with contextlib.suppress(MalformedError):
        assert len(paircode.parse_code(text)) == 8


@given(st.binary(max_size=300), KEY)
def test_garbage_is_never_a_device_identity(data: bytes, key: bytes) -> None:
    with pytest.raises(SignalError):
        adv.verify_companion(data, key, key)


@given(st.binary(max_size=200) | st.binary(min_size=156, max_size=156), st.binary(min_size=30, max_size=33))
def test_garbage_is_never_a_key_bundle(data: bytes, key: bytes) -> None:
    pair = KeyPair.generate()
    with pytest.raises((MalformedError, UndecryptableError)):
        paircode.open_key_bundle(data, ephemeral=pair, companion_ephemeral=key, account=pair)


@given(st.binary(max_size=100), st.binary(max_size=40), st.sampled_from(media.MediaKind))
def test_garbage_is_never_a_media_file(data: bytes, key: bytes, kind: media.MediaKind) -> None:
    with pytest.raises((MalformedError, UndecryptableError)):
        media.decrypt(data, key, kind)


@given(st.binary())
def test_what_was_padded_is_unpadded(message: bytes) -> None:
    padded = padding.pad(message)
    assert 1 <= len(padded) - len(message) <= 15
    assert padding.unpad(padded) == message


@pytest.mark.parametrize("data", [b"", b"\0", b"abc\x02", b"\x02\x03\x03"])
def test_wrong_padding_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        padding.unpad(data)
