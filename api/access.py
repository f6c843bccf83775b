"""From what comes in to who calls and the session they may act on.

A request shows an API key in x-api-key, or else the cookie that signing in left in a browser. Either is
looked up by its SHA-256, so how long that takes tells nothing about it.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import trio
from quart import Request, Websocket, has_websocket_context, request, websocket

from actors.apikeys import digest
from api.caller import Caller, CallerKind, Scope, acting_across, acting_on, check_key, check_sign_in
from api.origin import check_own_page
from api.refusals import KeyMissing
from api.services import services
from api.trace import trace
from runtime import MailboxFull
from storage.rows import Key, SignIn, now
from storage.writes import Update

COOKIE = "terzetto"

USED_RESOLUTION = timedelta(minutes=1)
"""How exact it is known when a key or a sign-in was last used: it costs a write."""

USED_PATIENCE = 0.05
"""Seconds for the writer to take that."""


async def key_for(plain: str | None, scope: Scope | None, address: str | None) -> Key:
    """The key that a client sent, with which it is admitted. Raises KeyMissing and what check_key raises."""
    if not plain:
        raise KeyMissing
    found = await services().reads.key_by_hash(digest(plain))
    notes = trace()
    if found is not None:
        notes.kind, notes.label = CallerKind.KEY, found.prefix
    at = now()
    notes.caller = check_key(found, scope=scope, address=address, at=at)
    assert found is not None
    if found.last_used_at is None or at - found.last_used_at > USED_RESOLUTION:
        await _note(Update(Key, found.id, {"last_used_at": at}))
    return found


async def admit(scope: Scope | None) -> Caller:
    """Who sent this, when they may do what needs `scope`; with None, whoever it is.

    With both a key and a cookie the key counts. Raises KeyMissing, CsrfDenied, what check_key and what
    check_sign_in raise.
    """
    incoming = _incoming()
    plain, cookie = incoming.headers.get("x-api-key"), incoming.cookies.get(COOKIE)
    if plain or cookie is None:
        await key_for(plain, scope, client_address())
        return caller()
    check_own_page()
    found = await services().reads.sign_in(digest(cookie))
    notes = trace()
    if found is not None:
        notes.kind, notes.label = CallerKind.USER, found[1].name
    at = now()
    notes.caller = check_sign_in(found, scope=scope, at=at)
    await _note_seen(notes.caller, at)
    return notes.caller


async def admit_again(known: Caller, scope: Scope) -> Caller:
    """Who was admitted some time ago, as they are now. Raises what check_key or check_sign_in raises."""
    at = now()
    if known.sign_in is None:
        key = await services().reads.key(known.id)
        return check_key(key, scope=scope, address=client_address(), at=at)
    again = check_sign_in(await services().reads.sign_in(known.sign_in.hash), scope=scope, at=at)
    await _note_seen(again, at)
    return again


async def admit_to_session(scope: Scope, session_id: str | None) -> str:
    """The session of this request, when its caller may do this there; `session_id` is what the path says."""
    return acting_on(await admit(scope), session_id, request.headers.get("x-session-id"))


async def admit_across_sessions(scope: Scope, session_id: str | None) -> frozenset[str] | None:
    """The same, or all of the caller's sessions when none is named; None: all there are."""
    return acting_across(await admit(scope), session_id, request.headers.get("x-session-id"))


def caller() -> Caller:
    """Who was admitted to what is being handled."""
    admitted = trace().caller
    assert admitted is not None
    return admitted


def shows_who() -> bool:
    """Whether what came in says at all who sent it."""
    incoming = _incoming()
    return "x-api-key" in incoming.headers or COOKIE in incoming.cookies


def client_address() -> str | None:
    """The address at the other end of the connection; no header can change it, but another node's."""
    return trace().address


def _incoming() -> Request | Websocket:
    found: Any = websocket if has_websocket_context() else request
    return found  # type: ignore[no-any-return]


async def _note_seen(who: Caller, at: datetime) -> None:
    if who.sign_in is not None and at - who.sign_in.last_seen_at > USED_RESOLUTION:
        await _note(Update(SignIn, who.sign_in.id, {"last_seen_at": at}))


async def _note(use: Update) -> None:
    # Not worth waiting for: a writer that has no room must not keep out who comes to see why.
    with trio.move_on_after(USED_PATIENCE), suppress(MailboxFull):
        await services().writer.cast(use)
