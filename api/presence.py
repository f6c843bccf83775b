"""Being online, and knowing who else is."""

from functools import partial

from attrs import frozen
from quart import Blueprint

from actors.errors import NoPushName
from actors.whatsapp.client import Client
from actors.whatsapp.errors import WhatsAppError
from api.caller import Scope
from api.fields import Address
from api.operation import Where, operation
from api.performing import PERFORMING, jid_of, perform
from api.refusals import InvalidJid, NotFound
from api.services import services

routes = Blueprint("presence", __name__)

_NAMELESS = "without PushName"  # in whatsmeow's words


@frozen(kw_only=True)
class OwnPresence:
    available: bool
    """Whether the account is shown as online. While it is, its phone gets no notifications."""


@frozen(kw_only=True)
class Subscription:
    to: Address
    """A phone number or a user's JID."""


@frozen(kw_only=True)
class PresenceView:
    """Whether somebody was online when WhatsApp last told."""

    jid: str
    jid_alt: str | None
    """The same person's LID, where it is known."""
    online: bool
    last_seen: int | None
    """Unix seconds; null while they are online, or where they hide it."""
    at: int
    """When WhatsApp told, Unix seconds."""


@operation(
    routes,
    "PUT",
    "/presence",
    scope=Scope.SEND,
    body=OwnPresence,
    answers={200: OwnPresence},
    errors=(*PERFORMING, NoPushName),
)
async def put(session_id: str, body: OwnPresence) -> OwnPresence:
    """Be shown as online, or not; kept over reconnections, and not over restarts of the session."""
    return await _show(session_id, body)


@operation(
    routes,
    "POST",
    "/presence",
    scope=Scope.SEND,
    body=OwnPresence,
    answers={200: OwnPresence},
    errors=(*PERFORMING, NoPushName),
)
async def post(session_id: str, body: OwnPresence) -> OwnPresence:
    """The same as PUT."""
    return await _show(session_id, body)


@operation(
    routes,
    "POST",
    "/presence/subscribe",
    scope=Scope.READ,
    body=Subscription,
    answers={204: None},
    errors=(*PERFORMING, InvalidJid),
)
async def subscribe(session_id: str, body: Subscription) -> None:
    """Be told (`presence.update`) when somebody goes online or offline, until the session reconnects.

    WhatsApp tells only those who are shown as online themselves, and nothing of people who hide it.
    """
    jid = jid_of(body.to)
    await perform(session_id, "presence.subscribe", partial(Client.subscribe_presence, jid=jid))


@operation(
    routes,
    "GET",
    "/presence/<address>",
    where=Where.ANY,
    scope=Scope.READ,
    answers={200: PresenceView},
    errors=(InvalidJid, NotFound),
)
async def get(session_id: str, address: str) -> PresenceView:
    """What WhatsApp last told of somebody, by phone number or JID; 404 where it never did."""
    found = await services().reads.last_presence(session_id, jid_of(address))
    if found is None:
        raise NotFound("presence", address)
    return PresenceView(
        jid=found.data["jid"],
        jid_alt=found.data["jidAlt"],
        online=found.data["online"],
        last_seen=found.data["lastSeen"],
        at=int(found.occurred_at.timestamp()),
    )


async def _show(session_id: str, wish: OwnPresence) -> OwnPresence:
    async def show(client: Client) -> None:
        try:
            await client.send_presence(wish.available)
        except WhatsAppError as error:
            if _NAMELESS in error.text:
                raise NoPushName(session_id=session_id) from None
            raise

    await perform(session_id, "presence.set", show)
    return wish
