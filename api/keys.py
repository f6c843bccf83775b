"""API keys: made, listed, revoked, rotated. A key is shown once, when it is made; its SHA-256 is stored."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
from attrs import frozen
from quart import Blueprint

from actors.apikeys import MintedKey, mint
from actors.directory import SESSION_SCOPES
from actors.errors import SessionNotFound
from api.access import caller
from api.audit import recorded
from api.caller import GATEWAY_SCOPES, CallerKind, Scope
from api.checks import MismatchError
from api.constraints import sized
from api.converter import camel
from api.fields import NO_GRACE, Name, Network, Seconds, SessionId
from api.operation import Answer, At, Where, operation
from api.refusals import FieldError, NotFound, ValidationFailed
from api.services import services
from storage.rows import Json, Key, now
from storage.writes import Insert, Update

routes = Blueprint("keys", __name__)

_NOT_A_SESSIONS = "a session's key cannot have the scopes admin and operate"


@frozen(kw_only=True)
class NewKey:
    name: Name
    session_id: SessionId | None = None
    """Whose key it is; absent: a key of no session, which may name any."""
    scopes: tuple[Scope, ...] | None = None
    """Absent: all that a key of its kind may have."""
    allowed_ips: tuple[Network, ...] = ()
    """Addresses and networks that it may be used from; none: any."""
    expires_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        if self.scopes is not None and not self.scopes:
            raise MismatchError("expected at least one scope", path="scopes")
        if self.session_id is not None and not GATEWAY_SCOPES.isdisjoint(self.scopes or ()):
            raise MismatchError(_NOT_A_SESSIONS, path="scopes")
        if self.expires_at is not None and self.expires_at <= now():
            raise MismatchError("lies in the past", path="expiresAt")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        own = {"items": {"enum": [str(each) for each in Scope if each not in GATEWAY_SCOPES]}}
        yield sized("scopes", 1)
        yield {"anyOf": [{"properties": {"sessionId": {"type": "null"}}}, {"properties": {"scopes": own}}]}


@frozen
class _Listing:
    session_id: SessionId | None = None


@frozen
class KeyRotation:
    grace_seconds: Seconds = NO_GRACE
    """For how long the old key is still good."""


@frozen(kw_only=True)
class ApiKeyView:
    """What may be told of a key: never the key itself."""

    id: str
    session_id: str | None
    name: str
    prefix: str
    """The visible beginning, to tell keys apart."""
    scopes: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    """May lie ahead: a rotated key lives on for its grace time."""
    created_at: datetime
    last_used_at: datetime | None
    """Exact to a minute."""


@frozen(kw_only=True)
class ApiKeysView:
    keys: list[ApiKeyView]


@frozen(kw_only=True)
class ApiKeyMadeView:
    key: ApiKeyView
    api_key: str
    """Shown only now."""


@operation(
    routes,
    "POST",
    "/keys",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    body=NewKey,
    answers={201: ApiKeyMadeView},
    errors=(SessionNotFound,),
)
async def create(body: NewKey) -> Answer:
    """A new key: of a session, or of none, which may name any."""
    if body.session_id is not None and await services().reads.session(body.session_id) is None:
        raise SessionNotFound(session_id=body.session_id)
    scopes = body.scopes or (SESSION_SCOPES if body.session_id is not None else (Scope.ADMIN,))
    minted = mint(name=body.name, session_id=body.session_id, scopes=tuple(map(str, scopes)))
    row = attrs.evolve(minted.row, allowed_ips=body.allowed_ips, expires_at=body.expires_at)
    async with recorded("key.create", row.id, sessionId=row.session_id, scopes=list(row.scopes)):
        await services().writer.call(Insert(row))
    return _shown_once(MintedKey(row, minted.plain))


@operation(
    routes, "GET", "/keys", at=At.GATEWAY, scope=Scope.ADMIN, query=_Listing, answers={200: ApiKeysView}
)
async def listing(query: _Listing) -> ApiKeysView:
    """All keys, or one session's, oldest first."""
    keys = await services().reads.keys(session_id=query.session_id)
    return ApiKeysView(keys=[_view(key) for key in keys])


@frozen(kw_only=True)
class KeyChanges:
    name: Name | None = None
    scopes: tuple[Scope, ...] | None = None
    allowed_ips: tuple[Network, ...] | None = None
    expires_at: datetime | None = None


@operation(
    routes,
    "PATCH",
    "/keys/<key_id>",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    body=KeyChanges,
    patch=True,
    answers={200: ApiKeyView},
    errors=(NotFound,),
)
async def change(key_id: str, body: dict[str, Any]) -> ApiKeyView:
    """Change what is named; null sets back to the default."""
    key = await _stored(key_id)
    scopes = body.get("scopes") or (SESSION_SCOPES if key.session_id is not None else (Scope.ADMIN,))
    if key.session_id is not None and not GATEWAY_SCOPES.isdisjoint(scopes):
        raise ValidationFailed((FieldError("scopes", _NOT_A_SESSIONS),))
    defaults = {"name": key.name, "scopes": tuple(map(str, scopes)), "allowed_ips": (), "expires_at": None}
    changes = {name: defaults[name] if new is None else new for name, new in body.items()}
    if "scopes" in changes:
        changes["scopes"] = defaults["scopes"]
    if not changes:
        return _view(key)
    async with recorded("key.update", key.id, fields=sorted(map(camel, changes))):
        await services().writer.call(Update(Key, key.id, changes))
    return _view(await _stored(key_id))


@operation(
    routes,
    "DELETE",
    "/keys/<key_id>",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    answers={204: None},
    errors=(NotFound,),
)
async def revoke(key_id: str) -> None:
    """From now on this key is refused. It stays listed."""
    key = await _stored(key_id)
    async with recorded("key.revoke", key.id):
        await _retire(key, grace=0)


@operation(
    routes,
    "POST",
    "/keys/<key_id>/rotate",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    body=KeyRotation,
    answers={201: ApiKeyMadeView},
    errors=(NotFound,),
)
async def rotate(key_id: str, body: KeyRotation) -> Answer:
    """A new key like this one, which is refused after `graceSeconds`."""
    return await _rotated(await _stored(key_id), body)


@operation(
    routes,
    "POST",
    "/keys/rotate",
    at=At.ON_SESSION,
    where=Where.ANY,
    scope=Scope.SETTINGS,
    body=KeyRotation,
    answers={201: ApiKeyMadeView},
    errors=(NotFound,),
)
async def rotate_own(session_id: str, body: KeyRotation) -> Answer:
    """Rotate a session's key: the calling one, or for an admin the oldest that is still good."""
    who = caller()
    if who.kind is CallerKind.KEY and who.sessions is not None:
        return await _rotated(await _stored(who.id), body)
    for key in await services().reads.keys(session_id=session_id):
        if key.revoked_at is None:
            return await _rotated(key, body)
    if await services().reads.session(session_id) is None:
        raise SessionNotFound(session_id=session_id)
    raise NotFound("key", session_id)


async def _rotated(old: Key, rotation: KeyRotation) -> Answer:
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


def _shown_once(minted: MintedKey) -> Answer:
    made = ApiKeyMadeView(key=_view(minted.row), api_key=minted.plain)
    return Answer(made, 201, {"cache-control": "no-store"})


def _view(key: Key) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        session_id=key.session_id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        allowed_ips=key.allowed_ips,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
    )
