"""Votes in polls, which only those can read who have the poll itself and with it its secret."""

import hashlib
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loopback import proto
from loopback.signal.cipher import hkdf
from loopback.signal.errors import UndecryptableError

SECRET_SIZE = 32
_USE = b"Poll Vote"


def option_hash(option: str) -> bytes:
    """By which a vote names an option."""
    return hashlib.sha256(option.encode()).digest()


def seal(secret: bytes, poll: str, author: str, voter: str, options: Iterable[str]) -> tuple[bytes, bytes]:
    """The encrypted vote of one person for these options, and its initialisation vector.

    `poll` is the message's id, `author` and `voter` are addresses without a device.
    """
    vote = proto.e2e.PollVoteMessage(selectedOptions=[option_hash(option) for option in options])
    iv = os.urandom(12)
    key = _key(secret, poll, author, voter)
    return AESGCM(key).encrypt(iv, vote.SerializeToString(), _about(poll, voter)), iv


def unseal(secret: bytes, poll: str, author: str, voter: str, payload: bytes, iv: bytes) -> list[bytes]:
    """The hashes of the options voted for.

    Raises UndecryptableError.
    """
    try:
        vote = AESGCM(_key(secret, poll, author, voter)).decrypt(iv, payload, _about(poll, voter))
    except (InvalidTag, ValueError):
        raise UndecryptableError("the vote is not for this poll by this person") from None
    return list(proto.e2e.PollVoteMessage.FromString(vote).selectedOptions)


def _key(secret: bytes, poll: str, author: str, voter: str) -> bytes:
    return hkdf(secret, salt=b"", info=f"{poll}{author}{voter}".encode() + _USE, length=32)


def _about(poll: str, voter: str) -> bytes:
    return f"{poll}\0{voter}".encode()
