"""Users of the dashboard: made, listed, changed and removed by an admin. Nobody is ever told a password."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import field, frozen
from quart import Blueprint

from actors.errors import SessionNotFound
from api.audit import recorded
from api.caller import Scope
from api.checks import MismatchError
from api.converter import camel
from api.fields import Password, SessionId, UserName
from api.operation import At, operation
from api.refusals import FieldError, LastAdmin, NotFound, UserExists, ValidationFailed
from api.services import services
from storage.errors import WriteRefused
from storage.ids import new_id
from storage.rows import Json, Role, User, now
from storage.writes import Delete, Insert, Update

routes = Blueprint("users", __name__)

_VIEWERS_ONLY = "is for viewers only: all others see every session"


@frozen(kw_only=True)
class NewUser:
    name: UserName
    """No two users' names differ by capitals alone."""
    password: Password = field(repr=False)
    role: Role
    """`admin` may do everything. `operator` looks after sessions and the gateway, and reads no message.
    `viewer` reads certain sessions and changes nothing."""
    sessions: tuple[SessionId, ...] = ()
    """Which a viewer reads."""

    def __attrs_post_init__(self) -> None:
        if self.sessions and self.role is not Role.VIEWER:
            raise MismatchError(_VIEWERS_ONLY, path="sessions")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        role, none = {"const": Role.VIEWER.value}, {"maxItems": 0}
        yield {"anyOf": [{"properties": {"role": role}}, {"properties": {"sessions": none}}]}


@frozen(kw_only=True)
class UserChanges:
    name: UserName | None = None
    password: Password | None = field(default=None, repr=False)
    """Ends all of the user's sign-ins."""
    role: Role | None = None
    sessions: tuple[SessionId, ...] | None = None
    """Which a viewer reads."""
    disabled: bool | None = None
    """True: refused from now on, and all sign-ins end."""


@frozen(kw_only=True)
class UserView:
    """What may be told of a user."""

    id: str
    name: str
    role: Role
    sessions: tuple[str, ...] | None
    """Which they see; null: all."""
    disabled: bool
    created_at: datetime
    last_sign_in_at: datetime | None


@frozen(kw_only=True)
class UsersView:
    users: list[UserView]


@operation(routes, "GET", "/users", at=At.GATEWAY, scope=Scope.ADMIN, answers={200: UsersView})
async def listing() -> UsersView:
    """All users, by name."""
    return UsersView(users=[user_view(user) for user in await services().reads.users()])


@operation(
    routes,
    "POST",
    "/users",
    at=At.GATEWAY,
    secret=True,
    scope=Scope.ADMIN,
    body=NewUser,
    answers={201: UserView},
    errors=(UserExists, SessionNotFound),
)
async def create(body: NewUser) -> UserView:
    """Somebody who may sign in, with a password that they had better change."""
    await _check_sessions(body.sessions)
    row = User(
        id=new_id("usr"),
        name=body.name,
        password=await services().passwords.hashed(body.password),
        role=body.role,
        sessions=body.sessions,
    )
    async with recorded("user.create", row.id, name=row.name, role=row.role, sessions=list(row.sessions)):
        await _written(Insert(row))
    return user_view(row)


@operation(
    routes,
    "PATCH",
    "/users/<user_id>",
    at=At.GATEWAY,
    secret=True,
    scope=Scope.ADMIN,
    body=UserChanges,
    patch=True,
    answers={200: UserView},
    errors=(NotFound, UserExists, LastAdmin, SessionNotFound),
)
async def change(user_id: str, body: dict[str, Any]) -> UserView:
    """Change what is named; null leaves it, but for `sessions` (none) and `disabled` (false)."""
    cleared = {"sessions": (), "disabled": False}
    filled = {name: cleared.get(name) if new is None else new for name, new in body.items()}
    given: dict[str, Any] = {name: new for name, new in filled.items() if new is not None}
    await _check_sessions(given.get("sessions", ()))
    if "password" in given:
        given["password"] = await services().passwords.hashed(given["password"])
    async with services().changing_users:
        row = await stored_user(user_id)
        role = given.get("role", row.role)
        if given.get("sessions") and role is not Role.VIEWER:
            raise ValidationFailed((FieldError("sessions", _VIEWERS_ONLY),))
        changes = {name: new for name, new in given.items() if name != "disabled"}
        if role is not Role.VIEWER and row.sessions:
            changes["sessions"] = ()
        if "disabled" in given and given["disabled"] is (row.disabled_at is None):
            changes["disabled_at"] = now() if given["disabled"] else None
        if not changes:
            return user_view(row)
        if role is not Role.ADMIN or changes.get("disabled_at") is not None:
            await _check_not_last(row)
        told = {name: given[name] for name in ("name", "role", "sessions", "disabled") if name in given}
        async with recorded("user.update", row.id, fields=sorted(map(camel, given)), **told):
            await _written(Update(User, row.id, changes))
        if "password" in changes:
            services().tries.forget(row.name)
    return user_view(await stored_user(user_id))


@operation(
    routes,
    "DELETE",
    "/users/<user_id>",
    at=At.GATEWAY,
    scope=Scope.ADMIN,
    answers={204: None},
    errors=(NotFound, LastAdmin),
)
async def delete(user_id: str) -> None:
    """Remove a user; their sign-ins end. What they did stays in the audit record."""
    async with services().changing_users:
        row = await stored_user(user_id)
        await _check_not_last(row)
        async with recorded("user.delete", row.id, name=row.name):
            await services().writer.call(Delete(User, row.id))


async def stored_user(user_id: str) -> User:
    """A user's row. Raises NotFound."""
    row = await services().reads.user(user_id)
    if row is None:
        raise NotFound("user", user_id)
    return row


def user_view(row: User) -> UserView:
    """A user as clients see them."""
    return UserView(
        id=row.id,
        name=row.name,
        role=row.role,
        sessions=row.sessions if row.role is Role.VIEWER else None,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
    )


async def _check_sessions(named: tuple[str, ...]) -> None:
    """Raises SessionNotFound for one that is not there: somebody else might make it later."""
    for session_id in named:
        if await services().reads.session(session_id) is None:
            raise SessionNotFound(session_id=session_id)


async def _check_not_last(row: User) -> None:
    """Raises LastAdmin where no other user administers the gateway."""
    if row.role is not Role.ADMIN or row.disabled_at is not None:
        return
    others = (each for each in await services().reads.users() if each.id != row.id)
    if not any(each.role is Role.ADMIN and each.disabled_at is None for each in others):
        raise LastAdmin


async def _written(write: Insert | Update) -> None:
    try:
        await services().writer.call(write)
    except WriteRefused as refused:
        if refused.reason != "duplicate":
            raise
        raise UserExists from None
