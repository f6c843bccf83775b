"""Messages as people write, read and answer them on their phones."""

from typing import Any

from google.protobuf.message import DecodeError
from quart import Blueprint, Response

from loopback import proto
from loopback.accounts import Account
from loopback.answers import Refused
from loopback.attachments import KINDS, Attachment, message_with, open_attachment
from loopback.composing import poll, quoting
from loopback.control.asked import body, chat_of, decoded, invalid, phone_of
from loopback.control.problems import (
    ANY_TEXT,
    FLAG,
    NUMBER,
    OBJECT,
    OPTIONAL,
    PEOPLE,
    TEXT,
    Field,
    Problem,
    one_of,
    read,
)
from loopback.control.shown import received_shown, sent_shown
from loopback.history import SentMessage
from loopback.network import Network
from loopback.phone import Phone
from loopback.signal import SignalError
from loopback.wire.node import JID, NEWSLETTER, Node

__all__ = ["routes"]

TEXTS = Field(list, TEXT.says, of=TEXT)
CONTENTS = ("message", "media", "poll", "raw")
MEDIA = {
    "kind": one_of(KINDS),
    "data": TEXT,
    "mimetype": TEXT,
    "fileName": OPTIONAL(TEXT),
    "caption": OPTIONAL(TEXT),
    "viewOnce": OPTIONAL(FLAG),
}
POLL = {"question": TEXT, "options": TEXTS, "selectable": OPTIONAL(NUMBER)}
MESSAGE = {
    "to": TEXT,
    "message": OPTIONAL(TEXT),
    "media": OPTIONAL(OBJECT),
    "poll": OPTIONAL(OBJECT),
    "raw": OPTIONAL(TEXT),
    "quote": OPTIONAL(TEXT),
    "mentions": OPTIONAL(PEOPLE),
}


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("messages", __name__)

    @at.post("/phones/<number>/messages")
    async def write(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(**MESSAGE)
        chat = chat_of(given["to"])
        message = _content(network, phone, chat, given)
        return _written(lambda: phone.write(chat, message))

    @at.post("/phones/<number>/reactions")
    async def react(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(messageId=TEXT, emoji=ANY_TEXT)
        return _written(lambda: phone.react(given["messageId"], given["emoji"]))

    @at.post("/phones/<number>/edits")
    async def edit(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(messageId=TEXT, message=TEXT)
        return _written(lambda: phone.edit(given["messageId"], given["message"]))

    @at.post("/phones/<number>/revocations")
    async def revoke(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(messageId=TEXT)
        return _written(lambda: phone.revoke(given["messageId"]))

    @at.post("/phones/<number>/votes")
    async def vote(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(messageId=TEXT, options=TEXTS)
        return _written(lambda: phone.vote(given["messageId"], given["options"]))

    @at.get("/phones/<number>/messages")
    async def inbox(number: str) -> Any:
        return {"messages": [received_shown(message) for message in phone_of(network, number).memory.inbox]}

    @at.get("/phones/<number>/messages/<message_id>/media")
    async def download(number: str, message_id: str) -> Response:
        phone = phone_of(network, number)
        try:
            mimetype, data = open_attachment(phone.memory.known(message_id).message, network.media)
        except LookupError as missing:
            raise Problem(404, "no-media", "There is no such file", str(missing)) from missing
        except SignalError as damaged:
            raise Problem(502, "media-damaged", "The file is damaged", str(damaged)) from damaged
        return Response(data, content_type=mimetype)

    @at.post("/phones/<number>/messages/<message_id>/read")
    async def mark_read(number: str, message_id: str) -> Any:
        return _confirm(phone_of(network, number), message_id, played=False)

    @at.post("/phones/<number>/messages/<message_id>/played")
    async def mark_played(number: str, message_id: str) -> Any:
        return _confirm(phone_of(network, number), message_id, played=True)

    @at.get("/phones/<number>/sent")
    async def sent(number: str) -> Any:
        return {"messages": [sent_shown(message) for message in phone_of(network, number).memory.sent]}

    @at.post("/phones/<number>/typing")
    async def typing(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(to=TEXT, paused=OPTIONAL(FLAG), audio=OPTIONAL(FLAG))
        media = "audio" if given["audio"] else None
        state = Node("paused") if given["paused"] else Node("composing", {"media": media})
        network.presence.typing(phone.account, Node("chatstate", {"to": chat_of(given["to"])}, state))
        return {}

    @at.get("/phones/<number>/typing")
    async def typing_seen(number: str) -> Any:
        seen = network.presence.typing_seen(phone_of(network, number).account)
        return {
            "typing": [
                {"chat": each.chat, "from": each.writer, "state": each.state, "media": each.media}
                for each in seen
            ]
        }

    return at


def _written(write: Any) -> tuple[Any, int]:
    try:
        sent: SentMessage = write()
    except LookupError as unknown:
        raise Problem(404, "unknown-chat", "The phone cannot write there", str(unknown)) from unknown
    except Refused as refused:
        raise Problem(409, "refused", "The network does not take the message", str(refused)) from refused
    return {"messageId": sent.id, "timestamp": sent.timestamp}, 201


def _confirm(phone: Phone, message_id: str, *, played: bool) -> Any:
    try:
        phone.read(message_id, played=played)
    except LookupError as missing:
        raise Problem(404, "unknown-message", "No such message has reached the phone") from missing
    return {}


def _content(network: Network, phone: Phone, chat: JID, given: dict[str, Any]) -> Any:
    """The waE2E.Message asked for."""
    message = _bare(network, chat, given)
    if given["quote"] is None and not given["mentions"]:
        return message
    people: list[Account] = []
    for number in given["mentions"] or ():
        if (person := network.accounts.by_phone(number)) is None:
            raise invalid("mentions", "must be registered numbers")
        people.append(person)
    quoted = phone.memory.known(given["quote"]) if given["quote"] is not None else None
    return quoting(message, quoted, [person.lid_jid for person in people])


def _bare(network: Network, chat: JID, given: dict[str, Any]) -> Any:
    """A text, a file, a poll, or whatever `raw` holds."""
    if sum(given[field] is not None for field in CONTENTS) != 1:
        raise invalid("message", f"exactly one of {', '.join(CONTENTS)} is required")
    if given["message"] is not None:
        return proto.e2e.Message(conversation=given["message"])
    if given["poll"] is not None:
        asked = read(given["poll"], POLL)
        return poll(asked["question"], asked["options"], int(asked["selectable"] or 0))
    if given["raw"] is not None:
        try:
            return proto.e2e.Message.FromString(decoded(given["raw"], "raw"))
        except DecodeError as malformed:
            raise invalid("raw", "must be a waE2E.Message") from malformed
    file = read(given["media"], MEDIA)
    attachment = Attachment(
        file["kind"],
        decoded(file["data"], "media.data"),
        file["mimetype"],
        file["fileName"],
        file["caption"],
        bool(file["viewOnce"]),
    )
    return message_with(attachment, network.media, in_channel=chat.server == NEWSLETTER)
