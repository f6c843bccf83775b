"""What an edit, and a deletion for everyone, leave of a stored message, whoever of the two sides did it."""

from datetime import datetime
from typing import Any

from actors.session.content import REVOKED, plain_content
from actors.whatsapp.edits import edited
from actors.whatsapp.proto import e2e
from storage.rows import Json, Message
from storage.writes import NewEvent, UpdateMessage


def edit_of(row: Message, change: Any, key: Json, at: datetime) -> UpdateMessage:
    """Its new words, and the event that tells of them. `change` is the content of the edit."""
    now = edited(e2e.Message.FromString(row.raw or b""), change)
    content = plain_content(now)
    return UpdateMessage(
        session_id=row.session_id,
        id=row.id,
        text=content.text or "",
        payload=content.json,
        raw=now.SerializeToString(),
        events=(NewEvent("messages.edited", edited_data(key, content.json, at), at),),
    )


def edited_data(key: Json, message: Json, at: datetime) -> Json:
    """The `data` of messages.edited."""
    return {"key": key, "message": message, "messageTimestamp": int(at.timestamp())}


def revoke_of(row: Message, key: Json, by: str, at: datetime) -> UpdateMessage:
    """Nothing but that it was there: a message of type `revoked` without text and content."""
    return UpdateMessage(
        session_id=row.session_id,
        id=row.id,
        type=REVOKED,
        text="",
        payload={},
        raw=b"",
        events=(NewEvent("messages.revoked", revoked_data(key, by), at),),
    )


def revoked_data(key: Json, by: str) -> Json:
    """The `data` of messages.revoked."""
    return {"key": key, "revokedBy": by}
