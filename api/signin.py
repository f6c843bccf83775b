"""Signing in and out with a name and a password; who one is; one's own password.

A browser holds a cookie of 256 random bits, whose SHA-256 is stored. It is good for thirty days while it is
used every week, and ends with sign-out, a new password, and when the user is disabled or removed.
"""

import logging
import secrets
from datetime import timedelta

import attrs
from attrs import field, frozen
from quart import Blueprint, Response, request
from werkzeug.http import dump_cookie

from actors.apikeys import digest
from actors.passwords import MOST
from api.access import COOKIE, caller, client_address
from api.answers import no_content
from api.audit import recorded
from api.caller import Caller, CallerKind, user_calling
from api.fields import Line, Password
from api.operation import Answer, At, operation
from api.origin import check_origin
from api.refusals import (
    CsrfDenied,
    FieldError,
    ScopeDenied,
    SignInFailed,
    TooManyTries,
    ValidationFailed,
)
from api.services import services
from api.trace import trace
from api.users import UserView, user_view
from runtime import CallTimeout, MailboxFull
from storage.errors import DatabaseUnavailable, WriteRefused
from storage.ids import new_id
from storage.rows import Role, SignIn, User, now
from storage.writes import Delete, Insert, Update

log = logging.getLogger("api.signin")

routes = Blueprint("signin", __name__)

LIFETIME = timedelta(days=30)
MOST_SIGN_INS = 20
"""Of a user at once: the oldest gives way."""

_MOST_WAITING = 50
"""Passwords that wait to be compared; each takes a tenth of a second."""
_BUSY = 2.0  # seconds to advise then


@frozen(kw_only=True)
class Credentials:
    name: Line
    password: str = field(repr=False)


@frozen(kw_only=True)
class SignedInView:
    user: UserView


@frozen(kw_only=True)
class MeView:
    """Who the caller is."""

    kind: CallerKind
    id: str
    name: str
    role: Role | None
    """A user's."""
    scopes: tuple[str, ...]
    """All that they may, with what is implied."""
    sessions: tuple[str, ...] | None
    """Where they may; null: everywhere."""
    sandbox: bool
    """There is a network of simulated phones."""
    version: str


@frozen(kw_only=True)
class PasswordChange:
    current: str = field(repr=False)
    password: Password = field(repr=False)


@operation(
    routes,
    "POST",
    "/api/sign-in",
    at=At.ROOT,
    secret=True,
    scope=None,
    body=Credentials,
    answers={200: SignedInView},
    errors=(SignInFailed, CsrfDenied, TooManyTries, DatabaseUnavailable, MailboxFull, CallTimeout),
)
async def sign_in(body: Credentials) -> Answer:
    """Get a cookie, with which a browser calls as this user until it signs out."""
    check_origin()
    user = await _user_of(body.name, body.password)
    if user is None:
        raise SignInFailed
    row, headers = await _signed_in(user)
    return Answer(SignedInView(user=user_view(row)), 200, headers)


@operation(routes, "POST", "/sign-out", at=At.GATEWAY, scope=None, answers={204: None})
async def sign_out() -> Response:
    """End this sign-in. A key has none to end."""
    who = caller()
    if who.sign_in is not None:
        async with recorded("user.sign_out", who.id):
            await services().writer.call(Delete(SignIn, who.sign_in.id))
    response = no_content()
    response.headers["set-cookie"] = _cookie("", timedelta())
    return response


@operation(routes, "GET", "/me", at=At.GATEWAY, scope=None, answers={200: MeView})
async def me() -> MeView:
    """Who the caller is and what they may do."""
    who = caller()
    return MeView(
        kind=who.kind,
        id=who.id,
        name=who.name,
        role=who.role,
        scopes=tuple(sorted(who.scopes)),
        sessions=None if who.sessions is None else tuple(sorted(who.sessions)),
        sandbox=services().loopback is not None,
        version=services().version,
    )


@operation(
    routes,
    "POST",
    "/me/password",
    at=At.GATEWAY,
    secret=True,
    scope=None,
    body=PasswordChange,
    answers={204: None},
    errors=(ScopeDenied, TooManyTries),
)
async def change_password(body: PasswordChange) -> Response:
    """Change one's own password. It ends all sign-ins but this one, which gets another cookie."""
    who = caller()
    if who.kind is not CallerKind.USER:
        raise ScopeDenied("A key has no password.")
    user = await _user_of(who.name, body.current)
    if user is None or user.id != who.id:
        raise ValidationFailed((FieldError("current", "is not your password"),))
    async with recorded("user.password", user.id):
        user = await _given(user, body.password)
    _, headers = await _signed_in(user)
    response = no_content()
    response.headers.extend(headers)
    return response


async def _user_of(name: str, password: str) -> User | None:
    """The user with this name and password, who is not disabled. It takes as long when there is none.

    Raises TooManyTries.
    """
    passwords, tries, address = services().passwords, services().tries, client_address()
    if passwords.waiting >= _MOST_WAITING:
        raise TooManyTries(_BUSY)
    tries.begin(name, address)
    found = await services().reads.user_by_name(name)
    user = found if found is not None and found.disabled_at is None else None
    # What is longer than any password is none, also when it is cut short.
    fits = await passwords.fit(password[: MOST + 1], None if user is None else user.password)
    if user is None or not fits:
        # Not the name: people type their password there.
        log.warning(
            "sign_in_failed user=%s address=%s request=%s",
            "-" if found is None else found.id,
            address,
            trace().request_id,
        )
        return None
    tries.succeeded(name, address)
    if passwords.outdated(user.password):
        return await _given(user, password)
    return user


async def _given(user: User, password: str) -> User:
    """The user with this password, which ends all sign-ins."""
    hashed = await services().passwords.hashed(password)
    await services().writer.call(Update(User, user.id, {"password": hashed}))
    return attrs.evolve(user, password=hashed)


async def _signed_in(user: User) -> tuple[User, dict[str, str]]:
    """A new sign-in in place of what this browser had: the user now, and the headers that bring the cookie.

    Raises SignInFailed when the user was removed, or given another password, meanwhile.
    """
    writer, token = services().writer, secrets.token_urlsafe(32)
    moment = now()
    row = SignIn(
        id=new_id("sgn"),
        user_id=user.id,
        hash=digest(token),
        address=client_address(),
        created_at=moment,
        expires_at=moment + LIFETIME,
        last_seen_at=moment,
    )
    _note_caller(user_calling(user, row))
    async with recorded("user.sign_in", user.id):
        for ended in await _to_end(user.id):
            await writer.call(Delete(SignIn, ended))
        try:
            await writer.call(Insert(row))
        except WriteRefused:
            raise SignInFailed from None
        await writer.call(Update(User, user.id, {"last_sign_in_at": moment}))
        stored = await services().reads.sign_in(row.hash)
        if stored is None or stored[1].password != user.password:
            await writer.call(Delete(SignIn, row.id))
            raise SignInFailed
    return stored[1], {"set-cookie": _cookie(token, LIFETIME), "cache-control": "no-store"}


async def _to_end(user_id: str) -> list[str]:
    """The sign-ins that give way to a new one: this browser's, and the oldest where there are too many."""
    ended = [each.id for each in (await services().reads.sign_ins(user_id))[MOST_SIGN_INS - 1 :]]
    if before := request.cookies.get(COOKIE):
        found = await services().reads.sign_in(digest(before))
        if found is not None and found[0].id not in ended:
            ended.append(found[0].id)
    return ended


def _note_caller(who: Caller) -> None:
    notes = trace()
    notes.kind, notes.label, notes.caller = who.kind, who.label, who


def _cookie(value: str, lifetime: timedelta) -> str:
    # Behind a proxy that ends TLS the Origin tells how a browser came; who lies there harms nobody else.
    over_tls = request.scheme == "https" or request.headers.get("origin", "").startswith("https://")
    return dump_cookie(
        COOKIE,
        value,
        max_age=lifetime,
        path="/",
        secure=over_tls or services().secure_cookies,
        httponly=True,
        samesite="Strict",
    )
