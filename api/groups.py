"""Groups: made, looked at, changed and left."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from attrs import frozen
from quart import Blueprint

from actors import errors
from actors.session.content import storable
from actors.session.keys import phone_first
from actors.whatsapp import administration
from actors.whatsapp.client import Client
from actors.whatsapp.groups import Group
from api.caller import Scope
from api.fields import Description, Participants, Subject, Timer
from api.operation import impossible, operation
from api.participants import (
    GROUP_ERRORS,
    ParticipantView,
    check_group,
    in_group,
    known_among,
    participant_view,
)
from api.performing import PERFORMING, perform
from api.portraits import PORTRAYING, PictureSetView, PortraitDraft, portrait
from api.refusals import NotPossible
from api.services import services
from storage.chats import Address
from storage.writes import StoreAddresses

routes = Blueprint("groups", __name__)

_NO_APPROVAL = (
    "WhatsApp's client library cannot change who approves new members of a group, nor who may add them."
)


@frozen(kw_only=True)
class GroupView:
    """A group as WhatsApp tells it now."""

    jid: str
    subject: str
    description: str
    owner: str | None
    owner_alt: str | None
    created_at: datetime
    """Exact to about two minutes."""
    locked: bool
    """Only admins change what the group is called and shows."""
    announce: bool
    """Only admins write."""
    ephemeral_seconds: int
    size: int
    participants: list[ParticipantView]


@frozen(kw_only=True)
class GroupsView:
    """All groups that the account is in."""

    groups: list[GroupView]


@frozen(kw_only=True)
class _NewGroup:
    subject: Subject
    participants: Participants


@frozen(kw_only=True)
class _Changes:
    subject: Subject | None = None
    description: Description | None = None
    locked: bool | None = None
    announce: bool | None = None
    ephemeral_seconds: Timer | None = None
    approval_mode: bool | None = None
    """Not possible with this client library."""
    member_add_mode: Literal["all", "admins"] | None = None
    """Not possible with this client library."""


@operation(routes, "GET", "/chats/groups", scope=Scope.READ, answers={200: GroupsView}, errors=PERFORMING)
async def listing(session_id: str) -> GroupsView:
    """All groups that the account is in."""
    groups = await perform(session_id, "group.list", administration.joined_groups)
    await _remember(session_id, groups)
    return GroupsView(groups=[group_view(group) for group in groups])


@operation(
    routes,
    "POST",
    "/chats/groups",
    scope=Scope.SEND,
    body=_NewGroup,
    answers={200: GroupView},
    errors=(*PERFORMING, errors.RecipientNotOnWhatsApp),
)
async def create(session_id: str, body: _NewGroup) -> GroupView:
    """Make a group. A person who could not be added is among the participants with an `error`.

    Numbers are looked up first; when none of them is on WhatsApp, no group is made.
    """
    known, strangers = await known_among(session_id, body.participants)

    group = await perform(session_id, "group.create", lambda client: client.create_group(body.subject, known))
    await _remember(session_id, [group])
    return group_view(group, strangers)


@operation(
    routes, "GET", "/chats/groups/<jid>", scope=Scope.READ, answers={200: GroupView}, errors=GROUP_ERRORS
)
async def get(session_id: str, jid: str) -> GroupView:
    """One group and its participants."""
    group = await in_group(session_id, jid, "group.get", lambda client: client.group_info(jid))
    await _remember(session_id, [group])
    return group_view(group)


@operation(
    routes,
    "PATCH",
    "/chats/groups/<jid>",
    scope=Scope.SEND,
    body=_Changes,
    patch=True,
    answers={200: GroupView},
    errors=(*GROUP_ERRORS, NotPossible),
)
async def change(session_id: str, jid: str, body: dict[str, Any]) -> GroupView:
    """Change what is given, one after the other; what came before a refusal stays changed."""
    given = {name: value for name, value in body.items() if value is not None}
    if given.keys() & {"approval_mode", "member_add_mode"}:
        raise NotPossible(_NO_APPROVAL)

    async def act(client: Client) -> Group:
        for name, value in given.items():
            await _SETTERS[name](client, jid, value)
        return await client.group_info(jid)

    group = await in_group(session_id, jid, "group.change", act)
    await _remember(session_id, [group])
    return group_view(group)


_SETTERS: dict[str, Callable[[Client, str, Any], Awaitable[None]]] = {
    "subject": administration.set_subject,
    "description": administration.set_description,
    "locked": administration.set_locked,
    "announce": administration.set_announce,
    "ephemeral_seconds": administration.set_disappearing,
}


@operation(
    routes, "POST", "/chats/groups/<jid>/leave", scope=Scope.SEND, answers={204: None}, errors=GROUP_ERRORS
)
async def leave(session_id: str, jid: str) -> None:
    """Leave the group. What was written there stays stored."""
    await in_group(session_id, jid, "group.leave", lambda client: administration.leave(client, jid))


@operation(
    routes,
    "PUT",
    "/chats/groups/<jid>/picture",
    scope=Scope.SEND,
    body=PortraitDraft,
    answers={200: PictureSetView},
    errors=(*GROUP_ERRORS, *PORTRAYING),
)
async def put_picture(session_id: str, jid: str, body: PortraitDraft) -> PictureSetView:
    """Set the group's picture; the middle of what is given, in any format, is shown."""
    check_group(jid)
    jpeg = await portrait(session_id, body)
    act = partial(administration.set_picture, group=jid, jpeg=jpeg)
    return PictureSetView(id=await in_group(session_id, jid, "group.picture", act))


impossible(
    routes,
    "DELETE",
    "/chats/groups/<jid>/picture",
    scope=Scope.SEND,
    summary="Take the group's picture away.",
    why="WhatsApp's client library cannot take a group's picture away; it can be replaced.",
)


async def _remember(session_id: str, groups: Iterable[Group]) -> None:
    """Have the groups' names at hand where chats are listed."""
    rows = tuple(Address(jid=group.jid, name=storable(group.subject)) for group in groups)
    await services().writer.cast(StoreAddresses(session_id, rows))


def group_view(group: Group, strangers: Iterable[ParticipantView] = ()) -> GroupView:
    owner, owner_alt = phone_first(group.owner, group.owner_phone) if group.owner else (None, None)
    people = [*(participant_view(member, adding=True) for member in group.members), *strangers]
    return GroupView(
        jid=group.jid,
        subject=group.subject,
        description=group.description,
        owner=owner,
        owner_alt=owner_alt,
        created_at=datetime.fromtimestamp(group.created, UTC),
        locked=group.locked,
        announce=group.announce,
        ephemeral_seconds=group.ephemeral_seconds,
        size=sum(each.error is None for each in people),
        participants=people,
    )
