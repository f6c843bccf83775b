"""Who may do what: from the x-api-key of a request to the session it may act on.

A key is looked up by its SHA-256, so how long that takes tells nothing about it. A session's key acts on its
session alone; a key of no session names one by the path or by x-session-id.
"""

import ipaddress
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import trio
from quart import has_websocket_context, request, websocket

from actors.apikeys import digest
from actors.errors import SessionNotFound
from api.checks import is_session_id
from api.refusals import (
    AddressDenied,
    FieldError,
    KeyExpired,
    KeyInvalid,
    KeyMissing,
    KeyRevoked,
    ScopeDenied,
    ValidationFailed,
)
from api.services import services
from api.trace import trace
from runtime import MailboxFull
from storage.rows import Key, now
from storage.writes import Update

USED_RESOLUTION = timedelta(minutes=1)
"""How exact a key's `lastUsedAt` is: it costs a write."""

USED_PATIENCE = 0.05
"""Seconds for the writer to take that."""


class Scope(StrEnum):
    """What a key allows."""

    READ = "read"
    SEND = "send"
    CONTROL = "control"  # start, stop, pair, log out
    SETTINGS = "settings"
    MEDIA = "media"
    DELETE = "delete"
    ADMIN = "admin"  # everything, on every session


def check_key(key: Key | None, *, scope: Scope | None, address: str | None, at: datetime) -> Key:
    """The key, when it allows this from there and then.

    Raises KeyInvalid, KeyRevoked, KeyExpired, AddressDenied, ScopeDenied: in this order, so that a dead key
    tells nothing of what it once allowed.
    """
    if key is None:
        raise KeyInvalid
    if key.revoked_at is not None and key.revoked_at <= at:
        raise KeyRevoked
    if key.expires_at is not None and key.expires_at <= at:
        raise KeyExpired
    if key.allowed_ips and not _is_within(address, key.allowed_ips):
        raise AddressDenied
    if scope is not None and scope not in key.scopes and Scope.ADMIN not in key.scopes:
        raise ScopeDenied(f"This needs the scope {scope}.")
    if scope is Scope.ADMIN and key.session_id is not None:
        raise ScopeDenied("A session's key does not administer the gateway.")
    return key


def _is_within(address: str | None, networks: tuple[str, ...]) -> bool:
    if address is None:
        return False
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(network) for network in networks)


def acting_on(key: Key, *named: str | None) -> str:
    """The session that a request with this key is about; `named` is what the path and the header say, if so.

    Raises ScopeDenied for another session than the key's, ValidationFailed when none or two are named, and
    SessionNotFound for what cannot be a session's id.
    """
    names = {name for name in named if name is not None}
    if key.session_id is not None:
        if names - {key.session_id}:
            raise ScopeDenied("This key belongs to another session.")
        return key.session_id
    if len(names) != 1:
        problem = "names another session than the path" if names else "is required with a key of no session"
        raise ValidationFailed((FieldError("x-session-id", problem),))
    (name,) = names
    if not is_session_id(name):
        raise SessionNotFound(session_id=name[:64])
    return name


async def key_for(plain: str | None, scope: Scope | None, address: str | None) -> Key:
    """The key behind what a client sent. Raises KeyMissing and what check_key raises."""
    if not plain:
        raise KeyMissing
    found = await services().reads.key_by_hash(digest(plain))
    if found is not None:
        trace().key_prefix = found.prefix
    at = now()
    key = check_key(found, scope=scope, address=address, at=at)
    trace().key = key
    if key.last_used_at is None or at - key.last_used_at > USED_RESOLUTION:
        # Not worth waiting for: a writer that has no room must not keep out who comes to see why.
        with trio.move_on_after(USED_PATIENCE), suppress(MailboxFull):
            await services().writer.cast(Update(Key, key.id, {"last_used_at": at}))
    return key


async def admit(scope: Scope | None) -> Key:
    """The key of this request, when it allows `scope`; with None, any good key."""
    return await key_for(request.headers.get("x-api-key"), scope, client_address())


async def admit_to_session(scope: Scope, session_id: str | None) -> str:
    """The session of this request, when its key allows `scope` there; `session_id` is what the path says."""
    key = await admit(scope)
    return acting_on(key, session_id, request.headers.get("x-session-id"))


async def admit_across_sessions(scope: Scope, session_id: str | None) -> str | None:
    """The same; None, for all sessions, when a key of no session names none."""
    key = await admit(scope)
    named = request.headers.get("x-session-id")
    if key.session_id is None and session_id is None and named is None:
        return None
    return acting_on(key, session_id, named)


def client_address() -> str | None:
    """The address at the other end of the connection; no header can change it."""
    scope: Any = websocket.scope if has_websocket_context() else request.scope
    client = scope.get("client")
    return None if client is None else str(client[0])
