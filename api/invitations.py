"""How people come into groups by themselves: invitations, and requests to be let in."""

from datetime import UTC, datetime
from functools import partial
from typing import Literal

from attrs import frozen
from quart import Blueprint

from actors import errors
from actors.session.keys import phone_first
from actors.whatsapp import administration
from actors.whatsapp.client import Client
from actors.whatsapp.groups import Group
from actors.whatsapp.jid import number_of
from api.caller import Scope
from api.fields import Invite
from api.groups import GroupView, group_view
from api.operation import impossible, operation
from api.participants import GROUP_ERRORS, in_group
from api.performing import PERFORMING, perform

routes = Blueprint("invitations", __name__)

_route = partial(operation, routes, tag="groups")

_NO_DECISION = (
    "WhatsApp's client library cannot answer a request to join."
    " Adding the person to the participants lets them in."
)

INVITE_ERRORS = (*PERFORMING, errors.InviteInvalid, errors.InviteRevoked)


@frozen(kw_only=True)
class JoinRequestView:
    """Somebody who waits to be let in."""

    jid: str
    alt: str | None
    phone: str | None
    requested_at: datetime


@frozen(kw_only=True)
class JoinRequestsView:
    """Everybody who waits to be let in."""

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
class _Invitation:
    invite: Invite


@_route(
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

    return group_view(await perform(session_id, "group.preview", act))


@_route(
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


@_route(
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
            person, alt = phone_first(asked.jid, await client.phone_of(asked.jid))
            at = datetime.fromtimestamp(asked.at, UTC)
            found.append(JoinRequestView(jid=person, alt=alt, phone=number_of(person), requested_at=at))
        return found

    return JoinRequestsView(requests=await in_group(session_id, jid, "group.requests", act))


for _decision, _summary in (("approve", "Let in who asks to."), ("reject", "Let in nobody of who asks to.")):
    impossible(
        routes,
        "POST",
        f"/chats/groups/<jid>/requests/{_decision}",
        scope=Scope.SEND,
        summary=_summary,
        why=_NO_DECISION,
        tag="groups",
    )


@_route(
    "GET",
    "/chats/groups/<jid>/invite",
    scope=Scope.READ,
    answers={200: InviteView},
    errors=GROUP_ERRORS,
)
async def invite(session_id: str, jid: str) -> InviteView:
    """The link by which people join."""
    link = await in_group(
        session_id, jid, "group.invite", lambda client: administration.invite_link(client, jid)
    )
    return _invite_view(link)


@_route(
    "POST",
    "/chats/groups/<jid>/invite/revoke",
    scope=Scope.SEND,
    answers={200: InviteView},
    errors=GROUP_ERRORS,
)
async def revoke_invite(session_id: str, jid: str) -> InviteView:
    """A new link; the old one leads nowhere from now on."""
    link = await in_group(
        session_id, jid, "group.revoke", lambda client: administration.invite_link(client, jid, revoke=True)
    )
    return _invite_view(link)


def _invite_view(link: str) -> InviteView:
    return InviteView(link=link, code=link.rpartition("/")[2])
