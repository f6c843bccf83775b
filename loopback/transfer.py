"""Chat history handed over: what a phone tells a companion of the messages from before it was linked.

Each part (HistorySync) is compressed, encrypted and put on the media host; a peer message says where.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from loopback import proto
from loopback.accounts import Account, Accounts
from loopback.composing import Known
from loopback.groups import Groups
from loopback.media import Media
from loopback.signal.media import MediaKind, encrypt
from loopback.synced import ChatSettings
from loopback.wire.node import JID

__all__ = ["FIRST", "conversations", "names", "notice", "on_demand"]

FIRST = 50  # messages of each chat that are handed over unasked
FOLDER = "md-msg-hist"

_history = proto.history
_kinds = _history.HistorySync.HistorySyncType


def conversations(
    known: Iterable[Known],
    settings: Mapping[str, ChatSettings],
    accounts: Accounts,
    groups: Groups,
) -> Any:
    """The first part: the chats, each with its latest messages and settings."""
    chats: dict[JID, list[Known]] = {}
    for message in known:
        chats.setdefault(message.chat, []).append(message)
    people = [person for chat in chats if (person := accounts.resolve(chat)) is not None]
    return _history.HistorySync(
        syncType=_kinds.Value("INITIAL_BOOTSTRAP"),
        chunkOrder=1,
        progress=100,
        conversations=[
            _conversation(chat, messages[-FIRST:], settings, accounts, groups)
            for chat, messages in chats.items()
        ],
        phoneNumberToLidMappings=[
            _history.PhoneNumberToLIDMapping(pnJID=str(person.pn_jid), lidJID=str(person.lid_jid))
            for person in people
        ],
    )


def names(people: Iterable[Account]) -> Any:
    """The part that tells how people call themselves."""
    known = [_history.Pushname(ID=str(person.pn_jid), pushname=person.name) for person in people]
    return _history.HistorySync(
        syncType=_kinds.Value("PUSH_NAME"), chunkOrder=2, progress=100, pushnames=known
    )


def on_demand(chat: JID, before: Iterable[Known], accounts: Accounts, groups: Groups) -> Any:
    """The answer to a companion that asked for older messages of a chat."""
    return _history.HistorySync(
        syncType=_kinds.Value("ON_DEMAND"),
        chunkOrder=1,
        progress=100,
        conversations=[_conversation(chat, before, {}, accounts, groups)],
    )


def notice(part: Any, media: Media, *, request: str | None = None) -> Any:
    """The message that says where a part lies, which it does by then; `request` is the one it answers."""
    file = encrypt(zlib.compress(part.SerializeToString()), MediaKind.HISTORY)
    e2e = proto.e2e
    where = e2e.HistorySyncNotification(
        syncType=part.syncType,
        chunkOrder=part.chunkOrder,
        progress=part.progress,
        directPath=media.store(FOLDER, file.data),
        mediaKey=file.media_key,
        fileSHA256=file.file_sha256,
        fileEncSHA256=file.file_enc_sha256,
        fileLength=file.file_length,
        peerDataRequestSessionID=request,
    )
    kind = e2e.ProtocolMessage.HISTORY_SYNC_NOTIFICATION
    return e2e.Message(protocolMessage=e2e.ProtocolMessage(type=kind, historySyncNotification=where))


def _conversation(
    chat: JID,
    messages: Iterable[Known],
    settings: Mapping[str, ChatSettings],
    accounts: Accounts,
    groups: Groups,
) -> Any:
    shown = [_message(message, accounts) for message in messages]
    latest = max((message.messageTimestamp for message in shown), default=0)
    made = _history.Conversation(
        ID=str(chat),
        conversationTimestamp=latest,
        lastMsgTimestamp=latest,
        messages=[
            _history.HistorySyncMsg(message=message, msgOrderID=at) for at, message in enumerate(shown)
        ],
    )
    if (group := groups.find(chat)) is not None:
        made.name = group.subject
        made.ephemeralExpiration = group.ephemeral
    person = accounts.resolve(chat)
    if person is not None:
        made.pnJID, made.lidJID = str(person.pn_jid), str(person.lid_jid)
    addresses = {str(chat)} | ({str(person.pn_jid)} if person is not None else set())
    for set_for in filter(None, map(settings.get, addresses)):
        made.archived, made.pinned = set_for.archived, int(set_for.pinned)
        made.muteEndTime = max(0, set_for.muted_until)
    return made


def _message(known: Known, accounts: Accounts) -> Any:
    author = accounts.resolve(known.author)
    message = known.message
    return proto.web.WebMessageInfo(
        key=known.key,
        message=message,
        messageTimestamp=known.timestamp,
        participant=known.key.participant or None,
        pushName=author.name if author is not None and not known.from_me else None,
        messageSecret=message.messageContextInfo.messageSecret or None,
    )
