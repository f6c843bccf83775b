"""Passwords of users: kept as argon2id hashes, made and compared in threads, a few at once.

A hash takes 64 MiB for a tenth of a second on purpose: who has stolen one gets few guesses at it. What comes
in parallel waits; how much waits is for the caller to bound.
"""

import base64
import os
import secrets
import unicodedata

import trio
from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY
from attrs import define, field

LEAST, MOST = 10, 256
"""Characters of a password."""

AT_ONCE = 2
"""Hashes in the making: they keep memory and several lanes of a processor busy."""


def new_password() -> str:
    """A random password of 120 bits."""
    return secrets.token_urlsafe(15)


@define(eq=False)
class Passwords:
    """Hashes and compares passwords.

    The cost is RFC 9106's (section 4) second recommended option: argon2id, 3 passes, 4 lanes, 64 MiB.
    """

    cost: Parameters = RFC_9106_LOW_MEMORY
    _threads: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(AT_ONCE), init=False)

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return self._threads.statistics().tasks_waiting

    async def hashed(self, plain: str) -> str:
        """What is stored of a password."""
        return await trio.to_thread.run_sync(self._hasher.hash, _spelled(plain), limiter=self._threads)

    async def fit(self, plain: str, stored: str | None) -> bool:
        """Whether it is the password of this hash. With None, nobody's, it is not, and takes as long."""
        return await trio.to_thread.run_sync(
            self._fit, stored or self._nobodys(), _spelled(plain), limiter=self._threads
        )

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made at another cost."""
        return self._hasher.check_needs_rehash(stored)

    @property
    def _hasher(self) -> PasswordHasher:
        return PasswordHasher.from_parameters(self.cost)

    def _fit(self, stored: str, plain: str) -> bool:
        try:
            return self._hasher.verify(stored, plain)
        except (VerifyMismatchError, InvalidHashError):
            return False

    def _nobodys(self) -> str:
        """A hash of nothing, which costs as much to compare with as any other."""
        cost = self.cost
        paid = f"m={cost.memory_cost},t={cost.time_cost},p={cost.parallelism}"
        return f"$argon2id$v={cost.version}${paid}${_random(cost.salt_len)}${_random(cost.hash_len)}"


def _random(size: int) -> str:
    return base64.b64encode(os.urandom(size)).decode().rstrip("=")


def _spelled(plain: str) -> str:
    """One spelling of the same characters: keyboards differ in how they put an accent on a letter."""
    return unicodedata.normalize("NFKC", plain)
