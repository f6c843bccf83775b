"""Who is in a group and who may decide there; and what all routes about groups share."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Literal, TypeVar

import trio
from attrs import field, frozen
from quart import Blueprint

from actors import errors
from actors.hub import Listener, Subscribe, Unsubscribe
from actors.session.keys import phone_first
from actors.session.messages import CheckContacts, ContactCheck
from actors.whatsapp import administration
from actors.whatsapp.client import Client
from actors.whatsapp.groups import Member
from actors.whatsapp.jid import number_of, phone_jid
from api.caller import Scope
from api.checks import is_jid
from api.converter import SOMETIMES
from api.fields import Participants
from api.operation import operation
from api.performing import PERFORMING, perform
from api.refusals import InvalidJid
from api.services import services

routes = Blueprint("participants", __name__)

_route = partial(operation, routes, tag="groups")

T = TypeVar("T")

_CHECK_WAIT = 60.0  # seconds for WhatsApp's answer
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

GROUP_ERRORS = (
    *PERFORMING,
    InvalidJid,
    errors.GroupNotFound,
    errors.NotGroupMember,
    errors.NotGroupAdmin,
)


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
class ParticipantsView:
    """Who is in a group, or what became of each person that something was asked for."""

    participants: list[ParticipantView]


@frozen(kw_only=True)
class PeopleDraft:
    participants: Participants


@_route(
    "GET",
    "/chats/groups/<jid>/participants",
    scope=Scope.READ,
    answers={200: ParticipantsView},
    errors=GROUP_ERRORS,
)
async def participants(session_id: str, jid: str) -> ParticipantsView:
    """Who is in the group."""
    group = await in_group(session_id, jid, "group.get", lambda client: client.group_info(jid))
    return ParticipantsView(participants=[participant_view(member) for member in group.members])


@_route(
    "POST",
    "/chats/groups/<jid>/participants",
    scope=Scope.SEND,
    body=PeopleDraft,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def add(session_id: str, jid: str, body: PeopleDraft) -> ParticipantsView:
    """Add people. What is sent to the group after the answer reaches them too.

    The answer waits, at most 5 seconds, for WhatsApp's own word of the change: before that the client would
    leave the newcomers out.
    """
    async with _members_settled(session_id, jid) as settled:
        answered = await _change_members(session_id, jid, body.participants, "add")
        await settled(each for each in answered if each.error is None)
    return ParticipantsView(participants=answered)


@_route(
    "DELETE",
    "/chats/groups/<jid>/participants",
    scope=Scope.SEND,
    body=PeopleDraft,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def remove(session_id: str, jid: str, body: PeopleDraft) -> ParticipantsView:
    """Take people out of the group."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "remove"))


@_route(
    "POST",
    "/chats/groups/<jid>/participants/promote",
    scope=Scope.SEND,
    body=PeopleDraft,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def promote(session_id: str, jid: str, body: PeopleDraft) -> ParticipantsView:
    """Make participants admins."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "promote"))


@_route(
    "POST",
    "/chats/groups/<jid>/participants/demote",
    scope=Scope.SEND,
    body=PeopleDraft,
    answers={200: ParticipantsView},
    errors=(*GROUP_ERRORS, errors.RecipientNotOnWhatsApp),
)
async def demote(session_id: str, jid: str, body: PeopleDraft) -> ParticipantsView:
    """Make admins plain participants."""
    return ParticipantsView(participants=await _change_members(session_id, jid, body.participants, "demote"))


# --- Groups ------------------------------------------------------------------------------------------------


async def in_group(session_id: str, jid: str, name: str, act: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a group, whose refusals get their names. Raises InvalidJid."""
    check_group(jid)

    async def named(client: Client) -> T:
        async with administration.refusals_of(client, jid):
            return await act(client)

    return await perform(session_id, name, named)


def check_group(jid: str) -> None:
    """Raises InvalidJid for what is no group's address."""
    if not (jid.endswith("@g.us") and is_jid(jid)):
        raise InvalidJid(jid[:255])


# --- People ------------------------------------------------------------------------------------------------


async def known_among(session_id: str, people: Iterable[str]) -> tuple[list[str], list[ParticipantView]]:
    """The addresses of those who are on WhatsApp, and the others. Raises RecipientNotOnWhatsApp for none."""
    phones = [phone for jid in people if (phone := number_of(jid)) is not None]
    checks: tuple[ContactCheck, ...] = ()
    if phones:
        checks = (
            await services().sessions.ref(session_id).call(CheckContacts(tuple(phones)), timeout=_CHECK_WAIT)
        )
    missing = {check.phone for check in checks if not check.exists}
    known = [jid for jid in people if number_of(jid) not in missing]
    if not known:
        raise errors.RecipientNotOnWhatsApp(recipient=", ".join(sorted(missing)))
    strangers = [
        ParticipantView(
            jid=phone_jid(phone), alt=None, phone=phone, role="member", error=_WHY[404], invite_code=None
        )
        for phone in phones
        if phone in missing
    ]
    return known, strangers


async def _change_members(
    session_id: str, jid: str, people: Iterable[str], change: str
) -> list[ParticipantView]:
    known, strangers = await known_among(session_id, people)
    members = await in_group(
        session_id, jid, f"group.{change}", lambda client: client.change_members(jid, known, change)
    )
    return [*(participant_view(member, adding=change == "add") for member in members), *strangers]


@asynccontextmanager
async def _members_settled(
    session_id: str, group: str
) -> AsyncIterator[Callable[[Iterable[ParticipantView]], Awaitable[None]]]:
    """Gives a wait, after a change made inside, until the log tells that these people are in the group.

    The client has changed its own list of members by then.
    """
    hub = services().hub
    wanted = Subscribe(frozenset({session_id}), frozenset({"group-participants.update"}))
    listener: Listener = await hub.call(wanted)

    async def settled(people: Iterable[ParticipantView]) -> None:
        missing = [{each.jid, each.alt} - {None} for each in people]
        # The channel ends when the hub stops, or was too quick: it is answered all the same.
        with trio.move_on_after(_JOIN_WAIT), suppress(trio.EndOfChannel):
            while missing:
                data = json.loads((await listener.events.receive()).body)["data"]
                if data["jid"] == group and data["action"] == "add":
                    there = {*data["participants"], *data["participantsAlt"]}
                    missing = [addresses for addresses in missing if not addresses & there]

    try:
        yield settled
    finally:
        with trio.CancelScope(shield=True):
            await hub.cast(Unsubscribe(listener))


def participant_view(member: Member, *, adding: bool = False) -> ParticipantView:
    """Somebody in a group. An error 404 means no account with `adding`, and else nobody who is in it."""
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
        phone=number_of(jid),
        role=role,
        error=why,
        invite_code=member.invitation,
    )
