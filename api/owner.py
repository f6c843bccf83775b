"""What who runs a gateway gets at its first start, and keeps: an admin key, and a user to sign in as.

Both are shown once, and stand in the file that the gateway leaves in its data directory for its owner alone.
Either may be given instead.
"""
# ruff: noqa: T201

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from actors.apikeys import ADMIN_SCOPES, digest, mint
from actors.passwords import Passwords, new_password
from api.running import Account
from runtime import Ref
from storage.errors import WriteRefused
from storage.ids import new_id
from storage.reads import Reads
from storage.rows import Role, User
from storage.writes import Insert

ADMIN_KEY = "TERZETTO_ADMIN_KEY"
FIRST_USER = "admin"

T = TypeVar("T")


async def admin_key(reads: Reads, writer: Ref, file: Path) -> str:
    """An admin key for who runs this: from the environment, kept from an earlier start, or made now."""
    given = os.environ.get(ADMIN_KEY)
    kept = given or _kept(file, lambda content: str(content["adminKey"]))
    if kept is not None:
        row = await reads.key_by_hash(digest(kept))
        if row is not None and row.session_id is None and row.revoked_at is None:
            return kept
    if given is not None:
        await writer.call(Insert(mint(name=ADMIN_KEY, session_id=None, scopes=ADMIN_SCOPES, plain=given).row))
        return given
    made = mint(name="first start", session_id=None, scopes=ADMIN_SCOPES)
    await writer.call(Insert(made.row))
    print(f"terzetto: the admin key, shown this once: {made.plain}", flush=True)
    return made.plain


async def admin_account(
    reads: Reads, writer: Ref, passwords: Passwords, file: Path, *, given: str | None
) -> Account | None:
    """The first user, made now when there is none; None once nobody knows the password here any more.

    The password is what is given, or a random one; a later start changes nothing about it.
    """
    if not await reads.users():
        account = Account(FIRST_USER, given or new_password())
        row = User(
            id=new_id("usr"),
            name=account.name,
            password=await passwords.hashed(account.password),
            role=Role.ADMIN,
        )
        try:
            await writer.call(Insert(row))
        except WriteRefused as refused:  # another node on this database was a moment faster
            if refused.reason != "duplicate":
                raise
            return None
        if not given:
            print(
                f"terzetto: the password of {account.name}, shown this once: {account.password}", flush=True
            )
        return account
    kept = _kept(file, lambda content: Account(content["user"]["name"], content["user"]["password"]))
    if kept is not None:
        user = await reads.user_by_name(kept.name)
        stored = None if user is None or user.disabled_at is not None else user.password
        if await passwords.fit(kept.password, stored):
            return kept
    return None


def _kept(file: Path, read: Callable[[Any], T]) -> T | None:
    """Something of what an earlier start has left in the file."""
    try:
        return read(json.loads(file.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
