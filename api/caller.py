"""Who calls: an API key or a user who signed in, and what they may.

A key says its scopes itself, a user's come with the role. Some scopes imply others; what a route asks for is
always one.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from actors.errors import SessionNotFound
from api.checks import is_session_id
from api.refusals import (
    AddressDenied,
    FieldError,
    KeyExpired,
    KeyInvalid,
    KeyRevoked,
    ScopeDenied,
    SignInExpired,
    ValidationFailed,
)
from storage.rows import Key, Role, SignIn, User

UNUSED = timedelta(days=7)
"""So long a sign-in is good without being used."""


class Scope(StrEnum):
    """What a key allows."""

    STATUS = "status"  # what sessions are, and are called: no message, no chat
    READ = "read"
    SEND = "send"
    CONTROL = "control"  # start, stop, pair, log out
    SETTINGS = "settings"
    FILES = "files"  # look at stored files
    MEDIA = "media"  # and store and delete them
    DELETE = "delete"
    OPERATE = "operate"  # the supervision tree and the audit record; every session's life
    ADMIN = "admin"  # everything, on every session


GATEWAY_SCOPES = frozenset({Scope.OPERATE, Scope.ADMIN})
"""What concerns the gateway as a whole: nothing for who has certain sessions only."""

_IMPLIED: Mapping[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.STATUS}),
    Scope.MEDIA: frozenset({Scope.FILES}),
    Scope.OPERATE: frozenset({Scope.STATUS, Scope.CONTROL}),
    Scope.ADMIN: frozenset(Scope),
}

_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset({Scope.ADMIN}),
    Role.OPERATOR: frozenset({Scope.OPERATE}),
    Role.VIEWER: frozenset({Scope.READ, Scope.FILES}),
}


class CallerKind(StrEnum):
    """What a caller is."""

    KEY = "key"
    USER = "user"


@frozen(kw_only=True)
class Caller:
    """Somebody whose call was admitted."""

    kind: CallerKind
    id: str
    label: str
    """A key's visible beginning, or a user's name."""
    name: str
    scopes: frozenset[Scope]
    """All that it may, with what is implied."""
    sessions: frozenset[str] | None
    """Where it may; None: everywhere."""
    role: Role | None = None
    """A user's."""
    sign_in: SignIn | None = None
    """A user's."""

    def demand(self, scope: Scope | None) -> None:
        """Raises ScopeDenied where it may not do what needs this scope; None: nothing in particular."""
        if scope is not None and scope not in self.scopes:
            raise ScopeDenied(f"This needs the scope {scope}.")
        if scope in GATEWAY_SCOPES and self.sessions is not None:
            raise ScopeDenied("A session's key does not administer the gateway.")

    def sees_all_of(self, other: "Caller") -> bool:
        """Whether it may where the other may."""
        return self.sessions is None or (other.sessions is not None and other.sessions <= self.sessions)


def implied(scopes: Iterable[str]) -> frozenset[Scope]:
    """These scopes, as stored, and all that they imply."""
    granted = frozenset(scopes)
    own = frozenset(scope for scope in Scope if scope in granted)
    return own.union(*(_IMPLIED.get(each, ()) for each in own))


def check_key(key: Key | None, *, scope: Scope | None, address: str | None, at: datetime) -> Caller:
    """Who calls with this key, when it allows this from there and then.

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
    caller = Caller(
        kind=CallerKind.KEY,
        id=key.id,
        label=key.prefix,
        name=key.name,
        scopes=implied(key.scopes),
        sessions=None if key.session_id is None else frozenset({key.session_id}),
    )
    caller.demand(scope)
    return caller


def check_sign_in(found: tuple[SignIn, User] | None, *, scope: Scope | None, at: datetime) -> Caller:
    """Who calls with the cookie of this sign-in, when it is good still and their role allows this.

    Raises SignInExpired, ScopeDenied.
    """
    if found is None:
        raise SignInExpired
    sign_in, user = found
    if user.disabled_at is not None or sign_in.expires_at <= at or sign_in.last_seen_at + UNUSED <= at:
        raise SignInExpired
    caller = user_calling(user, sign_in)
    caller.demand(scope)
    return caller


def user_calling(user: User, sign_in: SignIn | None = None) -> Caller:
    """A user as a caller."""
    return Caller(
        kind=CallerKind.USER,
        id=user.id,
        label=user.name,
        name=user.name,
        scopes=implied(_SCOPES[user.role]),
        sessions=frozenset(user.sessions) if user.role is Role.VIEWER else None,
        role=user.role,
        sign_in=sign_in,
    )


def acting_on(caller: Caller, *named: str | None) -> str:
    """The session that a request is about; `named` is what the path and the header say, if so.

    Who has one session alone need not name it. Raises ScopeDenied for another than the caller's,
    ValidationFailed when none or two are named, and SessionNotFound for what cannot be a session's id.
    """
    names = frozenset(name for name in named if name is not None)
    if caller.sessions is not None and (names - caller.sessions or not caller.sessions):
        raise ScopeDenied("This key or user is not for this session.")
    if len(names) > 1:
        raise ValidationFailed((FieldError("x-session-id", "names another session than the path"),))
    name = one_of(names or caller.sessions or frozenset())
    if not is_session_id(name):
        raise SessionNotFound(session_id=name[:64])
    return name


def one_of(sessions: frozenset[str]) -> str:
    """The only one of these. Raises ValidationFailed: it has to be said which is meant."""
    if len(sessions) != 1:
        raise ValidationFailed((FieldError("x-session-id", "is required: it says which session is meant"),))
    (name,) = sessions
    return name


def acting_across(caller: Caller, *named: str | None) -> frozenset[str] | None:
    """The same for a request that may be about several: all of the caller's when none is named, None: all.

    Raises as `acting_on` does.
    """
    if all(name is None for name in named) and (caller.sessions is None or len(caller.sessions) != 1):
        return caller.sessions
    return frozenset({acting_on(caller, *named)})


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
