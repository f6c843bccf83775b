"""What the account knows of people and may do about them: names, about, picture, block list, chat settings.

All raise as `client.py` does.
"""

from attrs import field, frozen

from .client import Client
from .jid import to_proto, to_text
from .proto import neonize

__all__ = [
    "ChatSettings",
    "Contact",
    "Person",
    "Picture",
    "blocked",
    "chat_settings",
    "contact",
    "contacts",
    "person",
    "picture",
    "set_blocked",
]


@frozen
class Contact:
    """Somebody as the client's own store has them; what is not known is None."""

    jid: str
    """By the address under which they were learnt, so one person may be there twice."""
    full_name: str | None = field(repr=False)
    """As in the phone's address book."""
    first_name: str | None = field(repr=False)
    push_name: str | None = field(repr=False)
    """What they call themselves."""
    business_name: str | None = field(repr=False)
    """As WhatsApp has verified it."""


@frozen
class Person:
    """Somebody as WhatsApp tells of them now."""

    jid: str
    about: str | None = field(repr=False)
    """None: hidden, or empty."""
    picture_id: str | None
    devices: int


@frozen
class Picture:
    """A profile or group picture, to be fetched from `url` while that is good: some days."""

    id: str
    url: str
    type: str
    """`image` or `preview`."""


@frozen
class ChatSettings:
    """What the phone has set for a chat."""

    archived: bool
    pinned: bool
    muted_until: float | None
    """Unix seconds; None: not muted."""


async def contacts(client: Client) -> tuple[Contact, ...]:
    """Everybody in the client's store: the phone's address book, and who wrote."""
    answer = await client.ask(neonize.ContactsGetAllContactsReturnFunction, "GetAllContacts")
    return tuple(_contact(to_text(each.JID) or "", each.Info) for each in answer.Contact)


async def contact(client: Client, jid: str) -> Contact | None:
    """One of them, by exactly this address."""
    answer = await client.ask(neonize.ContactsGetContactReturnFunction, "GetContact", to_proto(jid))
    return _contact(jid, answer.ContactInfo) if answer.ContactInfo.Found else None


async def person(client: Client, jid: str) -> Person | None:
    """Ask WhatsApp about somebody; None when it says nothing.

    A business's verified name is not told here: the library puts it into its store, where `contact` finds it.
    """
    asked = neonize.JIDArray(JIDS=[to_proto(jid)])
    answer = await client.ask(neonize.GetUserInfoReturnFunction, "GetUserInfo", asked)
    for each in answer.UsersInfo:
        info = each.UserInfo
        return Person(
            jid=to_text(each.JID) or jid,
            about=info.Status or None,
            picture_id=info.PictureID or None,
            devices=len(info.Devices),
        )
    return None


async def picture(client: Client, jid: str, *, preview: bool = False) -> Picture | None:
    """The picture of somebody or a group. WhatsAppError 401 when it is hidden, 404 where there is none."""
    asked = neonize.GetProfilePictureParams(Preview=preview, ExistingID="", IsCommunity=False)
    answer = await client.ask(
        neonize.GetProfilePictureReturnFunction, "GetProfilePicture", to_proto(jid), asked
    )
    found = answer.Picture
    return Picture(id=found.ID, url=found.URL, type=found.Type) if found.URL else None


async def blocked(client: Client) -> tuple[str, ...]:
    """The addresses, mostly LIDs, of whom the account has blocked."""
    answer = await client.ask(neonize.GetBlocklistReturnFunction, "GetBlocklist")
    return tuple(jid for each in answer.Blocklist.JIDs if (jid := to_text(each)) is not None)


async def set_blocked(client: Client, jid: str, block: bool) -> None:
    """Have nothing of somebody reach the account any more, or again."""
    action = "block" if block else "unblock"
    await client.ask(neonize.GetBlocklistReturnFunction, "UpdateBlocklist", to_proto(jid), action)


async def chat_settings(client: Client, jid: str) -> ChatSettings | None:
    """What the phone has set for the chat of exactly this address; None when it has never set anything."""
    answer = await client.ask(neonize.ReturnFunctionWithError, "GetChatSettings", to_proto(jid))
    found = answer.LocalChatSettings
    if not found.Found:
        return None
    return ChatSettings(
        archived=found.Archived,
        pinned=found.Pinned,
        muted_until=found.MutedUntil if found.MutedUntil > 0 else None,  # Go's zero time lies long before
    )


def _contact(jid: str, info: object) -> Contact:
    def text(name: str) -> str | None:
        return getattr(info, name) or None

    return Contact(
        jid=jid,
        full_name=text("FullName"),
        first_name=text("FirstName"),
        push_name=text("PushName"),
        business_name=text("BusinessName"),
    )
