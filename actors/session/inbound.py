"""What a client's event means for the database: a pure function from event to writes.

The last write carries the event's journal number, so that a journal record counts as stored exactly when all
of its writes are.
"""

from datetime import UTC, datetime

from attrs import evolve

from actors.session.arrival import NOTHING_KNOWN, ContentWrite, Known, message_writes
from actors.session.history import history_data
from actors.session.keys import Key, key_of, phone_first
from actors.whatsapp.events import (
    BlocklistChanged,
    CallEvent,
    ChannelJoined,
    ChannelLeft,
    ChannelMuted,
    ChannelUpdated,
    ChatPresence,
    ClientEvent,
    GroupChanged,
    HistorySync,
    IdentityChanged,
    JoinedGroup,
    MessageArrived,
    OldCounter,
    PictureChanged,
    PresenceChanged,
    PrivacyChanged,
    ReceiptArrived,
    ReceiptKind,
    UndecryptableMessage,
)
from actors.whatsapp.wrapping import part_of, unwrapped
from storage.rows import Json, MessageStatus
from storage.writes import Append, NewEvent, StoreHeard, StoreMessage, StoreReceipt, UpdateMessage


def writes_for(
    session_id: str,
    event: ClientEvent,
    journal_seq: int,
    known: Known = NOTHING_KNOWN,
    *,
    ignored: bool = False,
) -> tuple[ContentWrite, ...]:
    """The writes of one event, never empty: an event that stores nothing still moves the journal on.

    One that is `ignored` is not stored; but a message is remembered as heard of.
    """
    writes = () if ignored else _writes(session_id, event, known)
    if isinstance(event, MessageArrived) and _is_all(event) and not _has_row(writes):
        writes = (*writes, StoreHeard(session_id=session_id, wa_id=event.id))
    if not writes:
        return (Append(session_id, journal_seq=journal_seq),)
    return (*writes[:-1], evolve(writes[-1], journal_seq=journal_seq))


def _is_all(event: MessageArrived) -> bool:
    """Whether nothing more of this message is to come: what has no content may be a key ahead of it."""
    return part_of(unwrapped(event.message)) is not None


def _has_row(writes: tuple[ContentWrite, ...]) -> bool:
    return any(isinstance(write, StoreMessage) for write in writes)


def _writes(session_id: str, event: ClientEvent, known: Known) -> tuple[ContentWrite, ...]:
    match event:
        case MessageArrived():
            return message_writes(session_id, event, known)
        case ReceiptArrived():
            return _receipt(session_id, event)
        case OldCounter():
            lost = {"key": _key_of_lost(event, known.own).json(), "reason": "decrypted_before"}
            return (StoreHeard(session_id=session_id, wa_id=event.id, untold=lost),)
        case BlocklistChanged() if event.blocked or event.unblocked:
            return (Append(session_id, _blocklist_changed(event)),)
        case _:
            appended = _announced(event)
            return (Append(session_id, (appended,)),) if appended else ()


def _key_of_lost(event: OldCounter, own: tuple[str, ...]) -> Key:
    chat, chat_alt = phone_first(event.chat, event.chat_alt)
    author, author_alt = phone_first(event.sender, event.sender_alt)
    in_chat_of_many = event.chat.endswith(("@g.us", "@broadcast"))
    return Key(
        chat=chat,
        chat_alt=chat_alt,
        from_me=event.sender in own or event.sender_alt in own,
        id=event.id,
        participant=author if in_chat_of_many else None,
        participant_alt=author_alt if in_chat_of_many else None,
    )


_RECEIPTS = {
    ReceiptKind.DELIVERED: (True, MessageStatus.DELIVERED),
    ReceiptKind.READ: (True, MessageStatus.READ),
    ReceiptKind.PLAYED: (True, MessageStatus.PLAYED),
    # Another of our own devices read what others wrote.
    ReceiptKind.READ_SELF: (False, MessageStatus.READ),
    ReceiptKind.PLAYED_SELF: (False, MessageStatus.PLAYED),
}


def _receipt(session_id: str, event: ReceiptArrived) -> tuple[ContentWrite, ...]:
    if event.kind not in _RECEIPTS:
        return ()
    from_me, status = _RECEIPTS[event.kind]
    if event.from_me and from_me:
        # A companion of ours tells what it received or read; only `read` says something about the chat.
        if event.kind is ReceiptKind.DELIVERED:
            return ()
        from_me = False
    at = datetime.fromtimestamp(event.timestamp, UTC)
    chat, chat_alt = phone_first(event.chat, event.chat_alt)
    updates: list[ContentWrite] = []
    if from_me:
        participant = phone_first(event.sender, event.sender_alt)[0] if event.is_group else None
        updates.append(
            StoreReceipt(
                session_id=session_id, wa_ids=event.ids, participant=participant, status=status, at=at
            )
        )
    for message_id in event.ids:
        key = Key(chat=chat, chat_alt=chat_alt, from_me=from_me, id=message_id)
        data = update_data(key, status, at)
        if event.is_group:
            data["participant"], data["participantAlt"] = phone_first(event.sender, event.sender_alt)
        updates.append(
            UpdateMessage(
                session_id=session_id,
                wa_id=message_id,
                from_me=from_me,
                status=status,
                events=(NewEvent("messages.update", data, at),),
            )
        )
    return tuple(updates)


def update_data(key: Key, status: MessageStatus, at: datetime, error: str | None = None) -> Json:
    """The `data` of messages.update."""
    data = {"key": key.json(), "status": str(status), "timestamp": int(at.timestamp())}
    return data if error is None else {**data, "error": error}


def _announced(event: ClientEvent) -> NewEvent | None:
    """The log's entry for an event that changes no message."""
    data: Json
    match event:
        case UndecryptableMessage():
            key = key_of(event, event.id)
            at = datetime.fromtimestamp(event.timestamp, UTC)
            return NewEvent(
                "messages.undecryptable", {"key": key.json(), "unavailable": event.unavailable}, at
            )
        case PresenceChanged(online=online, last_seen=last_seen):
            data = {**_whose(event.jid, event.jid_alt), "online": online}
            return NewEvent("presence.update", data | {"lastSeen": last_seen and int(last_seen)})
        case ChatPresence():
            sender, sender_alt = phone_first(event.sender, event.sender_alt)
            state = ("recording" if event.audio else "composing") if event.composing else "paused"
            data = {"chat": event.chat, "sender": sender, "senderAlt": sender_alt, "state": state}
            return NewEvent("chat.presence", data)
        case JoinedGroup(group=group):
            return NewEvent(
                "groups.upsert", {"jid": group.jid, "subject": group.subject, "size": len(group.members)}
            )
        case GroupChanged():
            return _group_changed(event)
        case PictureChanged(jid=jid, removed=removed):
            at = datetime.fromtimestamp(event.timestamp, UTC)
            picture = {"picture": "removed" if removed else "changed"}
            if jid.endswith("@g.us"):
                return NewEvent("groups.update", {"jid": jid, **picture, "author": event.author}, at)
            return NewEvent("contacts.update", {**_whose(jid, event.jid_alt), **picture}, at)
        case IdentityChanged(jid=jid, jid_alt=jid_alt):
            at = datetime.fromtimestamp(event.timestamp, UTC)
            return NewEvent("contacts.update", {**_whose(jid, jid_alt), "identity": "changed"}, at)
        case PrivacyChanged(changed=changed):
            return NewEvent("account.update", {"privacy": list(changed)})
        case CallEvent():
            caller, caller_alt = phone_first(event.creator, event.creator_alt)
            data = {
                "callId": event.id,
                "stage": str(event.stage),
                "from": caller,
                "fromAlt": caller_alt,
                "reason": event.reason or None,
                "media": event.media or None,
            }
            return NewEvent("call", data, datetime.fromtimestamp(event.timestamp, UTC))
        case HistorySync(data=history):
            return NewEvent("history.sync", history_data(history))
        case ChannelJoined(channel=channel):
            data = {
                "jid": channel.jid,
                "name": channel.name,
                "description": channel.description,
                "subscribers": channel.subscribers,
                "role": channel.role,
                "muted": channel.muted,
            }
            return NewEvent("newsletter.join", data)
        case ChannelLeft(jid=jid, role=role):
            return NewEvent("newsletter.leave", {"jid": jid, "role": role})
        case ChannelMuted(jid=jid, muted=muted):
            return NewEvent("newsletter.mute", {"jid": jid, "muted": muted})
        case ChannelUpdated(jid=jid, posts=posts):
            numbers = [
                {"serverId": post.server_id, "views": post.views, "reactions": post.reactions}
                for post in posts
            ]
            data = {"jid": jid, "messages": numbers}
            return NewEvent("newsletter.update", data, datetime.fromtimestamp(event.timestamp, UTC))
        case _:
            return None


def _whose(jid: str, jid_alt: str | None) -> Json:
    """Whom an event is about, in both forms of address where they are known."""
    first, other = phone_first(jid, jid_alt)
    return {"jid": first, "jidAlt": other}


def _blocklist_changed(event: BlocklistChanged) -> tuple[NewEvent, ...]:
    return tuple(
        NewEvent("contacts.update", {**_whose(jid, event.alts.get(jid)), "blocked": blocked})
        for jids, blocked in ((event.blocked, True), (event.unblocked, False))
        for jid in jids
    )


def _group_changed(event: GroupChanged) -> NewEvent | None:
    at = datetime.fromtimestamp(event.timestamp, UTC)
    for action, members in (
        ("add", event.join),
        ("remove", event.leave),
        ("promote", event.promote),
        ("demote", event.demote),
    ):
        if members:
            both = [phone_first(member, event.alts.get(member)) for member in members]
            data = {
                "jid": event.jid,
                "action": action,
                "participants": [jid for jid, _ in both],
                "participantsAlt": [alt for _, alt in both],
                **_author(event),
            }
            return NewEvent("group-participants.update", data, at)
    changes = {
        "subject": event.subject,
        "description": event.description,
        "locked": event.locked,
        "announce": event.announce,
        "ephemeralSeconds": event.ephemeral_seconds,
        "inviteLink": event.invite_link,
        "deleted": event.deleted or None,
        "joinRequests": "changed" if _JOIN_REQUESTS & set(event.unknown) else None,
    }
    known = {name: value for name, value in changes.items() if value is not None}
    return NewEvent("groups.update", {"jid": event.jid, **known, **_author(event)}, at) if known else None


_JOIN_REQUESTS = {"created_membership_requests", "revoked_membership_requests"}


def _author(event: GroupChanged) -> Json:
    """Who changed a group, in both forms of address where they are known."""
    if event.sender is None:
        return {"author": None, "authorAlt": None}
    author, author_alt = phone_first(event.sender, event.alts.get(event.sender))
    return {"author": author, "authorAlt": author_alt}
