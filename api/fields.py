"""The kinds of values that requests carry. The check of each is in `checks.py`."""

from typing import Any, NewType

from attrs import field, frozen

MessageText = NewType("MessageText", str)
"""A message's text: 1 to 65,536 characters."""
Name = NewType("Name", str)
"""A label for people: 1 to 200 characters on one line."""
Reference = NewType("Reference", str)
"""A caller's own reference: 1 to 255 printable characters."""
SessionId = NewType("SessionId", str)
"""1 to 64 letters, digits, `-` and `_`."""
UserName = NewType("UserName", str)
"""What a user signs in as: 1 to 64 letters, digits, `.`, `_`, `-`, `+` and `@`."""
Password = NewType("Password", str)
"""A new password: 10 to 256 characters."""
Phone = NewType("Phone", str)
"""A number in international form: 5 to 15 digits with country code, nothing else."""
Address = NewType("Address", str)
"""Where a message may go, as the client wrote it; `is_phone` and `is_jid` tell whether it can be a place."""
MessageId = NewType("MessageId", str)
"""A message's id, the gateway's or WhatsApp's: 1 to 255 printable characters."""
MediaId = NewType("MediaId", str)
"""A stored file's id: 1 to 100 letters, digits, `-` and `_`."""
MessageIds = NewType("MessageIds", tuple[str, ...])
"""1 to 100 ids of messages."""
Line = NewType("Line", str)
"""A text for people on one line: 1 to 255 characters."""
Paragraph = NewType("Paragraph", str)
"""A text for people: 1 to 4,096 characters."""
Emoji = NewType("Emoji", str)
"""An emoji, or nothing, which takes one back."""
MimeType = NewType("MimeType", str)
"""A media type, such as `image/png`."""
FileName = NewType("FileName", str)
"""1 to 255 characters without a slash."""
Base64 = NewType("Base64", bytes)
"""Bytes in base64, also as a `data:` URL."""
Mentions = NewType("Mentions", tuple[str, ...])
"""Up to 1,024 phone numbers and JIDs, or `"all"`: everyone in the group."""
Participants = NewType("Participants", tuple[str, ...])
"""1 to 1,024 different phone numbers and JIDs of people, all as JIDs."""
Subject = NewType("Subject", str)
"""What a group is called: 1 to 100 characters on one line."""
Description = NewType("Description", str)
"""What a group says of itself: up to 2,048 characters; none takes it away."""
Timer = NewType("Timer", int)
"""Seconds after which a chat's new messages disappear: 0 (never), 86400, 604800 or 7776000."""
Invite = NewType("Invite", str)
"""A link to join a group, or the code at its end."""
ProfileName = NewType("ProfileName", str)
"""What an account calls itself: 1 to 25 characters on one line."""
About = NewType("About", str)
"""The text below an account's name: up to 139 characters; none takes it away."""
ServerIds = NewType("ServerIds", tuple[int, ...])
"""1 to 100 numbers of a channel's messages."""
Latitude = NewType("Latitude", float)
"""Degrees north, -90 to 90."""
Longitude = NewType("Longitude", float)
"""Degrees east, -180 to 180."""
Lifetime = NewType("Lifetime", int)
"""Seconds until a message disappears: up to 90 days; 0: never."""
Typing = NewType("Typing", int)
"""Milliseconds, up to 30,000, or `"auto"`: as long as a person would take."""
Choices = NewType("Choices", tuple[str, ...])
"""2 to 12 different texts of 1 to 100 characters each."""
Chosen = NewType("Chosen", tuple[str, ...])
"""Up to 12 different texts of 1 to 100 characters each."""
Selectable = NewType("Selectable", int)
"""How many options may be chosen: 0 (any number) to 12."""
Font = NewType("Font", int)
"""One of WhatsApp's fonts for stories: 0 to 10."""
Colour = NewType("Colour", str)
"""A colour as `#RRGGBB`."""
WebUrl = NewType("WebUrl", str)
"""An absolute http or https URL without user or password."""
ProxyUrl = NewType("ProxyUrl", str)
"""Where a session's connection goes through: http, https or socks5."""
Network = NewType("Network", str)
"""An IP address, or a network in CIDR notation."""
EventName = NewType("EventName", str)
"""The name of an event of the log."""
Secret = NewType("Secret", str)
"""A Standard Webhooks secret: `whsec_` and 24 to 64 bytes in base64."""
HttpHeaders = NewType("HttpHeaders", dict[str, str])
"""Up to 20 request headers that a webhook may carry."""
Jids = NewType("Jids", tuple[str, ...])
"""1 to 100 JIDs."""
MessageTypes = NewType("MessageTypes", tuple[str, ...])
"""1 to 30 kinds of messages, as `type` of a stored message has them."""
JsonObject = NewType("JsonObject", dict[str, Any])
"""Any JSON object of at most 16 kB that PostgreSQL can store."""
BatchSize = NewType("BatchSize", int)
"""How many events may go in one request: 1 to 500."""
Milliseconds = NewType("Milliseconds", int)
"""Whole milliseconds, from 0 to 10,000."""
Count = NewType("Count", int)
"""A number from 1 to 100,000."""
Seconds = NewType("Seconds", int)
"""Whole seconds, from 0 to 30 days."""

# What a query string carries: text that stands for another type.
Limit = NewType("Limit", int)
"""How many items a page may hold: 1 to 500."""
ServerId = NewType("ServerId", int)
"""The number of a channel's message."""
Wait = NewType("Wait", int)
"""Seconds to wait for something to list: 0 to 60."""
Flag = NewType("Flag", bool)
"""`true` or `false`."""
Names = NewType("Names", frozenset[str])
"""Names between commas."""


@frozen
class Upload:
    """A file that came with the request; what it calls itself is its sender's word."""

    data: bytes = field(repr=False)
    name: str | None
    mime_type: str | None


DEFAULT_LIMIT = Limit(100)
NO_WAIT = Wait(0)
EVERYONE = Mentions(("all",))
ONE = Selectable(1)
PLAIN = Font(0)
GREEN = Colour("#128C7E")
TYPING_AUTO = Typing(-1)
NO_GRACE = Seconds(0)
AT_ONCE = Milliseconds(0)
A_DAY = Seconds(86400)
A_WEEK = Seconds(7 * 86400)
