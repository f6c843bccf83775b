"""Groups as the client library describes them."""

from typing import Any

from attrs import field, frozen

from .jid import to_text

__all__ = ["Group", "Member", "group_from", "members_from"]


@frozen
class Member:
    """One participant; `jid` is the address the group itself uses, mostly the LID."""

    jid: str
    lid: str | None
    phone: str | None
    admin: bool
    super_admin: bool
    error: int | None
    """What the server answered about this person alone, in reply to a change: 403, 404, 409…"""
    invitation: str | None = field(default=None, repr=False)
    """With error 403: the code of a personal invitation that they may be sent instead."""


@frozen
class Group:
    """A group with its members. `created` is Unix seconds, exact to about two minutes (a 32-bit float)."""

    jid: str
    subject: str
    description: str
    owner: str | None
    owner_phone: str | None
    created: float
    locked: bool
    announce: bool
    ephemeral_seconds: int
    members: tuple[Member, ...]


def members_from(participants: Any) -> tuple[Member, ...]:
    """The members in a repeated `neonize.GroupParticipant`."""
    return tuple(
        Member(
            jid=to_text(each.JID) or to_text(each.LID) or "",
            lid=to_text(each.LID),
            phone=to_text(each.PhoneNumber),
            admin=each.IsAdmin or each.IsSuperAdmin,
            super_admin=each.IsSuperAdmin,
            error=each.Error or None,
            invitation=each.AddRequest.Code or None,
        )
        for each in participants
    )


def group_from(info: Any) -> Group:
    """The group in a `neonize.GroupInfo`."""
    return Group(
        jid=to_text(info.JID) or "",
        subject=info.GroupName.Name,
        description=info.GroupTopic.Topic,
        owner=to_text(info.OwnerJID),
        owner_phone=to_text(info.OwnerPN),
        created=float(info.GroupCreated),
        locked=info.GroupLocked.isLocked,
        announce=info.GroupAnnounce.IsAnnounce,
        ephemeral_seconds=info.GroupEphemeral.DisappearingTimer,
        members=members_from(info.Participants),
    )
