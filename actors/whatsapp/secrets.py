"""What is sealed with another message's secret: votes, answers to events, edits and reactions of some groups.

A poll carries 32 random bytes. Whoever has the poll can make from them, from its id and from the addresses of
its author and of the one who writes, the key of what is written about it.
"""

import os
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from itertools import product

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["SECRET", "Use", "open_sealed", "option_hash", "seal"]

SECRET = 32
"""Bytes of a message's secret."""

_NONCE = 12


class Use(StrEnum):
    """For what a key is made; WhatsApp's own words, which go into the key."""

    POLL_VOTE = "Poll Vote"
    EVENT_RESPONSE = "Event Response"
    REACTION = "Enc Reaction"
    COMMENT = "Enc Comment"
    EVENT_EDIT = "Event Edit"
    MESSAGE_EDIT = "Message Edit"
    POLL_EDIT = "Poll Edit"


_BOUND_TO_SENDER = frozenset({Use.POLL_VOTE, Use.EVENT_RESPONSE})


@frozen
class Sealed:
    """The ciphertext and its nonce."""

    payload: bytes
    iv: bytes


def seal(plain: bytes, secret: bytes, use: Use, *, message_id: str, author: str, sender: str) -> Sealed:
    """Seal what `sender` has to say about a message of `author`'s; both are JIDs without a device."""
    iv = os.urandom(_NONCE)
    cipher = AESGCM(_key(secret, use, message_id, author, sender))
    return Sealed(cipher.encrypt(iv, plain, _bound(use, message_id, sender)), iv)


def open_sealed(
    sealed: Sealed,
    secret: bytes,
    use: Use,
    *,
    message_id: str,
    authors: Iterable[str],
    senders: Iterable[str],
) -> bytes | None:
    """What was sealed, by whichever of their addresses was used for it; None when none of them opens it."""
    for author, sender in product(tuple(authors), tuple(senders)):
        cipher = AESGCM(_key(secret, use, message_id, author, sender))
        try:
            return cipher.decrypt(sealed.iv, sealed.payload, _bound(use, message_id, sender))
        except (InvalidTag, ValueError):  # ValueError: a nonce that is none
            continue
    return None


def option_hash(option: str | bytes) -> bytes:
    """How a vote names an option of its poll; bytes are one that a stranger wrote in no known encoding."""
    return sha256(option if isinstance(option, bytes) else option.encode()).digest()


def _key(secret: bytes, use: Use, message_id: str, author: str, sender: str) -> bytes:
    info = f"{message_id}{author}{sender}{use}".encode()
    return HKDF(SHA256(), 32, salt=None, info=info).derive(secret)


def _bound(use: Use, message_id: str, sender: str) -> bytes | None:
    return f"{message_id}\0{sender}".encode() if use in _BOUND_TO_SENDER else None
