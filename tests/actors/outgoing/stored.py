"""Stored messages for the tests: what others are about."""

from typing import Any

from actors.outgoing.target import Target, target_of
from actors.whatsapp.proto import e2e
from storage.rows import Message, MessageStatus

OWN, BEN, GROUP = "62811@s.whatsapp.net", "62822@s.whatsapp.net", "1203@g.us"
BEN_LID = "722@lid"
SECRET = b"s" * 32


def row(message: Any = None, **more: Any) -> Message:
    """A message that Ben wrote to us alone."""
    given: dict[str, Any] = {
        "session_id": "s",
        "id": "msg_1",
        "wa_id": "A1",
        "chat": BEN,
        "sender": BEN,
        "from_me": False,
        "type": "text",
        "status": MessageStatus.RECEIVED,
        "raw": None if message is None else message.SerializeToString(),
    }
    return Message(**given | more)


def ours(message: Any = None, **more: Any) -> Message:
    """A message that we wrote to Ben."""
    return row(message, **{"sender": OWN, "from_me": True, "status": MessageStatus.SENT, **more})


def in_group(message: Any = None, **more: Any) -> Message:
    """A message that Ben wrote to a group."""
    return row(message, **{"chat": GROUP, **more})


def target(found: Message) -> Target:
    """The same for a message that is about it."""
    author = found.sender
    return target_of(found, BEN_LID if found.chat == GROUP and author == BEN else author)


def text(words: str) -> Any:
    return e2e.Message(conversation=words)


def picture(caption: str = "") -> Any:
    return e2e.Message(
        imageMessage=e2e.ImageMessage(
            caption=caption, directPath="/v/1", URL="https://host/v/1", mediaKey=b"k" * 32
        ),
        messageContextInfo={"messageSecret": SECRET},
    )


def poll(*options: str, selectable: int = 1) -> Any:
    return e2e.Message(
        pollCreationMessageV3={
            "name": "Tea?",
            "options": [{"optionName": option} for option in options],
            "selectableOptionsCount": selectable,
        },
        messageContextInfo={"messageSecret": SECRET},
    )
