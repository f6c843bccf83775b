"""Journal records, the library's raw protobuf, as the events of `events.py`. Never raises, whatever comes."""

import re
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError

from .events import (
    BlocklistChanged,
    CallEvent,
    CallStage,
    ChannelJoined,
    ChannelLeft,
    ChannelMuted,
    ChannelUpdated,
    ChatPresence,
    ClientEvent,
    ClientOutdated,
    Connected,
    ConnectFailure,
    Disconnected,
    GroupChanged,
    HistorySync,
    Identified,
    IdentityChanged,
    JoinedGroup,
    JournalFull,
    KeepAliveRestored,
    KeepAliveTimeout,
    LoggedOut,
    LoopEnded,
    MessageArrived,
    OfflineSynced,
    OldCounter,
    OtherEvent,
    Paired,
    PairingEnded,
    PairingRefused,
    PictureChanged,
    PresenceChanged,
    PrivacyChanged,
    QrCode,
    ReceiptArrived,
    ReceiptKind,
    StreamError,
    StreamReplaced,
    TemporaryBan,
    UndecryptableMessage,
    Unreadable,
)
from .groups import group_from
from .jid import LID, PHONE, device_text, to_text
from .kinds import EVENT_CODES, JOURNAL_FULL, LOOP_ENDED, OLD_COUNTER, PAIRING_STATUS, QR_CODE
from .newsletter import channel_from, is_muted, post_from, role_in
from .proto import neonize

__all__ = ["decode"]


def decode(kind: int, payload: bytes) -> ClientEvent:
    """The event in a record; Unreadable when there is none."""
    try:
        if (own := _OWN.get(kind)) is not None:
            return own(payload.decode(errors="replace"))
        name = EVENT_CODES.get(kind)
        if name is None:
            return Unreadable(kind, "unknown kind")
        message = getattr(neonize, name).FromString(payload)
        if not message.IsInitialized() and (missing := _missing(message, name)):  # parsing does not look
            return Unreadable(kind, f"{name} without {', '.join(missing)}")
        reader = _READERS.get(name)
        return OtherEvent(name, payload) if reader is None else reader(message)
    except (DecodeError, ValueError, KeyError) as error:
        return Unreadable(kind, f"{type(error).__name__}: {error}")


# In these, an enum is left out when the library has no name for its value: the rest is worth having.
_OPEN: Final = frozenset(
    {"NewsletterJoin", "NewsletterLeave", "NewsletterMuteChange", "privacySettingsEvent"}
)


def _missing(message: Any, name: str) -> list[str]:
    """Paths of the required fields that are not there and have to be."""
    paths: list[str] = message.FindInitializationErrors()
    return [path for path in paths if name not in _OPEN or not _is_enum(message.DESCRIPTOR, path.split("."))]


def _is_enum(descriptor: Any, path: list[str]) -> bool:
    """Whether a path of field names leads to an enum."""
    for name in path:
        found = descriptor.fields_by_name[name]
        descriptor = found.message_type
    return found.enum_type is not None


# --- the cell's own records --------------------------------------------------------------------------------

# whatsmeow's message.go: "Ignoring message ID from SENDER[ in CHAT]: …"
_IGNORED = re.compile(r"Ignoring message (\S+) from (\S+?)(?: in (\S+?))?: ")


def _old_counter(line: str) -> ClientEvent:
    found = _IGNORED.match(line)
    if found is None:
        return Unreadable(OLD_COUNTER, "not the line expected")
    sender = _bare(found[2])
    return OldCounter(id=found[1], sender=sender, chat=_bare(found[3]) if found[3] else sender)


def _bare(text: str) -> str:
    """An address as Go prints it, without its device (`user:device@server`, `user.agent:device@server`)."""
    user, at, server = text.partition("@")
    return f"{user.partition(':')[0].partition('.')[0]}{at}{server}"


_OWN: Final[dict[int, Callable[[str], ClientEvent]]] = {
    QR_CODE: QrCode,
    PAIRING_STATUS: PairingEnded,
    LOOP_ENDED: LoopEnded,
    OLD_COUNTER: _old_counter,
    JOURNAL_FULL: lambda text: JournalFull(int(text)),
}


# --- pairing and connection --------------------------------------------------------------------------------


def _device(device: Any) -> ClientEvent:
    return Identified(
        jid=device_text(device.JID) or "",
        lid=to_text(device.LID),
        push_name=device.PushName,
        business_name=device.BussinessName,
        platform=device.Platform,
    )


def _pair_status(status: Any) -> ClientEvent:
    if status.Status == neonize.PairStatus.SUCCESS:
        return Paired(
            jid=device_text(status.ID) or "", business_name=status.BusinessName, platform=status.Platform
        )
    return PairingRefused(jid=device_text(status.ID), reason=status.Error)


def _failure(reason: int) -> str:
    return str(neonize.ConnectFailureReason.Name(reason)).lower()


def _ban(ban: Any) -> ClientEvent:
    reason = str(neonize.TemporaryBan.TempBanReason.Name(ban.Code)).lower()
    return TemporaryBan(reason=reason, expires_in=float(ban.Expire))


# --- messages ----------------------------------------------------------------------------------------------


def _chat_alt(source: Any) -> str | None:
    """The chat's other address: the peer's in a direct chat, nothing in a group."""
    if source.IsGroup:
        return None
    if source.IsFromMe:
        return to_text(source.RecipientAlt)
    return to_text(source.SenderAlt) if to_text(source.Chat) == to_text(source.Sender) else None


def _place(source: Any) -> dict[str, Any]:
    """Where a message or receipt belongs and who sent it."""
    return {
        "chat": to_text(source.Chat) or "",
        "chat_alt": _chat_alt(source),
        "sender": to_text(source.Sender) or "",
        "sender_alt": to_text(source.SenderAlt),
        "from_me": source.IsFromMe,
        "is_group": source.IsGroup,
    }


def _message(message: Any) -> ClientEvent:
    info = message.Info
    return MessageArrived(
        id=info.ID,
        **_place(info.MessageSource),
        sender_device=info.MessageSource.Sender.Device,
        push_name=info.Pushname,
        timestamp=info.Timestamp / 1000,
        type=info.Type,
        media_type=info.MediaType,
        category=info.Category,
        edit=info.Edit,
        message=message.Message,
        is_view_once=message.IsViewOnce or message.IsViewOnceV2 or message.IsViewOnceV2Extension,
        is_ephemeral=message.IsEphemeral,
        server_id=info.ServerID or None,
    )


def _undecryptable(event: Any) -> ClientEvent:
    return UndecryptableMessage(
        id=event.Info.ID,
        **_place(event.Info.MessageSource),
        timestamp=event.Info.Timestamp / 1000,
        unavailable=event.IsUnavailable,
        hide=event.DecryptFailMode == neonize.UndecryptableMessage.DECRYPT_FAIL_HIDE,
    )


_RECEIPTS: Final = {
    neonize.Receipt.DELIVERED: ReceiptKind.DELIVERED,
    neonize.Receipt.SENDER: ReceiptKind.SENDER,
    neonize.Receipt.RETRY: ReceiptKind.RETRY,
    neonize.Receipt.READ: ReceiptKind.READ,
    neonize.Receipt.READ_SELF: ReceiptKind.READ_SELF,
    neonize.Receipt.PLAYED: ReceiptKind.PLAYED,
    neonize.Receipt.PLAYED_SELF: ReceiptKind.PLAYED_SELF,
    neonize.Receipt.SERVER_ERROR: ReceiptKind.PLAYED_SELF,  # what neonize makes of "played-self"
    neonize.Receipt.INACTIVE: ReceiptKind.INACTIVE,
    neonize.Receipt.PEER_MSG: ReceiptKind.PEER,
    neonize.Receipt.HISTORY_SYNC: ReceiptKind.HISTORY_SYNC,
}


def _receipt(receipt: Any) -> ClientEvent:
    return ReceiptArrived(
        **_place(receipt.MessageSource),
        sender_device=receipt.MessageSource.Sender.Device,
        ids=tuple(receipt.MessageIDs),
        kind=_RECEIPTS[receipt.Type],
        timestamp=float(receipt.Timestamp),
    )


def _history(sync: Any) -> ClientEvent:
    kinds = sync.Data.DESCRIPTOR.fields_by_name["syncType"].enum_type.values_by_number
    return HistorySync(type=kinds[sync.Data.syncType].name, progress=sync.Data.progress, data=sync.Data)


# --- people, groups, calls ---------------------------------------------------------------------------------


def _presence(presence: Any) -> ClientEvent:
    seen = float(presence.LastSeen) if presence.LastSeen > 0 else None  # Go's zero time is in the year 1
    return PresenceChanged(jid=to_text(presence.From) or "", online=not presence.Unavailable, last_seen=seen)


def _chat_presence(presence: Any) -> ClientEvent:
    source = presence.MessageSource
    return ChatPresence(
        chat=to_text(source.Chat) or "",
        sender=to_text(source.Sender) or "",
        sender_alt=to_text(source.SenderAlt),
        is_group=source.IsGroup,
        composing=presence.State == neonize.ChatPresence.COMPOSING,
        audio=presence.Media == neonize.ChatPresence.AUDIO,
    )


def _picture(picture: Any) -> ClientEvent:
    jid, author = to_text(picture.JID) or "", to_text(picture.Author)
    one_person = {jid.partition("@")[2], (author or "").partition("@")[2]} == {PHONE, LID}
    return PictureChanged(
        jid=jid,
        author=author,
        timestamp=float(picture.Timestamp),
        removed=picture.Remove,
        jid_alt=author if one_person else None,  # people change nobody's picture but their own
    )


def _identity(change: Any) -> ClientEvent:
    return IdentityChanged(
        jid=to_text(change.JID) or "", timestamp=float(change.Timestamp), implicit=change.Implicit
    )


def _texts(jids: Any) -> tuple[str, ...]:
    return tuple(text for each in jids if (text := to_text(each)) is not None)


def _blocklist(event: Any) -> ClientEvent:
    block = neonize.BlocklistChange.BLOCK
    return BlocklistChanged(
        blocked=_texts(each.JID for each in event.Changes if each.BlockAction == block),
        unblocked=_texts(each.JID for each in event.Changes if each.BlockAction != block),
    )


_PRIVACY: Final = {
    "GroupAddChanged": "groupAdd",
    "LastSeenChanged": "lastSeen",
    "StatusChanged": "status",
    "ProfileChanged": "profile",
    "ReadReceiptsChanged": "readReceipts",
    "OnlineChanged": "online",
    "CallAddChanged": "callAdd",
}


def _privacy(event: Any) -> ClientEvent:
    return PrivacyChanged(tuple(name for flag, name in _PRIVACY.items() if getattr(event, flag)))


def _joined(event: Any) -> ClientEvent:
    return JoinedGroup(
        group=group_from(event.GroupInfo),
        reason=event.Reason,
        sender=to_text(event.Sender),
        sender_phone=to_text(event.SenderPN),
    )


def _group(event: Any) -> ClientEvent:
    def given(name: str, value: Callable[[Any], Any]) -> Any:
        return value(getattr(event, name)) if event.HasField(name) else None

    return GroupChanged(
        jid=to_text(event.JID) or "",
        sender=given("Sender", to_text),
        push_name=event.Notify,
        timestamp=float(event.Timestamp),
        join=_texts(event.Join),
        leave=_texts(event.Leave),
        promote=_texts(event.Promote),
        demote=_texts(event.Demote),
        join_reason=event.JoinReason,
        subject=given("Name", lambda name: name.Name),
        description=given("Topic", lambda topic: "" if topic.TopicDeleted else topic.Topic),
        locked=given("Locked", lambda locked: locked.isLocked),
        announce=given("Announce", lambda announce: announce.IsAnnounce),
        ephemeral_seconds=given(
            "Ephemeral", lambda timer: timer.DisappearingTimer if timer.IsEphemeral else 0
        ),
        invite_link=given("NewInviteLink", str),
        deleted=event.HasField("Delete") and event.Delete.Deleted,
        unknown=tuple(each.Tag for each in event.UnknownChanges),
    )


def _call(stage: CallStage) -> Callable[[Any], ClientEvent]:
    def read(event: Any) -> ClientEvent:
        meta = event.basicCallMeta
        return CallEvent(
            stage=stage,
            id=meta.callID,
            sender=to_text(getattr(meta, "from")) or "",
            creator=to_text(meta.callCreator) or "",
            creator_alt=to_text(meta.callCreatorAlt),
            timestamp=float(meta.timestamp),
            reason=getattr(event, "reason", ""),
            media=getattr(event, "media", ""),
        )

    return read


def _channel_updated(event: Any) -> ClientEvent:
    return ChannelUpdated(
        jid=to_text(event.JID) or "",
        timestamp=float(event.TIME),
        posts=tuple(post_from(each) for each in event.Messages),
    )


_READERS: Final[dict[str, Callable[[Any], ClientEvent]]] = {
    "Device": _device,
    "PairStatus": _pair_status,
    "Connected": lambda _: Connected(),
    "KeepAliveTimeout": lambda event: KeepAliveTimeout(event.ErrorCount, float(event.LastSuccess)),
    "KeepAliveRestored": lambda _: KeepAliveRestored(),
    "LoggedOut": lambda event: LoggedOut(event.OnConnect, _failure(event.Reason)),
    "StreamReplaced": lambda _: StreamReplaced(),
    "TemporaryBan": _ban,
    "ConnectFailure": lambda event: ConnectFailure(_failure(event.Reason), event.Message),
    "ClientOutdated": lambda _: ClientOutdated(),
    "StreamError": lambda event: StreamError(event.Code),
    "Disconnected": lambda _: Disconnected(),
    "HistorySync": _history,
    "Message": _message,
    "Receipt": _receipt,
    "ChatPresence": _chat_presence,
    "Presence": _presence,
    "JoinedGroup": _joined,
    "GroupInfoEvent": _group,
    "Picture": _picture,
    "IdentityChange": _identity,
    "OfflineSyncCompleted": lambda event: OfflineSynced(event.Count),
    "BlocklistEvent": _blocklist,
    "privacySettingsEvent": _privacy,
    "NewsletterJoin": lambda event: ChannelJoined(channel_from(event.NewsletterMetadata)),
    "NewsletterLeave": lambda event: ChannelLeft(to_text(event.ID) or "", role_in(event)),
    "NewsletterMuteChange": lambda event: ChannelMuted(to_text(event.ID) or "", is_muted(event)),
    "NewsletterLiveUpdate": _channel_updated,
    "CallOffer": _call(CallStage.OFFERED),
    "CallOfferNotice": _call(CallStage.NOTICE),
    "CallPreAccept": _call(CallStage.PREACCEPTED),
    "CallAccept": _call(CallStage.ACCEPTED),
    "CallTransport": _call(CallStage.TRANSPORT),
    "CallRelayLatency": _call(CallStage.LATENCY),
    "CallTerminate": _call(CallStage.ENDED),
}
