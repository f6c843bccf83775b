"""Channels, which WhatsApp's protocol calls newsletters, as the client library describes them."""

from typing import Any

from attrs import field, frozen

from .jid import to_text

__all__ = ["Channel", "Post", "channel_from", "post_from"]

_PICTURES = "https://pps.whatsapp.net"


@frozen
class Channel:
    """A channel. What concerns the account itself is None where WhatsApp did not say it."""

    jid: str
    name: str
    description: str
    invite: str
    """The code in its link, `https://whatsapp.com/channel/…`."""
    subscribers: int
    verified: bool
    state: str | None
    """`active`, `suspended` or `geosuspended`."""
    reactions: str | None
    """Which are allowed: `all`, `basic`, `none` or `blocklist`."""
    created: float
    picture: str | None
    """Its URL."""
    role: str | None
    """`owner`, `admin`, `subscriber` or `guest`."""
    muted: bool | None


@frozen
class Post:
    """A message of a channel, which goes by the number that WhatsApp's server gave it."""

    server_id: int
    views: int
    reactions: dict[str, int]
    """How many gave each emoji."""
    message: Any = field(repr=False)
    """A `waE2E.Message`, or None where only the numbers are told."""


def channel_from(metadata: Any) -> Channel:
    """The channel in a `neonize.NewsletterMetadata`."""
    thread, viewer = metadata.ThreadMeta, metadata.ViewerMeta
    known = metadata.HasField("ViewerMeta")
    return Channel(
        jid=to_text(metadata.ID) or "",
        name=thread.Name.Text,
        description=thread.Description.Text,
        invite=thread.InviteCode,
        subscribers=thread.SubscriberCount,
        verified=_named(thread, "VerificationState") == "verified",
        state=_named(metadata.State, "Type"),
        reactions=_named(thread.Settings.ReactionCodes, "Value"),
        created=float(thread.CreationTime),
        picture=_picture(thread.Picture) or _picture(thread.Preview),
        role=role_in(viewer) if known else None,
        muted=is_muted(viewer) if known else None,
    )


def post_from(message: Any) -> Post:
    """The post in a `neonize.NewsletterMessage`."""
    return Post(
        server_id=message.MessageServerID,
        views=message.ViewsCount,
        reactions={each.type: each.count for each in message.ReactionCounts},
        message=message.Message if message.HasField("Message") else None,
    )


def role_in(message: Any) -> str | None:
    """The account's role in a channel."""
    return _named(message, "Role")


def is_muted(message: Any) -> bool | None:
    """Whether the account has muted a channel."""
    state = _named(message, "Mute")
    return None if state is None else state == "on"


def _named(message: Any, name: str) -> str | None:
    """The name of an enum's value; None where the library found none for what WhatsApp said."""
    if not message.HasField(name):
        return None
    values = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number
    return str(values[getattr(message, name)].name).lower()


def _picture(picture: Any) -> str | None:
    if picture.URL:
        return str(picture.URL)
    return f"{_PICTURES}{picture.DirectPath}" if picture.DirectPath else None
