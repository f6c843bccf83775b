"""Channels, which WhatsApp's protocol calls newsletters: made, found, followed, read and reacted to.

What is sent to one goes through `/api/messages/…`, with the channel's JID in `to`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from attrs import frozen
from quart import Blueprint

from actors import errors
from actors.session.content import plain_content
from actors.whatsapp import channels as wa
from actors.whatsapp.client import Client
from actors.whatsapp.errors import WhatsAppError
from actors.whatsapp.newsletter import Channel, Post
from api.caller import Scope
from api.checks import is_jid
from api.fields import DEFAULT_LIMIT, Emoji, Limit, Name, Paragraph, ServerId, ServerIds
from api.operation import impossible, operation
from api.performing import PERFORMING, perform
from api.portraits import PORTRAYING, PortraitDraft, portrait
from api.refusals import InvalidJid, NotPossible
from storage.rows import Json

T = TypeVar("T")

routes = Blueprint("channels", __name__)

_ERRORS = (*PERFORMING, InvalidJid, errors.ChannelNotFound, errors.NotChannelAdmin)
_UNCHANGEABLE = "The client library can make channels, and neither change nor delete them."


@frozen(kw_only=True)
class NewChannel:
    name: Name
    description: Paragraph | None = None
    picture: PortraitDraft | None = None


@frozen(kw_only=True)
class PostsQuery:
    limit: Limit = DEFAULT_LIMIT
    before: ServerId | None = None
    """Only messages with lower numbers: the first of a page leads to the page before it."""


@frozen(kw_only=True)
class PostReaction:
    emoji: Emoji


@frozen(kw_only=True)
class Viewed:
    server_ids: ServerIds


@frozen(kw_only=True)
class ChannelView:
    """A channel. What it is to the account is null where WhatsApp does not tell."""

    jid: str
    name: str
    description: str
    invite_code: str
    invite_link: str
    subscribers: int
    verified: bool
    state: str | None
    """`active`, `suspended` or `geosuspended`."""
    reactions: str | None
    """Which are allowed: `all`, `basic`, `none` or `blocklist`."""
    picture: str | None
    """Its URL."""
    created_at: int
    """Unix seconds."""
    role: str | None
    """`owner`, `admin`, `subscriber` or `guest`."""
    muted: bool | None


@frozen(kw_only=True)
class ChannelsView:
    channels: list[ChannelView]


@frozen(kw_only=True)
class PostView:
    """A message of a channel. The client library tells neither its time nor its id."""

    server_id: int
    views: int
    reactions: dict[str, int]
    """How many gave each emoji."""
    type: str | None
    text: str | None
    message: Json | None
    """As in `messages.upsert`."""


@frozen(kw_only=True)
class PostsView:
    """Oldest first."""

    messages: list[PostView]


@frozen(kw_only=True)
class SubscribedView:
    seconds: int
    """How long `newsletter.update` events come."""


@operation(routes, "GET", "/channels", scope=Scope.READ, answers={200: ChannelsView}, errors=PERFORMING)
async def listing(session_id: str) -> ChannelsView:
    """The channels that the account follows, its own among them."""
    found = await perform(session_id, "channel.list", wa.channels)
    return ChannelsView(channels=[_view(each) for each in found])


@operation(
    routes,
    "POST",
    "/channels",
    scope=Scope.SEND,
    body=NewChannel,
    answers={201: ChannelView},
    errors=(*PERFORMING, *PORTRAYING),
)
async def create(session_id: str, body: NewChannel) -> ChannelView:
    """Make a channel. WhatsApp's terms for those who make channels are accepted in the account's name."""
    jpeg = None if body.picture is None else await portrait(session_id, body.picture)
    make = partial(wa.create, name=body.name, description=body.description or "", jpeg=jpeg)
    return _view(await perform(session_id, "channel.create", make))


@operation(routes, "GET", "/channels/<jid>", scope=Scope.READ, answers={200: ChannelView}, errors=_ERRORS)
async def get(session_id: str, jid: str) -> ChannelView:
    """One channel, followed or not."""
    return _view(await _in_channel(session_id, "get", jid, wa.channel))


@operation(
    routes,
    "GET",
    "/channels/by-invite/<code>",
    scope=Scope.READ,
    answers={200: ChannelView},
    errors=(*PERFORMING, errors.ChannelNotFound),
)
async def by_invite(session_id: str, code: str) -> ChannelView:
    """The channel behind the code in its link."""
    look = _telling(code, partial(wa.channel_by_invite, code=code))
    return _view(await perform(session_id, "channel.by_invite", look))


impossible(
    routes,
    "PATCH",
    "/channels/<jid>",
    scope=Scope.SEND,
    summary="Change a channel's name or description.",
    why=_UNCHANGEABLE,
)
impossible(
    routes, "DELETE", "/channels/<jid>", scope=Scope.DELETE, summary="Delete a channel.", why=_UNCHANGEABLE
)


@operation(routes, "POST", "/channels/<jid>/follow", scope=Scope.SEND, answers={204: None}, errors=_ERRORS)
async def follow(session_id: str, jid: str) -> None:
    """Follow a channel; `newsletter.join` tells when it is so."""
    await _in_channel(session_id, "follow", jid, wa.follow)


@operation(routes, "POST", "/channels/<jid>/unfollow", scope=Scope.SEND, answers={204: None}, errors=_ERRORS)
async def unfollow(session_id: str, jid: str) -> None:
    """Follow a channel no more; `newsletter.leave` tells when it is so."""
    await _in_channel(session_id, "unfollow", jid, wa.unfollow)


@operation(routes, "POST", "/channels/<jid>/mute", scope=Scope.SEND, answers={204: None}, errors=_ERRORS)
async def mute(session_id: str, jid: str) -> None:
    """Mute a channel on all of the account's devices."""
    await _in_channel(session_id, "mute", jid, partial(wa.mute, muted=True))


@operation(routes, "POST", "/channels/<jid>/unmute", scope=Scope.SEND, answers={204: None}, errors=_ERRORS)
async def unmute(session_id: str, jid: str) -> None:
    """Hear of a channel again."""
    await _in_channel(session_id, "unmute", jid, partial(wa.mute, muted=False))


@operation(
    routes,
    "GET",
    "/channels/<jid>/messages",
    scope=Scope.READ,
    query=PostsQuery,
    answers={200: PostsView},
    errors=_ERRORS,
)
async def messages(session_id: str, jid: str, query: PostsQuery) -> PostsView:
    """A channel's messages, as WhatsApp has them now."""
    ask = partial(wa.posts, count=query.limit, before=query.before)
    found = await _in_channel(session_id, "messages", jid, ask)
    return PostsView(messages=[_post_view(post) for post in found])


@operation(
    routes,
    "POST",
    "/channels/<jid>/messages/<int:server_id>/reaction",
    scope=Scope.SEND,
    body=PostReaction,
    answers={204: None},
    errors=_ERRORS,
)
async def react(session_id: str, jid: str, server_id: int, body: PostReaction) -> None:
    """React to a message; an empty emoji takes that back. WhatsApp does not tell whether it took it."""
    act = partial(wa.react, server_id=server_id, emoji=body.emoji)
    await _in_channel(session_id, "react", jid, act)


@operation(
    routes,
    "POST",
    "/channels/<jid>/viewed",
    scope=Scope.SEND,
    body=Viewed,
    answers={204: None},
    errors=(*_ERRORS, NotPossible),
)
async def viewed(session_id: str, jid: str, body: Viewed) -> None:
    """Count as one who has seen these messages."""
    if max(body.server_ids) > wa.HIGHEST_VIEWED:
        raise NotPossible(f"The client library cannot name messages above number {wa.HIGHEST_VIEWED} here.")
    await _in_channel(session_id, "viewed", jid, partial(wa.mark_viewed, server_ids=list(body.server_ids)))


@operation(
    routes,
    "POST",
    "/channels/<jid>/subscribe",
    scope=Scope.READ,
    answers={200: SubscribedView},
    errors=_ERRORS,
)
async def subscribe(session_id: str, jid: str) -> SubscribedView:
    """Be told for a while of reactions and views, as `newsletter.update`."""
    seconds = await _in_channel(session_id, "subscribe", jid, wa.subscribe_updates)
    return SubscribedView(seconds=round(seconds))


async def _in_channel(session_id: str, name: str, jid: str, act: Callable[[Client, str], Awaitable[T]]) -> T:
    """What `act` answers about this channel."""
    if not (is_jid(jid) and jid.endswith("@newsletter")):
        raise InvalidJid(jid[:255])
    return await perform(session_id, f"channel.{name}", _telling(jid, lambda client: act(client, jid)))


def _telling(channel: str, act: Callable[[Client], Awaitable[T]]) -> Callable[[Client], Awaitable[T]]:
    """The same, where WhatsApp's refusals about a channel are facts with names."""

    async def told(client: Client) -> T:
        try:
            return await act(client)
        except WhatsAppError as error:
            match error.code:
                case 404:
                    raise errors.ChannelNotFound(channel=channel) from None
                case 401 | 403 | 405:
                    raise errors.NotChannelAdmin(channel=channel) from None
                case _:
                    raise

    return told


def _view(channel: Channel) -> ChannelView:
    return ChannelView(
        jid=channel.jid,
        name=channel.name,
        description=channel.description,
        invite_code=channel.invite,
        invite_link=f"https://whatsapp.com/channel/{channel.invite}",
        subscribers=channel.subscribers,
        verified=channel.verified,
        state=channel.state,
        reactions=channel.reactions,
        picture=channel.picture,
        created_at=int(channel.created),
        role=channel.role,
        muted=channel.muted,
    )


def _post_view(post: Post) -> PostView:
    said = None if post.message is None else plain_content(post.message)
    return PostView(
        server_id=post.server_id,
        views=post.views,
        reactions=post.reactions,
        type=None if said is None else said.kind,
        text=None if said is None else said.text,
        message=None if said is None else said.json,
    )
