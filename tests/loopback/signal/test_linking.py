"""Linking a companion by QR and by code, with the companion's side done as whatsmeow does it."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback import proto
from loopback.signal import adv, paircode
from loopback.signal.cipher import hkdf, mac
from loopback.signal.errors import BadSignatureError, MalformedError, UndecryptableError
from loopback.signal.keys import KeyPair, verify

SECRET = bytes(range(32))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def companion_answer(account: KeyPair, companion: KeyPair, sealed: bytes) -> bytes:
    """Check the phone's signature as a companion does, and answer with its own."""
    outer = proto.adv.ADVSignedDeviceIdentityHMAC.FromString(sealed)
    assert mac(SECRET, outer.details) == outer.HMAC
    identity = proto.adv.ADVSignedDeviceIdentity.FromString(outer.details)
    assert identity.accountSignatureKey == account.public
    verify(account.public, b"\x06\x00" + identity.details + companion.public, identity.accountSignature)
    identity.deviceSignature = companion.sign(
        b"\x06\x01" + identity.details + companion.public + account.public
    )
    identity.ClearField("accountSignatureKey")
    answer: bytes = identity.SerializeToString()
    return answer


@pytest.mark.parametrize("prefix", ["", "https://wa.me/settings/linked_devices#", " \n"])
@pytest.mark.parametrize("platform", [None, "1"])
def test_a_qr_is_read_with_and_without_prefix_and_platform(prefix: str, platform: str | None) -> None:
    noise, identity = KeyPair.generate().public, KeyPair.generate().public
    fields = ["2@abc/+=", b64(noise), b64(identity), b64(SECRET)] + ([platform] if platform else [])
    assert adv.parse_qr(prefix + ",".join(fields)) == adv.PairingQr(
        "2@abc/+=", noise, identity, SECRET, platform
    )


@pytest.mark.parametrize("text", ["", "ref,AA==,AA==,AA==", "ref,???,,", "a,b,c", "a,b,c,d,e,f"])
def test_a_qr_with_wrong_fields_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        adv.parse_qr(text)


def test_phone_and_companion_accept_each_other() -> None:
    account, companion = KeyPair.generate(), KeyPair.generate()
    sealed = adv.sign_companion(account, companion.public, SECRET, key_index=3, timestamp=1_700_000_000)
    whole = adv.verify_companion(
        companion_answer(account, companion, sealed), companion.public, account.public
    )
    identity = proto.adv.ADVSignedDeviceIdentity.FromString(whole)
    assert identity.accountSignatureKey == account.public
    details = proto.adv.ADVDeviceIdentity.FromString(identity.details)
    assert (details.keyIndex, details.timestamp) == (3, 1_700_000_000)


@pytest.mark.parametrize("field", ["details", "accountSignature", "deviceSignature"])
def test_an_answer_that_was_changed_is_refused(field: str) -> None:
    account, companion = KeyPair.generate(), KeyPair.generate()
    sealed = adv.sign_companion(account, companion.public, SECRET, key_index=1, timestamp=1)
    identity = proto.adv.ADVSignedDeviceIdentity.FromString(companion_answer(account, companion, sealed))
    changed = bytearray(getattr(identity, field))
    changed[-1] ^= 1
    setattr(identity, field, bytes(changed))
    with pytest.raises(BadSignatureError):
        adv.verify_companion(identity.SerializeToString(), companion.public, account.public)


def test_an_answer_of_another_companion_or_for_another_account_is_refused() -> None:
    account, companion, other = KeyPair.generate(), KeyPair.generate(), KeyPair.generate()
    sealed = adv.sign_companion(account, companion.public, SECRET, key_index=1, timestamp=1)
    answer = companion_answer(account, companion, sealed)
    with pytest.raises(BadSignatureError):
        adv.verify_companion(answer, other.public, account.public)
    with pytest.raises(BadSignatureError):
        adv.verify_companion(answer, companion.public, other.public)


def seal_key_bundle(ephemeral: bytes, companion: KeyPair, account: bytes, random: bytes) -> bytes:
    """The companion's last word, given the ephemeral secret."""
    salt, nonce = os.urandom(32), os.urandom(12)
    key = hkdf(ephemeral, salt=salt, info=b"link_code_pairing_key_bundle_encryption_key", length=32)
    return salt + nonce + AESGCM(key).encrypt(nonce, companion.public + account + random, None)


@pytest.mark.parametrize("typed", ["ABCD1234", "abcd-1234", " ABCD - 1234 "])
def test_both_sides_of_a_pairing_code_agree_on_the_secret(typed: str) -> None:
    account, companion, random = KeyPair.generate(), KeyPair.generate(), os.urandom(32)
    theirs, ours = KeyPair.generate(), KeyPair.generate()
    hello = paircode.wrap_ephemeral("ABCD1234", theirs.public)
    code = paircode.parse_code(typed)
    opened = paircode.open_ephemeral(code, hello)
    assert opened == theirs.public
    answer = paircode.wrap_ephemeral(code, ours.public)
    shared = theirs.agree(paircode.open_ephemeral("ABCD1234", answer))
    finish = seal_key_bundle(shared, companion, account.public, random)
    linked = paircode.open_key_bundle(finish, ephemeral=ours, companion_ephemeral=opened, account=account)
    assert linked.identity_key == companion.public
    secret = shared + companion.agree(account.public) + random
    assert linked.adv_secret == hkdf(secret, salt=b"", info=b"adv_secret", length=32)


def test_under_the_wrong_code_the_key_bundle_cannot_be_read() -> None:
    account, companion = KeyPair.generate(), KeyPair.generate()
    theirs, ours = KeyPair.generate(), KeyPair.generate()
    opened = paircode.open_ephemeral("ABCD1235", paircode.wrap_ephemeral("ABCD1234", theirs.public))
    assert opened != theirs.public
    finish = seal_key_bundle(theirs.agree(ours.public), companion, account.public, bytes(32))
    with pytest.raises(UndecryptableError):
        paircode.open_key_bundle(finish, ephemeral=ours, companion_ephemeral=opened, account=account)


def test_a_key_bundle_for_another_account_is_refused() -> None:
    account, companion = KeyPair.generate(), KeyPair.generate()
    theirs, ours = KeyPair.generate(), KeyPair.generate()
    finish = seal_key_bundle(theirs.agree(ours.public), companion, KeyPair.generate().public, bytes(32))
    with pytest.raises(UndecryptableError):
        paircode.open_key_bundle(finish, ephemeral=ours, companion_ephemeral=theirs.public, account=account)


def test_a_wrapped_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(MalformedError):
        paircode.open_ephemeral("ABCD1234", bytes(79))


@pytest.mark.parametrize("typed", ["", "ABCD123", "ABCD12345", "ABCDO123", "ABCD012I", "ÄBCD1234"])
def test_a_code_of_other_characters_is_refused(typed: str) -> None:
    with pytest.raises(MalformedError):
        paircode.parse_code(typed)
