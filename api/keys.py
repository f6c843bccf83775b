"""API keys: made, listed, revoked, rotated. A key is shown once, when it is made; its SHA-256 is stored."""

from datetime import datetime, timedelta

import attrs
from attrs import frozen
from quart import Blueprint, Response, request

from actors.apikeys import MintedKey, mint
from actors.directory import SESSION_SCOPES
from actors.errors import SessionNotFound
from api.access import Scope, acting_on, admit
from api.answers import answer, no_content
from api.audit import recorded
from api.bodies import body_as, query_as
from api.fields import NO_GRACE, MismatchError, Name, Network, Seconds, SessionId
from api.refusals import NotFound
from api.routing import on_session
from api.services import services
from storage.rows import Json, Key, now
from storage.writes import Insert, Update

routes = Blueprint("keys", __name__)


@frozen(kw_only=True)
class _NewKey:
    name: Name
    session_id: SessionId | None = None
    scopes: tuple[Scope, ...] | None = None
    allowed_ips: tuple[Network, ...] = ()
    expires_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        if self.scopes is not None and not self.scopes:
            raise MismatchError("expected at least one scope", path="scopes")
        if self.session_id is not None and Scope.ADMIN in (self.scopes or ()):
            raise MismatchError("a session's key cannot have the scope admin", path="scopes")
        if self.expires_at is not None and self.expires_at <= now():
            raise MismatchError("lies in the past", path="expiresAt")


@frozen
class _Listing:
    session_id: SessionId | None = None


@frozen
class _Rotation:
    grace_seconds: Seconds = NO_GRACE


@routes.post("/api/keys")
async def create() -> Response:
    """A new key: of a session, or of none, which may name any."""
    await admit(Scope.ADMIN)
    new = await body_as(_NewKey)
    if new.session_id is not None and await services().reads.session(new.session_id) is None:
        raise SessionNotFound(session_id=new.session_id)
    scopes = new.scopes or (SESSION_SCOPES if new.session_id is not None else (Scope.ADMIN,))
    minted = mint(name=new.name, session_id=new.session_id, scopes=tuple(map(str, scopes)))
    row = attrs.evolve(minted.row, allowed_ips=new.allowed_ips, expires_at=new.expires_at)
    async with recorded("key.create", row.id, sessionId=row.session_id, scopes=list(row.scopes)):
        await services().writer.call(Insert(row))
    return _shown_once(MintedKey(row, minted.plain))


@routes.get("/api/keys")
async def listing() -> Response:
    """All keys, or one session's, oldest first."""
    await admit(Scope.ADMIN)
    keys = await services().reads.keys(session_id=query_as(_Listing).session_id)
    return answer({"keys": [key_view(key) for key in keys]})


@routes.delete("/api/keys/<key_id>")
async def revoke(key_id: str) -> Response:
    """From now on this key is refused. It stays listed."""
    await admit(Scope.ADMIN)
    key = await _stored(key_id)
    async with recorded("key.revoke", key.id):
        await _retire(key, grace=0)
    return no_content()


@routes.post("/api/keys/<key_id>/rotate")
async def rotate(key_id: str) -> Response:
    """A new key like this one, which is refused after `graceSeconds`."""
    await admit(Scope.ADMIN)
    return await _rotated(await _stored(key_id), await body_as(_Rotation))


@on_session(routes, "POST", "/keys/rotate")
async def rotate_own(session_id: str | None = None) -> Response:
    """Rotate a session's key: the calling one, or for an admin the oldest that is still good."""
    caller = await admit(Scope.SETTINGS)
    session_id = acting_on(caller, session_id, request.headers.get("x-session-id"))
    rotation = await body_as(_Rotation)
    if caller.session_id is not None:
        return await _rotated(caller, rotation)
    for key in await services().reads.keys(session_id=session_id):
        if key.revoked_at is None:
            return await _rotated(key, rotation)
    if await services().reads.session(session_id) is None:
        raise SessionNotFound(session_id=session_id)
    raise NotFound("key", session_id)


async def _rotated(old: Key, rotation: _Rotation) -> Response:
    minted = mint(name=old.name, session_id=old.session_id, scopes=old.scopes)
    row = attrs.evolve(minted.row, allowed_ips=old.allowed_ips, expires_at=old.expires_at)
    async with recorded("key.rotate", old.id, newKeyId=row.id, graceSeconds=rotation.grace_seconds):
        # First the new one: if the second write fails there are two good keys, not none.
        await services().writer.call(Insert(row))
        await _retire(old, grace=rotation.grace_seconds)
    return _shown_once(MintedKey(row, minted.plain))


async def _retire(key: Key, *, grace: int) -> None:
    end = now() + timedelta(seconds=grace)
    if key.revoked_at is None or key.revoked_at > end:
        await services().writer.call(Update(Key, key.id, {"revoked_at": end}))


async def _stored(key_id: str) -> Key:
    key = await services().reads.key(key_id)
    if key is None:
        raise NotFound("key", key_id)
    return key


def _shown_once(minted: MintedKey) -> Response:
    return answer({"key": key_view(minted.row), "apiKey": minted.plain}, 201, {"cache-control": "no-store"})


def key_view(key: Key) -> Json:
    """What may be told of a key."""
    return {
        "id": key.id,
        "sessionId": key.session_id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "allowedIps": key.allowed_ips,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
    }
