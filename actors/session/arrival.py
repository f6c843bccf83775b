"""What a message that arrived means for the database: a pure function of it and of what it is about.

An edit, a deletion and a vote change something only where they come from whom they may come from.
"""

from datetime import UTC, datetime
from typing import Any

from attrs import evolve, frozen
from google.protobuf.message import DecodeError

from actors.session.altered import edit_of, edited_data, revoke_of, revoked_data
from actors.session.content import REVOKED, Content, plain_content, poll_of, storable
from actors.session.keys import Key, key_of, key_of_stored, phone_first
from actors.session.reading import Edited, Reacted, Revoked, Secret, about_earlier, reacted, read_content
from actors.session.votes import answer_data, vote_data
from actors.whatsapp.events import MessageArrived
from actors.whatsapp.proto import e2e
from actors.whatsapp.secrets import Use, open_sealed
from actors.whatsapp.wrapping import BESIDE, unwrapped
from storage.ids import new_id
from storage.rows import Json, Message, MessageStatus
from storage.writes import Append, NewEvent, StoreHeard, StoreMessage, StoreReceipt, UpdateMessage

ContentWrite = StoreMessage | StoreReceipt | UpdateMessage | Append | StoreHeard

_BY_ADMIN = "8"  # the mark of a deletion by an admin, which WhatsApp's server lets only them set


@frozen
class Known:
    """What is known beside the message itself."""

    earlier: Message | None = None
    """The stored message of its chat that it is about, as `subject_of` names it."""
    own: tuple[str, ...] = ()
    """The account's own addresses."""


NOTHING_KNOWN = Known()


def subject_of(message: Any) -> str | None:
    """The id of the earlier message that has to be known to tell what a `waE2E.Message` means."""
    match about_earlier(message):
        case Edited(message_id=found) | Revoked(message_id=found) | Secret(message_id=found):
            return found
        case _:
            return None


def message_writes(session_id: str, event: MessageArrived, known: Known) -> tuple[ContentWrite, ...]:
    """The writes of a message; none for what says nothing to a person, or may not be said."""
    if event.category == "peer":  # between the account's own devices: keys and histories
        return ()
    arrival = _Arrival(session_id, event, known, datetime.fromtimestamp(event.timestamp, UTC))
    match read_content(event.message):
        case None:
            return ()
        case Revoked(message_id=target):
            return arrival.revoked(target)
        case Edited(message_id=target, message=change):
            return arrival.edited(target, change)
        case Reacted() as reaction:
            return arrival.reacted(reaction)
        case Secret() as secret:
            return arrival.secret(secret)
        case Content() as content:
            message = unwrapped(event.message, view_once=event.is_view_once)
            return arrival.stored(plain_content(message) if event.is_view_once else content, message)


@frozen
class _Arrival:
    session_id: str
    event: MessageArrived
    known: Known
    at: datetime

    @property
    def key(self) -> Key:
        return key_of(self.event, self.event.id)

    def stored(self, content: Content, message: Any) -> tuple[ContentWrite, ...]:
        event, key = self.event, self.key
        sender, _ = phone_first(event.sender, event.sender_alt)
        data = upsert_data(key, content.json, storable(event.push_name), self.at)
        if event.server_id is not None:  # by which a channel's message goes
            data["newsletterServerId"] = event.server_id
        row = Message(
            session_id=self.session_id,
            id=new_id("msg"),
            wa_id=event.id,
            chat=key.chat,
            sender=sender,
            from_me=event.from_me,
            type=content.kind,
            text=content.text,
            payload=content.json,
            status=MessageStatus.SENT if event.from_me else MessageStatus.RECEIVED,
            raw=kept_message(message),
            occurred_at=self.at,
        )
        return (StoreMessage(message=row, events=(NewEvent("messages.upsert", data, self.at),)),)

    def revoked(self, target: str) -> tuple[ContentWrite, ...]:
        row = self.known.earlier
        by, _ = phone_first(self.event.sender, self.event.sender_alt)
        if row is None:
            data = revoked_data(key_of(self.event, target).json(), by)
            return self._told("messages.revoked", data)
        by_admin = self.event.is_group and self.event.edit == _BY_ADMIN
        if not (by_admin or self._wrote(row)):
            return ()
        return (revoke_of(row, key_of_stored(row).json(), by, self.at),)

    def edited(self, target: str, change: Any) -> tuple[ContentWrite, ...]:
        row = self.known.earlier
        if row is None:
            content = plain_content(change)
            data = edited_data(key_of(self.event, target).json(), content.json, self.at)
            return self._told("messages.edited", data)
        if row.type == REVOKED or not self._wrote(row):
            return ()
        return (edit_of(row, change, key_of_stored(row).json(), self.at),)

    def reacted(self, reaction: Reacted) -> tuple[ContentWrite, ...]:
        target = evolve(
            key_of(self.event, reaction.message_id), from_me=reaction.from_me == self.event.from_me
        )
        data = {"key": target.json(), "reaction": {"key": self.key.json(), "text": reaction.emoji}}
        return self._told("messages.reaction", data)

    def secret(self, secret: Secret) -> tuple[ContentWrite, ...]:
        plain = self._opened(secret)
        try:
            return self._unsealed(secret, plain)
        except DecodeError:
            return self._unsealed(secret, None)

    def _unsealed(self, secret: Secret, plain: bytes | None) -> tuple[ContentWrite, ...]:
        row, event = self.known.earlier, self.event
        about = key_of(event, secret.message_id) if row is None else key_of_stored(row)
        who = phone_first(event.sender, event.sender_alt)
        match secret.use:
            case Use.POLL_VOTE:
                chosen = None if plain is None else e2e.PollVoteMessage.FromString(plain).selectedOptions
                poll = None if row is None else poll_of(_message_of(row))
                data = vote_data(about.json(), self.key.json(), *who, chosen, poll, self.at)
                return self._told("poll.vote", data)
            case Use.EVENT_RESPONSE:
                answer = None if plain is None else e2e.EventResponseMessage.FromString(plain)
                return self._told("event.response", answer_data(about.json(), *who, answer, self.at))
            case _ if plain is None:
                return self._told("messages.undecryptable", {"key": self.key.json(), "unavailable": False})
            case Use.REACTION:
                said = reacted(e2e.ReactionMessage.FromString(plain))
                return self.reacted(evolve(said, message_id=secret.message_id, from_me=secret.from_me))
            case Use.COMMENT:
                comment = unwrapped(e2e.Message.FromString(plain))
                return self.stored(plain_content(comment), comment)
            case Use.MESSAGE_EDIT | Use.EVENT_EDIT | Use.POLL_EDIT:
                change = e2e.Message.FromString(plain)
                inner = read_content(change)
                return self.edited(secret.message_id, inner.message if isinstance(inner, Edited) else change)

    def _opened(self, secret: Secret) -> bytes | None:
        """What it says, if the message that it is about is known and its secret opens it."""
        row, event = self.known.earlier, self.event
        key = b"" if row is None else _message_of(row).messageContextInfo.messageSecret
        if row is None or not key:
            return None
        sender = [event.sender, event.sender_alt, *(self.known.own if event.from_me else ())]
        author = [secret.author, row.sender, *(self.known.own if row.from_me else ())]
        if secret.from_me:
            author += filter(None, sender)
        return open_sealed(
            secret.sealed,
            key,
            secret.use,
            message_id=secret.message_id,
            authors=dict.fromkeys(filter(None, author)),
            senders=dict.fromkeys(filter(None, sender)),
        )

    def _wrote(self, row: Message) -> bool:
        """Whether who sent this wrote the stored message too."""
        if row.from_me or self.event.from_me:
            return row.from_me and self.event.from_me
        return not self.event.is_group or row.sender in {self.event.sender, self.event.sender_alt}

    def _told(self, name: str, data: Json) -> tuple[ContentWrite, ...]:
        return (Append(self.session_id, (NewEvent(name, data, self.at),)),)


def upsert_data(key: Key, message: Json, push_name: str, at: datetime) -> Json:
    """The `data` of messages.upsert, as webhooks were promised it."""
    return {
        "key": key.json(),
        "message": message,
        "pushName": push_name,
        "messageTimestamp": int(at.timestamp()),
    }


def _message_of(row: Message) -> Any:
    return unwrapped(e2e.Message.FromString(row.raw or b""))


def kept_message(message: Any) -> bytes:
    """The message as it is kept: without the keys that travelled with it."""
    if any(message.HasField(name) for name in BESIDE if name != "messageContextInfo"):
        copy = type(message)()
        copy.CopyFrom(message)
        for name in BESIDE - {"messageContextInfo"}:
            copy.ClearField(name)
        message = copy
    raw: bytes = message.SerializeToString()
    return raw
