"""What the account shows of itself: calls to the client library about its own profile.

All raise CellErrors.
"""

import trio
from attrs import frozen

from .client import Client
from .errors import WhatsAppError
from .people import Picture, person, picture
from .proto import neonize

__all__ = [
    "Profile",
    "contact_link",
    "profile",
    "set_about",
    "set_default_timer",
    "set_name",
    "set_picture",
]

_KEYS_MISSING = "app state key"  # in whatsmeow's words for what a device just paired has to wait for
_KEYS_WAIT = 15.0  # seconds for the phone to share them
_RETRY = 0.25  # seconds
_LINK = "https://wa.me/qr/"
_NANOSECONDS = 10**9


@frozen
class Profile:
    """What others see of the account."""

    jid: str
    lid: str | None
    name: str
    """Empty while none is set."""
    about: str | None
    picture: Picture | None


async def profile(client: Client) -> Profile:
    """The account's own profile; the about text and the picture are asked of WhatsApp."""
    me = await client.get_me()
    if me is None:
        raise WhatsAppError(None, "the client is not paired")
    user, _, server = me.jid.partition("@")
    jid = f"{user.partition(':')[0]}@{server}"
    found = await person(client, jid)
    return Profile(
        jid=jid,
        lid=me.lid,
        name=me.push_name,
        about=None if found is None else found.about,
        picture=await _picture(client, jid),
    )


async def set_name(client: Client, name: str) -> None:
    """Set the name that others see. A device just paired waits here for its phone's keys."""
    deadline = trio.current_time() + _KEYS_WAIT
    while True:
        try:
            await client.set_push_name(name)
            break
        except WhatsAppError as error:
            if _KEYS_MISSING not in error.text or trio.current_time() > deadline:
                raise
        await trio.sleep(_RETRY)
    await client.send_presence(client.available)  # the server learns the name from that


async def set_about(client: Client, about: str) -> None:
    """Set the text below the name; an empty one takes it away."""
    await client.tell("SetStatusMessage", about)


async def set_picture(client: Client, jpeg: bytes) -> str:
    """Set the picture, a square JPEG, and give its id. There is no way to take it away."""
    answer = await client.ask(neonize.SetGroupPhotoReturnFunction, "SetProfilePhoto", jpeg)
    return str(answer.PictureID)


async def contact_link(client: Client, *, revoke: bool = False) -> str:
    """The link under which the account can be written to; `revoke` makes a new one, and the old one void."""
    answer = await client.ask(neonize.GetContactQRLinkReturnFunction, "GetContactQRLink", revoke)
    return _LINK + str(answer.Link).removeprefix(_LINK)


async def set_default_timer(client: Client, seconds: int) -> None:
    """Have the messages of chats that begin from now on disappear after so long; 0: not at all."""
    await client.tell("SetDefaultDisappearingTimer", seconds * _NANOSECONDS)


async def _picture(client: Client, jid: str) -> Picture | None:
    try:
        return await picture(client, jid)
    except WhatsAppError as error:
        if error.code == 404:
            return None
        raise
