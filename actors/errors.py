"""What a session answers when it cannot do what was asked: facts with fields, its actor's domain errors."""

from datetime import datetime

from attrs import frozen


class SessionError(Exception):
    """Base of everything a session actor or the session directory answers instead of a result."""


@frozen(kw_only=True)
class SessionNotFound(SessionError):
    """No session has this id."""

    session_id: str


@frozen(kw_only=True)
class SessionExists(SessionError):
    """A session with this id is there already."""

    session_id: str


@frozen(kw_only=True)
class AlreadyRunning(SessionError):
    """Asked to start what is started."""

    session_id: str


@frozen(kw_only=True)
class SessionDisconnected(SessionError):
    """The session is stopped, starting or pairing: nothing can be sent through it now."""

    session_id: str
    state: str


@frozen(kw_only=True)
class SessionLoggedOut(SessionError):
    """The account's owner, or a logout call, unlinked this device: it has to be paired again."""

    session_id: str


@frozen(kw_only=True)
class SessionRestarting(SessionError):
    """The session lost its connection and is on its way back. Nothing was sent."""

    session_id: str
    retry_after: float  # seconds


@frozen(kw_only=True)
class AccountRestricted(SessionError):
    """WhatsApp restricts the account; `until` when it said how long."""

    session_id: str
    reason: str
    until: datetime | None = None


@frozen(kw_only=True)
class RateLimited(SessionError):
    """The session's token bucket is empty. Nothing was sent."""

    session_id: str
    limit: int  # messages a minute
    retry_after: float  # seconds until a token is there


@frozen(kw_only=True)
class QueueFull(SessionError):
    """More sends are waiting in the session than it keeps. Nothing was sent."""

    session_id: str
    retry_after: float  # seconds


@frozen(kw_only=True)
class RecipientNotOnWhatsApp(SessionError):
    """WhatsApp knows no account with this number. Nothing was sent."""

    recipient: str


@frozen(kw_only=True)
class NewChatCap(SessionError):
    """The session has begun as many chats with strangers as it may in a day. Nothing was sent."""

    session_id: str
    limit: int  # chats a day
    retry_after: float  # seconds until the next one may be begun


@frozen(kw_only=True)
class MessageNotFound(SessionError):
    """A message that is quoted, reacted to, forwarded or the like is not stored. Nothing was sent."""

    message_id: str


@frozen(kw_only=True)
class MessageUnsuitable(SessionError):
    """That cannot be done with this message: an edit of somebody else's, say. Nothing was sent."""

    message_id: str
    reason: str  # a clause: "it was not sent yet"


@frozen(kw_only=True)
class MediaNotFound(SessionError):
    """The file that was to be sent is not (any more) in the media store. Nothing was sent."""

    media_id: str


@frozen(kw_only=True)
class MediaGone(SessionError):
    """The file of a message cannot be had (any more)."""

    reason: str  # a sentence


@frozen(kw_only=True)
class NotSupported(SessionError):
    """The client library has no way to send this, or not there. Nothing was sent."""

    reason: str  # a sentence


@frozen(kw_only=True)
class GroupNotFound(SessionError):
    """WhatsApp knows no such group."""

    group: str


@frozen(kw_only=True)
class NotGroupMember(SessionError):
    """The account is not in the group."""

    group: str


@frozen(kw_only=True)
class NotGroupAdmin(SessionError):
    """The account is in the group, and only an admin may do this."""

    group: str


@frozen
class InviteInvalid(SessionError):
    """The link or code leads to no group."""


@frozen
class InviteRevoked(SessionError):
    """The link was replaced by another, or does not let this account in."""


@frozen
class PictureUnsuitable(SessionError):
    """WhatsApp does not take this file for a picture."""


@frozen(kw_only=True)
class PictureNotFound(SessionError):
    """There is no picture to be seen."""

    reason: str  # a sentence


@frozen(kw_only=True)
class ChannelNotFound(SessionError):
    """WhatsApp knows no such channel, or no message of that number there."""

    channel: str  # its JID, or the code in its link


@frozen(kw_only=True)
class NotChannelAdmin(SessionError):
    """The channel does not let the account do this: only who runs it may, or only who follows it."""

    channel: str


@frozen(kw_only=True)
class NoPushName(SessionError):
    """The account has no name yet that others could be shown."""

    session_id: str


@frozen(kw_only=True)
class NotBusiness(SessionError):
    """Nobody here is a business whose name WhatsApp has verified."""

    jid: str


@frozen(kw_only=True)
class NoQr(SessionError):
    """There is no QR code to scan: the session is not pairing, or its first code is still on the way."""

    session_id: str
    state: str


@frozen(kw_only=True)
class PairingRefused(SessionError):
    """WhatsApp did not give a pairing code."""

    session_id: str
    reason: str


@frozen(kw_only=True)
class WhatsAppFailed(SessionError):
    """WhatsApp, or the client library, answered with an error. Nothing was sent."""

    session_id: str
    reason: str
    code: int | None = None


@frozen(kw_only=True)
class OutcomeUnknown(SessionError):
    """The request went out and no answer came: it may or may not have had its effect."""

    session_id: str
    message_id: str | None = None
