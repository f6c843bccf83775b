"""What a client tells its session: one small frozen class an event, each saying when it comes.

Addresses are text without a device (`jid.py`); `…_alt` is the same party in the other form (phone number for
a LID, LID for a phone number) when WhatsApp said it, else None. Times are Unix seconds.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from .groups import Group
from .newsletter import Channel, Post

__all__ = [
    "BlocklistChanged",
    "CallEvent",
    "CallStage",
    "ChannelJoined",
    "ChannelLeft",
    "ChannelMuted",
    "ChannelUpdated",
    "ChatPresence",
    "ClientEvent",
    "ClientOutdated",
    "ConnectFailure",
    "Connected",
    "Disconnected",
    "GroupChanged",
    "HistorySync",
    "Identified",
    "IdentityChanged",
    "JoinedGroup",
    "JournalFull",
    "KeepAliveRestored",
    "KeepAliveTimeout",
    "LoggedOut",
    "LoopEnded",
    "MessageArrived",
    "OfflineSynced",
    "OldCounter",
    "OtherEvent",
    "Paired",
    "PairingEnded",
    "PairingRefused",
    "PictureChanged",
    "PresenceChanged",
    "PrivacyChanged",
    "QrCode",
    "ReceiptArrived",
    "ReceiptKind",
    "StreamError",
    "StreamReplaced",
    "TemporaryBan",
    "UndecryptableMessage",
    "Unreadable",
]


# --- pairing -----------------------------------------------------------------------------------------------


@frozen
class QrCode:
    """Comes about every 20 s (the first after 60 s) while the session waits to be scanned."""

    code: str = field(repr=False)


@frozen
class PairingEnded:
    """No more QR codes: `success`, `timeout`, `error` or `err-…`.

    After anything but `success` this client does nothing any more: stop it and attach anew.
    """

    reason: str


@frozen
class Paired:
    """The phone has accepted this device. `Identified`, with LID and push name, came just before."""

    jid: str
    business_name: str
    platform: str


@frozen
class PairingRefused:
    """The phone's answer could not be trusted; the client waits on for nothing."""

    jid: str | None
    reason: str


@frozen
class Identified:
    """Who the client is; first of all events of a paired client, and again after each start."""

    jid: str
    """With its device: `628123:7@s.whatsapp.net`."""
    lid: str | None
    push_name: str
    business_name: str
    platform: str


# --- the connection ----------------------------------------------------------------------------------------


@frozen
class Connected:
    """Logged in and ready to send; comes again after every reconnection."""


@frozen
class Disconnected:
    """The link was lost; the library reconnects by itself."""


@frozen
class KeepAliveTimeout:
    """The server did not answer a ping; comes first after about 37 s of silence."""

    errors: int
    last_success: float


@frozen
class KeepAliveRestored:
    """The server answers pings again."""


@frozen
class LoggedOut:
    """The device was unlinked; its keys are deleted. Pairing anew is the only way back."""

    on_connect: bool
    reason: str


@frozen
class StreamReplaced:
    """Another client logged in with the same keys; this one stays off."""


@frozen
class TemporaryBan:
    """WhatsApp restricts the account: `reason` such as `blocked_by_users`, for `expires_in` seconds."""

    reason: str
    expires_in: float


@frozen
class ConnectFailure:
    """The server refused the login for a reason that has no event of its own."""

    reason: str
    message: str


@frozen
class ClientOutdated:
    """The server no longer accepts this version of the client library."""


@frozen
class StreamError:
    """The server ended the stream with a code unknown to the library; it reconnects by itself."""

    code: str


@frozen
class LoopEnded:
    """The library's event loop returned, with the Go error's text or empty.

    Nothing more comes from this client whatever its socket does: stop it and attach anew.
    """

    error: str


@frozen
class JournalFull:
    """More was received than the gateway stored, so the client was disconnected and WhatsApp queues.

    It comes after all that was received before. Stop the client and attach anew to go on.
    """

    unacknowledged: int
    """Bytes."""


# --- messages ----------------------------------------------------------------------------------------------


@frozen
class MessageArrived:
    """A message was decrypted: from others, or from this account's other devices (`from_me`).

    Protocol messages (key shares, sender keys) come too; a group message that carries a sender key comes
    twice with one id, the first time without content.
    """

    id: str
    chat: str
    chat_alt: str | None
    sender: str
    sender_alt: str | None
    sender_device: int
    from_me: bool
    is_group: bool
    push_name: str
    timestamp: float
    type: str
    """`text`, `media`, `reaction`, `poll`…"""
    media_type: str
    category: str
    """`peer` for messages between own devices, mostly empty."""
    edit: str
    """`1` an edit, `7` a revoke by its author, `8` by an admin, else empty."""
    message: Any = field(repr=False)
    """The content: a `waE2E.Message`."""
    is_view_once: bool = False
    is_ephemeral: bool = False
    server_id: int | None = None
    """Of channel posts only."""


@frozen
class UndecryptableMessage:
    """A message came that this device cannot read; a retry was asked for unless it is `unavailable`."""

    id: str
    chat: str
    chat_alt: str | None
    sender: str
    sender_alt: str | None
    from_me: bool
    is_group: bool
    timestamp: float
    unavailable: bool
    """True for what WhatsApp shows on the phone only, such as view-once media."""
    hide: bool


@frozen
class OldCounter:
    """A message came again that was decrypted once before; if its id is not stored, it is known lost.

    Of one in two parts the other may still come.
    """

    id: str
    sender: str
    chat: str
    sender_alt: str | None = None
    chat_alt: str | None = None


class ReceiptKind(StrEnum):
    DELIVERED = "delivered"
    SENDER = "sender"
    RETRY = "retry"
    READ = "read"
    READ_SELF = "read_self"
    PLAYED = "played"
    PLAYED_SELF = "played_self"
    INACTIVE = "inactive"
    PEER = "peer"
    HISTORY_SYNC = "history_sync"


@frozen
class ReceiptArrived:
    """Someone's device, or another of our own (`from_me`), received, read or played messages."""

    chat: str
    chat_alt: str | None
    sender: str
    sender_alt: str | None
    sender_device: int
    from_me: bool
    is_group: bool
    ids: tuple[str, ...]
    kind: ReceiptKind
    timestamp: float


@frozen
class HistorySync:
    """A part of the phone's history; `data` is a `waHistorySync.HistorySync`."""

    type: str
    progress: int
    data: Any = field(repr=False)


@frozen
class OfflineSynced:
    """All that WhatsApp had queued while the client was away has been delivered."""

    count: int


# --- people, groups, calls ---------------------------------------------------------------------------------


@frozen
class PresenceChanged:
    """Someone subscribed to went online or offline."""

    jid: str
    online: bool
    last_seen: float | None
    jid_alt: str | None = None


@frozen
class ChatPresence:
    """Someone started or stopped typing or recording."""

    chat: str
    sender: str
    sender_alt: str | None
    is_group: bool
    composing: bool
    audio: bool


@frozen
class PictureChanged:
    """A contact's or group's picture was set or removed."""

    jid: str
    author: str | None
    timestamp: float
    removed: bool
    jid_alt: str | None = None


@frozen
class IdentityChanged:
    """A contact's identity key changed: they reinstalled WhatsApp."""

    jid: str
    timestamp: float
    implicit: bool
    jid_alt: str | None = None


@frozen
class BlocklistChanged:
    """The account's block list changed on another device; empty when only its hash is known."""

    blocked: tuple[str, ...]
    unblocked: tuple[str, ...]
    alts: Mapping[str, str | None] = field(factory=dict)
    """Of some of them, the other address."""


@frozen
class PrivacyChanged:
    """The account's privacy was set on another device; only what changed is known, not to what."""

    changed: tuple[str, ...]
    """`groupAdd`, `lastSeen`, `status`, `profile`, `readReceipts`, `online`, `callAdd`."""


@frozen
class GroupChanged:
    """Something in a group changed; what is None or empty did not. Comes for one's own changes too."""

    jid: str
    sender: str | None
    push_name: str
    timestamp: float
    join: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    promote: tuple[str, ...] = ()
    demote: tuple[str, ...] = ()
    join_reason: str = ""
    subject: str | None = None
    description: str | None = None
    locked: bool | None = None
    announce: bool | None = None
    ephemeral_seconds: int | None = None
    invite_link: str | None = None
    deleted: bool = False
    unknown: tuple[str, ...] = ()
    """Tags of changes that the library has no field for, such as requests to join."""
    alts: Mapping[str, str | None] = field(factory=dict)
    """Of some of the people in it, the other address."""


@frozen
class JoinedGroup:
    """The account was added to a group, or made one."""

    group: Group
    reason: str
    sender: str | None
    sender_phone: str | None


class CallStage(StrEnum):
    OFFERED = "offered"
    NOTICE = "notice"
    """A group call, or one that other devices take."""
    PREACCEPTED = "preaccepted"
    ACCEPTED = "accepted"
    TRANSPORT = "transport"
    LATENCY = "latency"
    ENDED = "ended"


@frozen
class CallEvent:
    """A call was offered, answered elsewhere or ended."""

    stage: CallStage
    id: str
    sender: str
    creator: str
    creator_alt: str | None
    timestamp: float
    reason: str = ""
    media: str = ""


# --- channels ----------------------------------------------------------------------------------------------


@frozen
class ChannelJoined:
    """The account follows a channel, from now on."""

    channel: Channel


@frozen
class ChannelLeft:
    """The account follows a channel no more."""

    jid: str
    role: str | None


@frozen
class ChannelMuted:
    """A channel was muted, or is heard again."""

    jid: str
    muted: bool | None


@frozen
class ChannelUpdated:
    """Numbers of a channel's posts changed; comes for a while after it was asked for."""

    jid: str
    timestamp: float
    posts: tuple[Post, ...]


@frozen
class OtherEvent:
    """An event of the library without a class here; `payload` is its protobuf named `name`."""

    name: str
    payload: bytes = field(repr=False)


@frozen
class Unreadable:
    """A record that could not be understood. Never a reason to stop."""

    kind: int
    reason: str


ClientEvent = (
    QrCode
    | PairingEnded
    | Paired
    | PairingRefused
    | Identified
    | Connected
    | Disconnected
    | KeepAliveTimeout
    | KeepAliveRestored
    | LoggedOut
    | StreamReplaced
    | TemporaryBan
    | ConnectFailure
    | ClientOutdated
    | StreamError
    | LoopEnded
    | JournalFull
    | MessageArrived
    | UndecryptableMessage
    | OldCounter
    | ReceiptArrived
    | HistorySync
    | OfflineSynced
    | PresenceChanged
    | ChatPresence
    | PictureChanged
    | IdentityChanged
    | BlocklistChanged
    | PrivacyChanged
    | GroupChanged
    | JoinedGroup
    | CallEvent
    | ChannelJoined
    | ChannelLeft
    | ChannelMuted
    | ChannelUpdated
    | OtherEvent
    | Unreadable
)
