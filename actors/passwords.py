"""Passwords of users: kept as argon2id hashes, made and compared in threads, a few at once.

A hash takes 64 MiB for a twentieth of a second on purpose: who has stolen one gets few guesses at it. What
comes in parallel waits; how much waits is for the caller to bound.
"""

import base64
import os
import secrets
import unicodedata

import argon2
import trio
from argon2.profiles import RFC_9106_LOW_MEMORY
from attrs import define, field

LEAST, MOST = 10, 256
"""Characters of a password."""

AT_ONCE = 2
"""Hashes in the making: they keep memory and all lanes of a processor busy."""

_HASHER = argon2.PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
"""RFC 9106, section 4, the second recommended option: argon2id, 3 passes, 4 lanes, 64 MiB."""


def new_password() -> str:
    """A random password of 120 bits."""
    return secrets.token_urlsafe(15)


@define(eq=False)
class Passwords:
    """Hashes and compares passwords."""

    _threads: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(AT_ONCE), init=False)

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return self._threads.statistics().tasks_waiting

    async def hashed(self, plain: str) -> str:
        """What is stored of a password."""
        return await trio.to_thread.run_sync(_HASHER.hash, _spelled(plain), limiter=self._threads)

    async def fit(self, plain: str, stored: str | None) -> bool:
        """Whether it is the password of this hash. With None, nobody's, it is not, and takes as long."""
        return await trio.to_thread.run_sync(_fit, _spelled(plain), stored, limiter=self._threads)


def outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)


def _fit(plain: str, stored: str | None) -> bool:
    try:
        return _HASHER.verify(stored or _nobodys(), plain)
    except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError):
        return False


def _nobodys() -> str:
    """A hash of nothing, which costs as much to compare with as any other."""
    profile = RFC_9106_LOW_MEMORY
    cost = f"m={profile.memory_cost},t={profile.time_cost},p={profile.parallelism}"
    salt, hashed = (_encoded(os.urandom(size)) for size in (profile.salt_len, profile.hash_len))
    return f"$argon2id$v={profile.version}${cost}${salt}${hashed}"


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _spelled(plain: str) -> str:
    """One spelling of the same characters: keyboards differ in how they put an accent on a letter."""
    return unicodedata.normalize("NFKC", plain)
