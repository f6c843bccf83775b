"""API keys: made from 256 random bits, shown once, kept as their SHA-256."""

import hashlib
import secrets

from attrs import field, frozen

from storage.ids import new_id
from storage.rows import Key

ADMIN_SCOPES = ("admin",)  # all of them, on every session
_PREFIX_LENGTH = 11  # "tz_" and eight characters: enough to tell keys apart, nothing to guess the rest from


@frozen
class MintedKey:
    """A new key's row, and the key itself, which exists nowhere else."""

    row: Key
    plain: str = field(repr=False)


def mint(
    *, name: str, session_id: str | None, scopes: tuple[str, ...], plain: str | None = None
) -> MintedKey:
    """A new key for a session, or an admin key with `session_id` None; `plain` when the user brought one."""
    plain = plain or f"tz_{secrets.token_urlsafe(32)}"
    row = Key(
        id=new_id("key"),
        session_id=session_id,
        name=name,
        prefix=plain[:_PREFIX_LENGTH],
        hash=digest(plain),
        scopes=scopes,
    )
    return MintedKey(row, plain)


def digest(plain: str) -> bytes:
    """What is stored of a key: its SHA-256. A random key of 256 bits needs no salt and no slow hash."""
    return hashlib.sha256(plain.encode()).digest()
