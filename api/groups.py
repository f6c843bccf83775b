"""Groups: made, looked at, changed, joined and left; who is in them and who may decide."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, NoReturn, TypeVar

import trio
from attrs import evolve, field, frozen
from quart import Blueprint

from actors import errors
from actors.hub import Listener, Subscribe, Unsubscribe
from actors.session.keys import phone_first
from actors.session.messages import CheckContacts, ContactCheck
from actors.whatsapp import administration
from actors.whatsapp.client import Client
from actors.whatsapp.groups import Group, Member
from actors.whatsapp.jid import PHONE
from api.access import Scope
from api.converter import SOMETIMES
from api.fields import Description, Invite, Participants, Subject, Timer, is_jid
from api.operation import operation
from api.performing import PERFORMING, perform
from api.portraits import PORTRAYING, PictureSetView, PortraitDraft, portrait
from api.refusals import InvalidJid, NotPossible
from api.services import services
from storage.chats import Address
from storage.writes import StoreAddresses

routes = Blueprint("groups", __name__)

T = TypeVar("T")

_JOIN_WAIT = 5.0  # seconds for a change of the members to reach the client's own list

_WHY = {
    400: "refused",
    403: "privacy",
    404: "not_on_whatsapp",
    408: "left_recently",
    409: "already_member",
    419: "group_full",
}
"""What WhatsApp's codes about a single person mean."""

_NO_APPROVAL = (
    "WhatsApp's client library cannot change who approves new members of a group, nor who may add them."
)
_NO_DECISION = (
    "WhatsApp's client library cannot answer a request to join."
    " Adding the person to the participants lets them in."
)
_NO_REMOVAL = "WhatsApp's client library cannot take a group's picture away; it can be replaced."


@frozen(kw_only=True)
class ParticipantView:
    """Somebody in a group, or who was to be."""

    jid: str
    """By phone number where it is known."""
    alt: str | None
    """Their other address, mostly the LID."""
    phone: str | None
    role: Literal["member", "admin", "superadmin"]
    error: str | None = field(default=None, metadata={SOMETIMES: True})
    """Why what was asked was not done for this person: `not_on_whatsapp`, `privacy` (they may only be
    invited), `already_member`, `not_member`, `left_recently`, `group_full`, or `code_…`, WhatsApp's own."""
    invite_code: str | None = field(default=None, metadata={SOMETIMES: True})
    """With `privacy`: of a personal invitation, when WhatsApp gave one."""


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
    groups: list[GroupView]


@frozen(kw_only=True)
class ParticipantsView:
    participants: list[ParticipantView]


@frozen(kw_only=True)
class JoinRequestView:
    """Somebody who waits to be let in."""

    jid: str
    alt: str | None
    phone: str | None
    requested_at: datetime


@frozen(kw_only=True)
class JoinRequestsView:
    requests: list[JoinRequestView]


@frozen(kw_only=True)
class InviteView:
    """How people join."""

    link: str
    code: str


@frozen(kw_only=True)
class JoinedView:
    """What became of joining."""

    jid: str
    status: Literal["joined", "requested"]
    """`requested`: an admin has to agree first."""


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


@frozen(kw_only=True)
class _People:
    participants: Participants


@frozen(kw_only=True)
class _Invitation:
    invite: Invite


GROUP_ERRORS = (
    *PERFORMING,
    InvalidJid,
    errors.GroupNotFound,
    errors.NotGroupMember,
    errors.NotGroupAdmin,
)
INVITE_ERRORS = (*PERFORMING, errors.InviteInvalid, errors.InviteRevoked)


# --- Groups ------------------------------------------------------------------------------------------------


@operation(routes, "GET", "/chats/groups", scope=Scope.READ, answers={200: GroupsView}, errors=PERFORMING)
async def listing(session_id: str) -> GroupsView:
    """All groups that the account is in."""
    groups = await perform(session_id, "group.list", administration.joined_groups)
    await _remember(session_id, groups)
    return GroupsView(groups=[_view(group) for group in groups])


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
    known, strangers = await _known(session_id, body.participants)

    async def act(client: Client) -> Group:
        async with administration.refusals_of(client, ""):
            return await client.create_group(body.subject, known)

    group = await perform(session_id, "group.create", act)
    await _remember(session_id, [group])
    view = _view(group)
    return view if not strangers else _with(view, strangers)


@operation(
    routes,
    "GET",
    "/chats/groups/preview",
    scope=Scope.READ,
    query=_Invitation,
    answers={200: GroupView},
    errors=INVITE_ERRORS,
)
async def preview(session_id: str, query: _Invitation) -> GroupView:
    """The group that an invitation leads to, without joining it."""

    async def act(client: Client) -> Group:
        async with administration.refusals_of_invite():
            return await administration.preview(client, query.invite)

    return _view(await perform(session_id, "group.preview", act))


@operation(
    routes,
    "POST",
    "/chats/groups/join",
    scope=Scope.SEND,
    body=_Invitation,
    answers={200: JoinedView},
    errors=INVITE_ERRORS,
)
async def join(session_id: str, body: _Invitation) -> JoinedView:
    """Join by a link or its code; nothing changes where the account is in the group already."""

    async def act(client: Client) -> tuple[str, bool]:
        async with administration.refusals_of_invite():
            return await administration.join(client, body.invite)

    group, inside = await perform(session_id, "group.join", act)
    return JoinedView(jid=group, status="joined" if inside else "requested")


@operation(
    routes, "GET", "/chats/groups/<jid>", scope=Scope.READ, answers={200: GroupView}, errors=GROUP_ERRORS
)
async def get(session_id: str, jid: str) -> GroupView:
    """One group and its participants."""
    group = await _perform(session_id, jid, "group.get", lambda client: client.group_info(jid))
    await _remember(session_id, [group])
    return _view(group)


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

    group = await _perform(session_id, jid, "group.change", act)
    await _remember(session_id, [group])
    return _view(group)


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
    await _perform(session_id, jid, "group.leave", lambda client: administration.leave(client, jid))


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
    _checked(jid)
    jpeg = await portrait(session_id, body)
    act = partial(administration.set_picture, group=jid, jpeg=jpeg)
    return PictureSetView(id=await _perform(session_id, jid, "group.picture", act))


@operation(
    routes,
    "DELETE",
    "/chats/groups/<jid>/picture",
    scope=Scope.SEND,
    answers={204: None},
    errors=(InvalidJid, NotPossible),
)
async def remove_picture(jid: str, **_: object) -> NoReturn:
    """Take the group's picture away. Not possible with this client library."""
    _checked(jid)
    raise NotPossible(_NO_REMOVAL)


# --- Participants ------------------------------------------------------------------------------------------


@operation(
    routes,
    "GET",
    "/chats/groups/<jid>/participants",
    scope=Scope.READ,
    answers={200: ParticipantsView},
    errors=GROUP_ERRORS,
)
async def participants(session_id: str, jid: str) -> ParticipantsView:
    """Who is in the group."""
    group = await _perform(session_id, jid, "group.get", lambda client: client.group_info(jid))
    return ParticipantsView(participants=[_participant(member) for member in group.members])


@operation(
    routes,
    "POST",
    "/chats/groups/<jid>/participants",
    scope=Scope.SEND,
    body=_People,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def add(session_id: str, jid: str, body: _People) -> ParticipantsView:
    """Add people. What is sent to the group after the answer reaches them too.

    The answer waits, at most 5 seconds, for WhatsApp's own word of the change: before that the client would
    leave the newcomers out.
    """
    async with _members_settled(session_id, jid) as settled:
        answered = await _change_members(session_id, jid, body.participants, "add")
        await settled({each.jid for each in answered if each.error is None})
    return ParticipantsView(participants=answered)


@operation(
    routes,
    "DELETE",
    "/chats/groups/<jid>/participants",
    scope=Scope.SEND,
    body=_People,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def remove(session_id: str, jid: str, body: _People) -> ParticipantsView:
    """Take people out of the group."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "remove"))


@operation(
    routes,
    "POST",
    "/chats/groups/<jid>/participants/promote",
    scope=Scope.SEND,
    body=_People,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def promote(session_id: str, jid: str, body: _People) -> ParticipantsView:
    """Make participants admins."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "promote"))


@operation(
    routes,
    "POST",
    "/chats/groups/<jid>/participants/demote",
    scope=Scope.SEND,
    body=_People,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def demote(session_id: str, jid: str, body: _People) -> ParticipantsView:
    """Make admins plain participants."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "demote"))


# --- Joining -----------------------------------------------------------------------------------------------


@operation(
    routes,
    "GET",
    "/chats/groups/<jid>/requests",
    scope=Scope.READ,
    answers={200: JoinRequestsView},
    errors=GROUP_ERRORS,
)
async def requests(session_id: str, jid: str) -> JoinRequestsView:
    """Who asks to be let in."""

    async def act(client: Client) -> list[JoinRequestView]:
        found = []
        for asked in await administration.join_requests(client, jid):
            first, alt = phone_first(asked.jid, await client.phone_of(asked.jid))
            phone = _phone(first)
            found.append(
                JoinRequestView(
                    jid=first, alt=alt, phone=phone, requested_at=datetime.fromtimestamp(asked.at, UTC)
                )
            )
        return found

    return JoinRequestsView(requests=await _perform(session_id, jid, "group.requests", act))


def _undecidable(decision: str) -> None:
    async def act(jid: str, **_: object) -> NoReturn:
        """Not possible with this client library; adding the person lets them in."""
        _checked(jid)
        raise NotPossible(_NO_DECISION)

    act.__name__ = decision
    rule, refusals = f"/chats/groups/<jid>/requests/{decision}", (InvalidJid, NotPossible)
    operation(routes, "POST", rule, scope=Scope.SEND, body=_People, answers={204: None}, errors=refusals)(act)


_undecidable("approve")
_undecidable("reject")


@operation(
    routes,
    "GET",
    "/chats/groups/<jid>/invite",
    scope=Scope.READ,
    answers={200: InviteView},
    errors=GROUP_ERRORS,
)
async def invite(session_id: str, jid: str) -> InviteView:
    """The link by which people join."""
    link = await _perform(
        session_id, jid, "group.invite", lambda client: administration.invite_link(client, jid)
    )
    return _invite_view(link)


@operation(
    routes,
    "POST",
    "/chats/groups/<jid>/invite/revoke",
    scope=Scope.SEND,
    answers={200: InviteView},
    errors=GROUP_ERRORS,
)
async def revoke_invite(session_id: str, jid: str) -> InviteView:
    """A new link; the old one leads nowhere from now on."""
    link = await _perform(
        session_id, jid, "group.revoke", lambda client: administration.invite_link(client, jid, revoke=True)
    )
    return _invite_view(link)


# --- How ---------------------------------------------------------------------------------------------------


async def _perform(session_id: str, jid: str, name: str, act: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a group, whose refusals get their names. Raises InvalidJid."""
    _checked(jid)

    async def named(client: Client) -> T:
        async with administration.refusals_of(client, jid):
            return await act(client)

    return await perform(session_id, name, named)


def _checked(jid: str) -> None:
    if not (jid.endswith("@g.us") and is_jid(jid)):
        raise InvalidJid(jid[:255])


async def _known(session_id: str, people: Iterable[str]) -> tuple[list[str], list[ParticipantView]]:
    """The addresses of those who are on WhatsApp, and the others. Raises RecipientNotOnWhatsApp for none."""
    phones = [phone for jid in people if (phone := _phone(jid)) is not None]
    checks: tuple[ContactCheck, ...] = ()
    if phones:
        checks = await services().sessions.ref(session_id).call(CheckContacts(tuple(phones)), timeout=60.0)
    missing = {check.phone for check in checks if not check.exists}
    known = [jid for jid in people if _phone(jid) not in missing]
    if not known:
        raise errors.RecipientNotOnWhatsApp(recipient=", ".join(sorted(missing)))
    strangers = [
        ParticipantView(
            jid=f"{phone}@{PHONE}", alt=None, phone=phone, role="member", error=_WHY[404], invite_code=None
        )
        for phone in phones
        if phone in missing
    ]
    return known, strangers


async def _change_members(
    session_id: str, jid: str, people: Iterable[str], change: str
) -> list[ParticipantView]:
    known, strangers = await _known(session_id, people)
    members = await _perform(
        session_id, jid, f"group.{change}", lambda client: client.change_members(jid, known, change)
    )
    return [*(_participant(member, adding=change == "add") for member in members), *strangers]


@asynccontextmanager
async def _members_settled(
    session_id: str, group: str
) -> AsyncIterator[Callable[[set[str]], Awaitable[None]]]:
    """Gives a wait, after a change made inside, until the log tells that these people are in the group."""
    hub = services().hub
    wanted = Subscribe(frozenset({session_id}), frozenset({"group-participants.update"}))
    listener: Listener = await hub.call(wanted)

    async def settled(people: set[str]) -> None:
        with trio.move_on_after(_JOIN_WAIT):
            async for published in listener.events:
                data = json.loads(published.body)["data"]
                if data["jid"] == group and data["action"] == "add":
                    people -= {*data["participants"], *data.get("participantsAlt", ())}
                if not people:
                    return

    try:
        yield settled
    finally:
        with trio.CancelScope(shield=True):
            await hub.cast(Unsubscribe(listener))


async def _remember(session_id: str, groups: Iterable[Group]) -> None:
    """Have the groups' names at hand where chats are listed."""
    rows = tuple(Address(jid=group.jid, name=group.subject) for group in groups)
    await services().writer.cast(StoreAddresses(session_id, rows))


def _view(group: Group) -> GroupView:
    owner, owner_alt = phone_first(group.owner, group.owner_phone) if group.owner else (None, None)
    people = [_participant(member, adding=True) for member in group.members]
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


def _with(view: GroupView, strangers: list[ParticipantView]) -> GroupView:
    return evolve(view, participants=[*view.participants, *strangers])


def _participant(member: Member, *, adding: bool = False) -> ParticipantView:
    other = next((each for each in (member.phone, member.lid) if each and each != member.jid), None)
    jid, alt = phone_first(member.jid, other)
    role: Literal["member", "admin", "superadmin"] = "member"
    if member.admin:
        role = "superadmin" if member.super_admin else "admin"
    why = None
    if member.error is not None:
        why = _WHY.get(member.error, f"code_{member.error}")
        if member.error == 404 and not adding:
            why = "not_member"
    return ParticipantView(
        jid=jid,
        alt=alt,
        phone=_phone(jid),
        role=role,
        error=why,
        invite_code=member.invitation,
    )


def _phone(jid: str) -> str | None:
    user, _, server = jid.partition("@")
    return user if server == PHONE else None


def _invite_view(link: str) -> InviteView:
    return InviteView(link=link, code=link.rpartition("/")[2])
