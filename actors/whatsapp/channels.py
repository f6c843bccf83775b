"""Calls to the client library about channels. All raise CellErrors, and ValueError for what is no address.

A channel that is not there is a WhatsAppError with code 404.
"""

from contextlib import suppress

from .client import Client
from .errors import WhatsAppError
from .jid import to_proto
from .newsletter import Channel, Post, channel_from, post_from
from .proto import neonize

__all__ = [
    "HIGHEST_VIEWED",
    "channel",
    "channel_by_invite",
    "channels",
    "create",
    "follow",
    "mark_viewed",
    "mute",
    "posts",
    "react",
    "subscribe_updates",
    "unfollow",
]

HIGHEST_VIEWED = 255
"""The library's binding takes the numbers of posts that were viewed as bytes."""

_TERMS = ("20601218", "5")  # of those who make channels, from whatsmeow's newsletter.go
_VIEW_TIMEOUT = 20.0  # seconds; the library itself would wait for ever
_NANOSECONDS = 10**9


async def channels(client: Client) -> list[Channel]:
    """All that the account follows, its own among them."""
    answer = await client.ask(neonize.GetSubscribedNewslettersReturnFunction, "GetSubscribedNewsletters")
    return [channel_from(each) for each in answer.Newsletter]


async def channel(client: Client, jid: str) -> Channel:
    """One channel, followed or not."""
    return await _channel(client, "GetNewsletterInfo", to_proto(jid))


async def channel_by_invite(client: Client, code: str) -> Channel:
    """The channel behind the code in its link; what it is to the account is not told."""
    return await _channel(client, "GetNewsletterInfoWithInvite", code)


async def create(client: Client, *, name: str, description: str, jpeg: bytes | None) -> Channel:
    """Make a channel; WhatsApp's terms for those who do are accepted with it."""
    with suppress(WhatsAppError):  # if that mattered, making the channel fails too, and says why
        await client.tell("AcceptTOSNotice", *_TERMS)
    asked = neonize.CreateNewsletterParams(Name=name, Description=description, Picture=jpeg or b"")
    return await _channel(client, "CreateNewsletter", asked)


async def follow(client: Client, jid: str) -> None:
    await client.tell("FollowNewsletter", to_proto(jid))


async def unfollow(client: Client, jid: str) -> None:
    await client.tell("UnfollowNewsletter", to_proto(jid))


async def mute(client: Client, jid: str, *, muted: bool) -> None:
    await client.tell("NewsletterToggleMute", to_proto(jid), muted)


async def posts(client: Client, jid: str, *, count: int, before: int | None = None) -> list[Post]:
    """Up to `count` messages of a channel, oldest first; of those below a server id, the last ones."""
    answer = await client.ask(
        neonize.GetNewsletterMessageUpdateReturnFunction,
        "GetNewsletterMessages",
        to_proto(jid),
        count,
        before or 0,
    )
    return [post_from(each) for each in answer.NewsletterMessage]


async def react(client: Client, jid: str, server_id: int, emoji: str) -> None:
    """React to a message; an empty emoji takes that back. WhatsApp gives no answer: it was written out."""
    await client.tell("NewsletterSendReaction", to_proto(jid), server_id, emoji, "")


async def mark_viewed(client: Client, jid: str, server_ids: list[int]) -> None:
    """Count as one who has seen these messages, none of them above HIGHEST_VIEWED."""
    await client.tell("NewsletterMarkViewed", to_proto(jid), bytes(server_ids), timeout=_VIEW_TIMEOUT)


async def subscribe_updates(client: Client, jid: str) -> float:
    """Be told of reactions and views (`ChannelUpdated`) for so many seconds."""
    answer = await client.ask(
        neonize.NewsletterSubscribeLiveUpdatesReturnFunction,
        "NewsletterSubscribeLiveUpdates",
        to_proto(jid),
    )
    return float(answer.Duration) / _NANOSECONDS


async def _channel(client: Client, function: str, *arguments: object) -> Channel:
    answer = await client.ask(neonize.CreateNewsLetterReturnFunction, function, *arguments)
    if not answer.HasField("NewsletterMetadata"):
        raise WhatsAppError(404, "there is no such channel")
    return channel_from(answer.NewsletterMetadata)
