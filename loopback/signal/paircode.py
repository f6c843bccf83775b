"""Linking by a code of eight characters that the companion shows and the owner types into the phone.

Both sides hide an ephemeral public key under the code; what they agree on carries the companion's identity
and a random value, from which comes the secret that a QR code would have told (`adv.PairingQr.adv_secret`).
"""

import hashlib
import os
import re

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from loopback.signal.cipher import hkdf
from loopback.signal.errors import MalformedError, UndecryptableError
from loopback.signal.keys import KEY_SIZE, KeyPair

_CODE = re.compile(r"[1-9A-HJ-NP-TV-Z]{8}")
_ROUNDS = 131_072
_SALT = 32
_IV = 16
_NONCE = 12
_TAG = 16
_BUNDLE_INFO = b"link_code_pairing_key_bundle_encryption_key"


@attrs.frozen
class LinkedCompanion:
    """What the phone knows of a companion in the end."""

    identity_key: bytes
    adv_secret: bytes = attrs.field(repr=False)


def parse_code(typed: str) -> str:
    """The eight characters of a code typed with or without a dash, spaces and capitals.

    Raises MalformedError.
    """
    code = re.sub(r"[\s-]", "", typed).upper()
    if not _CODE.fullmatch(code):
        raise MalformedError("a pairing code has 8 letters and digits, without 0, I, O and U")
    return code


def wrap_ephemeral(code: str, public: bytes) -> bytes:
    """Hide an ephemeral public key under a code (from `parse_code`): 80 bytes, salt, vector and key.

    Takes tens of milliseconds on purpose.
    """
    salt, iv = os.urandom(_SALT), os.urandom(_IV)
    return salt + iv + _ctr(code, salt, iv, public)


def open_ephemeral(code: str, wrapped: bytes) -> bytes:
    """The key that `wrap_ephemeral` has hidden; under another code it is another key, which nothing tells.

    Takes tens of milliseconds on purpose. Raises MalformedError when it is not 80 bytes.
    """
    if len(wrapped) != _SALT + _IV + KEY_SIZE:
        raise MalformedError(f"a wrapped key has 80 bytes, not {len(wrapped)}")
    return _ctr(code, wrapped[:_SALT], wrapped[_SALT : _SALT + _IV], wrapped[_SALT + _IV :])


def _ctr(code: str, salt: bytes, iv: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _ROUNDS, 32)
    stream = Cipher(AES(key), CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def open_key_bundle(
    wrapped: bytes, *, ephemeral: KeyPair, companion_ephemeral: bytes, account: KeyPair
) -> LinkedCompanion:
    """Read the companion's last word (`link_code_pairing_wrapped_key_bundle`).

    Raises MalformedError by length or for an unusable key, UndecryptableError when the two sides do not have
    the same ephemeral keys (one of them had the wrong code) or the bundle is for another account.
    """
    if len(wrapped) != _SALT + _NONCE + 3 * 32 + _TAG:
        raise MalformedError(f"a wrapped key bundle has 156 bytes, not {len(wrapped)}")
    salt, nonce, sealed = wrapped[:_SALT], wrapped[_SALT : _SALT + _NONCE], wrapped[_SALT + _NONCE :]
    agreed = ephemeral.agree(companion_ephemeral)
    try:
        bundle = AESGCM(hkdf(agreed, salt=salt, info=_BUNDLE_INFO, length=32)).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise UndecryptableError("the key bundle was sealed under another code") from None
    companion_identity, account_identity, random = bundle[:32], bundle[32:64], bundle[64:]
    if account_identity != account.public:
        raise UndecryptableError("the key bundle is for another account")
    secret = agreed + account.agree(companion_identity) + random
    return LinkedCompanion(companion_identity, hkdf(secret, salt=b"", info=b"adv_secret", length=32))
