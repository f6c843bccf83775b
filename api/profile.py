"""The account's own profile: name, about, picture, link, privacy, and how long messages last."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from attrs import frozen
from quart import Blueprint, Response

from actors.errors import PictureUnsuitable
from actors.whatsapp import profile as wa
from actors.whatsapp.client import Client
from actors.whatsapp.errors import WhatsAppError
from api.bodies import not_null
from api.caller import Scope
from api.constraints import never_null
from api.fields import About, ProfileName, Timer
from api.operation import impossible, operation
from api.pairing import QrFormat, render
from api.performing import PERFORMING, perform
from api.portraits import PORTRAYING, PictureSetView, PortraitDraft, portrait
from api.services import services
from storage.rows import Json

routes = Blueprint("profile", __name__)


@frozen(kw_only=True)
class ProfileChanges:
    name: ProfileName | None = None
    about: About | None = None
    """Null takes it away, as an empty one does."""

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield never_null("name")


@frozen(kw_only=True)
class DefaultTimer:
    ephemeral_seconds: Timer


@frozen(kw_only=True)
class LinkQuery:
    format: QrFormat = QrFormat.JSON


@frozen(kw_only=True)
class ProfilePictureView:
    """A picture on WhatsApp's media host."""

    id: str
    url: str
    """Good for some days."""


@frozen(kw_only=True)
class ProfileView:
    """What others see of the account; null is what is not set."""

    jid: str
    lid: str | None
    phone: str
    name: str | None
    about: str | None
    picture: ProfilePictureView | None


@frozen(kw_only=True)
class ContactLinkView:
    """Where the account can be written to."""

    link: str


@operation(routes, "GET", "/profile", scope=Scope.READ, answers={200: ProfileView}, errors=PERFORMING)
async def get(session_id: str) -> ProfileView:
    """The account's name, about text and picture, as WhatsApp has them now."""
    return await _profile(session_id)


@operation(
    routes,
    "PATCH",
    "/profile",
    scope=Scope.SETTINGS,
    body=ProfileChanges,
    patch=True,
    answers={200: ProfileView},
    errors=PERFORMING,
)
async def patch(session_id: str, body: dict[str, Any]) -> ProfileView:
    """Change the name, the about text, or one after the other.

    A name may take seconds on a device that was just paired: it waits for its phone's keys.
    """
    return await _change(session_id, body)


@operation(
    routes,
    "PUT",
    "/profile",
    scope=Scope.SETTINGS,
    body=ProfileChanges,
    patch=True,
    answers={200: ProfileView},
    errors=PERFORMING,
)
async def put(session_id: str, body: dict[str, Any]) -> ProfileView:
    """The same as PATCH."""
    return await _change(session_id, body)


@operation(
    routes,
    "PUT",
    "/profile/picture",
    scope=Scope.SETTINGS,
    body=PortraitDraft,
    answers={200: PictureSetView},
    errors=(*PERFORMING, *PORTRAYING),
)
async def put_picture(session_id: str, body: PortraitDraft) -> PictureSetView:
    """Set the account's picture; the middle of what is given, in any format, is shown."""
    jpeg = await portrait(session_id, body)

    async def set_picture(client: Client) -> str:
        try:
            return await wa.set_picture(client, jpeg)
        except WhatsAppError as error:
            if error.code == 406:
                raise PictureUnsuitable from None
            raise

    return PictureSetView(id=await perform(session_id, "profile.picture", set_picture))


impossible(
    routes,
    "DELETE",
    "/profile/picture",
    scope=Scope.SETTINGS,
    summary="Take the account's picture away.",
    why="The client library cannot take the picture away; it can be replaced.",
)


@operation(
    routes,
    "GET",
    "/profile/qr",
    scope=Scope.READ,
    query=LinkQuery,
    answers={200: (ContactLinkView, "image/png", "image/svg+xml", "text/plain")},
    errors=PERFORMING,
)
async def qr(session_id: str, query: LinkQuery) -> ContactLinkView | Response:
    """The link under which anybody can write to the account; in the other formats, as a QR code."""
    link = await perform(session_id, "profile.link", wa.contact_link)
    if query.format is QrFormat.JSON:
        return ContactLinkView(link=link)
    body, content_type = render(link, query.format)
    return Response(body, content_type=content_type)


@operation(
    routes,
    "POST",
    "/profile/qr/revoke",
    scope=Scope.SETTINGS,
    answers={200: ContactLinkView},
    errors=PERFORMING,
)
async def revoke_qr(session_id: str) -> ContactLinkView:
    """Make the link void, and give a new one."""
    link = await perform(session_id, "profile.revoke_link", partial(wa.contact_link, revoke=True))
    return ContactLinkView(link=link)


@operation(
    routes,
    "PUT",
    "/profile/disappearing",
    scope=Scope.SETTINGS,
    body=DefaultTimer,
    answers={200: DefaultTimer},
    errors=PERFORMING,
)
async def put_timer(session_id: str, body: DefaultTimer) -> DefaultTimer:
    """How long the messages of chats last that begin from now on."""
    await perform(session_id, "profile.timer", partial(wa.set_default_timer, seconds=body.ephemeral_seconds))
    return body


impossible(
    routes,
    "GET",
    "/profile/disappearing",
    scope=Scope.READ,
    summary="How long the messages of new chats last.",
    why="The client library can set how long messages last, and not ask for it.",
)


async def _profile(session_id: str) -> ProfileView:
    found = await perform(session_id, "profile.get", wa.profile)
    picture = found.picture
    return ProfileView(
        jid=found.jid,
        lid=found.lid,
        phone=found.jid.partition("@")[0],
        name=found.name or None,
        about=found.about,
        picture=None if picture is None else ProfilePictureView(id=picture.id, url=picture.url),
    )


async def _change(session_id: str, given: dict[str, Any]) -> ProfileView:
    if "name" in given:
        name = not_null("name", given["name"])
        await perform(session_id, "profile.name", partial(wa.set_name, name=name))
        await services().sessions.update(session_id, {"push_name": name})
    if "about" in given:
        await perform(session_id, "profile.about", partial(wa.set_about, about=given["about"] or ""))
    return await _profile(session_id)
