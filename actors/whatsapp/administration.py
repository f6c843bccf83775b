"""What members and admins do with a group: look, change, invite, join and leave.

All raise as `client.py` does. In `refusals_of` what WhatsApp refuses about a group becomes a named fact.
"""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from actors.errors import (
    GroupNotFound,
    InviteInvalid,
    InviteRevoked,
    NotGroupAdmin,
    NotGroupMember,
    PictureUnsuitable,
)

from . import errors as wa
from .client import Client
from .groups import Group, group_from
from .jid import to_proto, to_text
from .proto import neonize

__all__ = [
    "JoinRequest",
    "invite_link",
    "join",
    "join_requests",
    "joined_groups",
    "leave",
    "preview",
    "refusals_of",
    "refusals_of_invite",
    "set_announce",
    "set_description",
    "set_disappearing",
    "set_locked",
    "set_picture",
    "set_subject",
]

_FORBIDDEN = {401, 403, 405}
_LINK = re.compile(r"https://chat\.whatsapp\.com/(invite/)?")


@frozen
class JoinRequest:
    """Somebody who asks to be let in; `at` is Unix seconds."""

    jid: str
    at: float


@asynccontextmanager
async def refusals_of(client: Client, group: str) -> AsyncIterator[None]:
    """What goes wrong inside, with this group, as SessionErrors.

    Raises GroupNotFound, NotGroupMember, NotGroupAdmin, PictureUnsuitable; other CellErrors pass. WhatsApp
    says `forbidden` to strangers and to plain members alike: who it was is looked up.
    """
    try:
        yield
    except wa.WhatsAppError as error:
        if error.code == 404:
            raise GroupNotFound(group=group) from error
        if error.code == 406 and "image" in error.text:
            raise PictureUnsuitable from error
        if error.code not in _FORBIDDEN:
            raise
        if not await _is_member(client, group):
            raise NotGroupMember(group=group) from error
        raise NotGroupAdmin(group=group) from error


@asynccontextmanager
async def refusals_of_invite() -> AsyncIterator[None]:
    """The same about an invitation. Raises InviteInvalid, InviteRevoked."""
    try:
        yield
    except wa.WhatsAppError as error:
        match error.code:
            case 404 | 406:
                raise InviteInvalid from error
            case 401 | 403 | 410:
                raise InviteRevoked from error
            case _:
                raise


async def joined_groups(client: Client) -> tuple[Group, ...]:
    """Every group that the account is in."""
    answer = await client.ask(neonize.GetJoinedGroupsReturnFunction, "GetJoinedGroups")
    return tuple(group_from(each) for each in answer.Group)


async def set_subject(client: Client, group: str, subject: str) -> None:
    await client.tell("SetGroupName", to_proto(group), subject)


async def set_description(client: Client, group: str, text: str) -> None:
    """An empty text takes the description away."""
    # With no ids given the library asks for the description's old one, and makes the new one up.
    await client.tell("SetGroupTopic", to_proto(group), "", "", text)


async def set_locked(client: Client, group: str, locked: bool) -> None:
    """Whether only admins may change what the group is called and shows."""
    await client.tell("SetGroupLocked", to_proto(group), locked)


async def set_announce(client: Client, group: str, announce: bool) -> None:
    """Whether only admins may write."""
    await client.tell("SetGroupAnnounce", to_proto(group), announce)


async def set_disappearing(client: Client, chat: str, seconds: int) -> None:
    """How long new messages stay in a group, or in a chat with a person; 0: for ever."""
    now = int(time.time() * 1000)
    await client.tell("SetDisappearingTimer", to_proto(chat), seconds * 1_000_000_000, now)


async def set_picture(client: Client, group: str, jpeg: bytes) -> str:
    """Show this picture; its id."""
    answer = await client.ask(neonize.SetGroupPhotoReturnFunction, "SetGroupPhoto", to_proto(group), jpeg)
    return str(answer.PictureID)


async def join_requests(client: Client, group: str) -> tuple[JoinRequest, ...]:
    """Who waits for an admin to let them in."""
    answer = await client.ask(
        neonize.GetGroupRequestParticipantsReturnFunction, "GetGroupRequestParticipants", to_proto(group)
    )
    return tuple(
        JoinRequest(to_text(each.Participant) or "", each.TimeAt / 1_000_000)  # it comes in microseconds
        for each in answer.Participants
    )


async def invite_link(client: Client, group: str, *, revoke: bool = False) -> str:
    """The link by which people join; with `revoke` a new one, and the old one leads nowhere."""
    answer = await client.ask(
        neonize.GetGroupInviteLinkReturnFunction, "GetGroupInviteLink", to_proto(group), revoke
    )
    return str(answer.InviteLink)


async def preview(client: Client, invite: str) -> Group:
    """The group that a link, or the code in it, leads to."""
    answer = await client.ask(neonize.GetGroupInfoReturnFunction, "GetGroupInfoFromLink", _code(invite))
    return group_from(answer.GroupInfo)


async def join(client: Client, invite: str) -> tuple[str, bool]:
    """Join by a link, or the code in it: the group, and whether the account is in it now.

    Where an admin has to agree, it is not: the library does not tell the two apart.
    """
    try:
        answer = await client.ask(neonize.JoinGroupWithLinkReturnFunction, "JoinGroupWithLink", _code(invite))
    except wa.WhatsAppError as error:
        if error.code != 409:  # it is in it already
            raise
        return (await preview(client, invite)).jid, True
    group = to_text(answer.Jid) or ""
    return group, await _is_member(client, group)


async def leave(client: Client, group: str) -> None:
    await client.tell("LeaveGroup", to_proto(group))


async def _is_member(client: Client, group: str) -> bool:
    try:
        await client.group_info(group)
    except wa.WhatsAppError as error:
        if error.code in _FORBIDDEN | {404}:
            return False
        raise
    return True


def _code(invite: str) -> str:
    return _LINK.sub("", invite).partition("?")[0].strip("/")
