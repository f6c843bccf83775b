"""The symmetric primitives of Signal and WhatsApp: HKDF-SHA256, HMAC-SHA256, AES-256-CBC with PKCS#7."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from loopback.signal.errors import UndecryptableError

_BLOCK = 16


def hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869); an empty salt means 32 zero bytes."""
    return HKDF(SHA256(), length, salt or None, info).derive(secret)


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, all 32 bytes."""
    return hmac.digest(key, data, hashlib.sha256)


def same(left: bytes, right: bytes) -> bool:
    """Compare two codes in constant time."""
    return hmac.compare_digest(left, right)


def cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padder = PKCS7(_BLOCK * 8).padder()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Raises UndecryptableError when the ciphertext is not whole blocks ending in PKCS#7 padding."""
    if not ciphertext or len(ciphertext) % _BLOCK:
        raise UndecryptableError("the ciphertext is not a whole number of blocks")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise UndecryptableError("the decrypted blocks do not end in padding") from None
