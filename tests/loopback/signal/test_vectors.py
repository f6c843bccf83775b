"""Known answers, so that the other side of the wire may be anybody's implementation."""

import pytest

from loopback.signal import ratchet, x3dh
from loopback.signal.chain import Chain
from loopback.signal.cipher import hkdf
from loopback.signal.errors import BadSignatureError, MalformedError
from loopback.signal.keys import KeyPair, parse_public, serialised, verify


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


# libsignal's known answers for agreement and signature with Curve25519 (curve25519.rs).
PRIVATE = unhex("c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865")
PUBLIC = unhex("ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64")
MESSAGE = unhex("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a")
SIGNATURE = unhex(
    "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"
    "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
)


def test_a_known_signature_verifies_and_its_sign_bit_is_used() -> None:
    assert SIGNATURE[63] & 0x80
    verify(PUBLIC, MESSAGE, SIGNATURE)
    with pytest.raises(BadSignatureError):
        verify(PUBLIC, MESSAGE, SIGNATURE[:63] + bytes([SIGNATURE[63] & 0x7F]))


def test_a_change_of_any_byte_breaks_a_known_signature() -> None:
    for at in range(64):
        changed = bytearray(SIGNATURE)
        changed[at] ^= 1
        with pytest.raises(BadSignatureError):
            verify(PUBLIC, MESSAGE, bytes(changed))


def test_a_known_private_key_has_its_public_key_and_signs_for_it() -> None:
    pair = KeyPair.from_private(PRIVATE)
    assert pair.public == PUBLIC
    verify(PUBLIC, MESSAGE, pair.sign(MESSAGE))


def test_signatures_of_fifty_keys_verify_and_signing_leaves_the_agreement_alone() -> None:
    # Half of all keys are negated for signing; were the negated one kept, these would disagree.
    other = KeyPair.generate()
    for _ in range(50):
        pair = KeyPair.generate()
        verify(pair.public, b"message", pair.sign(b"message"))
        assert pair.agree(other.public) == other.agree(pair.public)
        assert pair.private[0] & 7 == 0
        assert pair.private[31] & 0xC0 == 0x40


@pytest.mark.parametrize(
    ("public", "signature"), [(b"", SIGNATURE), (PUBLIC, b""), (PUBLIC, SIGNATURE + b"\0")]
)
def test_a_key_or_signature_of_the_wrong_length_does_not_verify(public: bytes, signature: bytes) -> None:
    with pytest.raises(BadSignatureError):
        verify(public, MESSAGE, signature)


def test_keys_of_low_order_and_of_the_wrong_length_are_refused() -> None:
    pair = KeyPair.generate()
    for key in (bytes(32), b"\x01" + bytes(31), b"", bytes(33)):
        with pytest.raises(MalformedError):
            pair.agree(key)
    with pytest.raises(MalformedError):
        KeyPair.from_private(b"short")
    with pytest.raises(MalformedError):
        parse_public(b"\x06" + PUBLIC)
    assert parse_public(serialised(PUBLIC)) == PUBLIC


def test_agreement_has_the_answer_of_rfc_7748() -> None:
    alice = KeyPair.from_private(unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = KeyPair.from_private(unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    expected = unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert alice.public == unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert alice.agree(bob.public) == bob.agree(alice.public) == expected


# RFC 5869, test cases 1 to 3.
@pytest.mark.parametrize(
    ("secret", "salt", "info", "expected"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            (
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                "cc30c58179ec3e87c14c01d5c1f3434f1d87"
            ),
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_has_the_answers_of_rfc_5869(secret: bytes, salt: bytes, info: bytes, expected: str) -> None:
    assert hkdf(secret, salt=salt, info=info, length=len(expected) // 2).hex() == expected


def test_a_chain_has_libsignals_answers() -> None:
    # libsignal's ratchet/keys.rs
    chain = Chain(unhex("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f"))
    advanced, seed = chain.next()
    cipher_key, mac_key, _ = ratchet._message_keys(seed)
    assert cipher_key.hex() == "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"
    assert mac_key.hex() == "c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"
    assert advanced.key.hex() == "28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"


def test_the_answering_side_of_x3dh_has_libsignals_answer() -> None:
    # libsignal's tests/ratchet.rs, the session as Bob
    _, chain = x3dh.respond(
        KeyPair.from_private(unhex("4875cc69ddf8ea0719ec947d61081135868d5fd801f02c0225e516df2156605e")),
        KeyPair.from_private(unhex("583900131fb727998b7803fe6ac22cc591f342e4e42a8c8d5d78194209b8d253")),
        None,
        their_identity=unhex("b4a8455660ada65b401007f615e654041746432e3339c6875149bceefcb42b4a"),
        their_base=unhex("472d1fb1a9862c3af6beaca8920277e2b26f4a79213ec7c906aeb35e03cf8950"),
    )
    assert chain.key.hex() == "9797caca53c989bbe229a40ca7727010eb2604fc14945d77958a0aeda088b44d"


def test_the_writing_side_of_x3dh_has_libsignals_answer() -> None:
    # libsignal's tests/ratchet.rs, the session as Alice
    bundle = x3dh.PreKeyBundle(
        registration_id=0,
        identity_key=unhex("f1f43874f6966956c2dd473f8fa15adeb71d1cb991b2341692324cefb1c5e626"),
        signed_prekey_id=0,
        signed_prekey=unhex("ac248a8f263be6863576eb0362e28c828f0107a3379d34bab1586bf8c770cd67"),
        signed_prekey_signature=b"",
    )
    _, chain = x3dh.initiate(
        KeyPair.from_private(unhex("9040f0d4e09cf38f6dc7c13779c908c015a1da4fa78737a080eb0a6f4f5f8f58")),
        KeyPair.from_private(unhex("11ae7c64d1e61cd596b76a0db5012673391cae66edbfcf073b4da80516a47449")),
        bundle,
    )
    assert chain.key.hex() == "ab9be50e5cb22a925446ab90ee5670545f4fd32902459ec274b6ad0ae5d6031a"
