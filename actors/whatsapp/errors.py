"""What can go wrong with a call to a client, and the one place where Go's texts become facts.

CellError
├─ OutcomeUnknown     the call may or may not have taken effect
│  ├─ CellDied        the client's process ended
│  ├─ CallTimedOut    no answer in time
│  └─ LinkLost        the link to WhatsApp broke before its answer came
├─ NotConnected       nothing was sent
├─ WhatsAppError      refused, with WhatsApp's code if it gave one
├─ SessionBusy        the session's last client has not stopped yet
├─ StartRefused       the client could not be started
└─ DeviceMissing      the device's keys are gone: only pairing anew helps
"""

import re

__all__ = [
    "CallTimedOut",
    "CellDied",
    "CellError",
    "DeviceMissing",
    "LinkLost",
    "NotConnected",
    "OutcomeUnknown",
    "SessionBusy",
    "StartRefused",
    "WhatsAppError",
    "error_from",
]


class CellError(Exception):
    """The base of every error that a client or its cell raises."""


class OutcomeUnknown(CellError):
    """The call may have taken effect, may not have, or may yet."""


class CellDied(OutcomeUnknown):
    """The client's process ended while it was called."""

    def __init__(self, cell: str, reason: str) -> None:
        super().__init__(f"{cell} ended: {reason}")
        self.cell = cell
        self.reason = reason


class CallTimedOut(OutcomeUnknown):
    """No answer within `timeout` seconds."""

    def __init__(self, function: str, timeout: float) -> None:
        super().__init__(f"{function} gave no answer within {timeout:g} s")
        self.function = function
        self.timeout = timeout


class LinkLost(OutcomeUnknown):
    """The link to WhatsApp broke between the request and its answer."""


class NotConnected(CellError):
    """The client has no link to WhatsApp, or is not running; nothing was sent."""


class SessionBusy(CellError):
    """The session's journal is still held by a client that has not stopped; try again shortly."""


class StartRefused(CellError):
    """The client could not be started; the text says why."""


class DeviceMissing(CellError):
    """The store holds no device although the session is paired: its keys are gone, it must pair anew."""


class WhatsAppError(CellError):
    """WhatsApp, or the client library, refused. `code` is the server's, None when it gave none."""

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


# The library's own texts, from whatsmeow's errors.go, send.go and request.go.
_SILENCE = ("timed out waiting for message send response", "info query timed out")
_SILENCE_SECONDS = 75.0
_OFFLINE = ("websocket not connected", "the store doesn't contain a device JID")
_BROKEN = "websocket disconnected before"
_CODE = re.compile(
    r"(?:server returned error|info query returned status|failed with status code|graphql error:)\s+(\d{3})\b"
)
_WORDED = {
    "you're not participating in that group": 403,
    "that group does not exist": 404,
    "the user has hidden their profile picture from you": 401,
    "does not have a profile picture": 404,
    "you don't have the permission to get the group's invite link": 403,
    "that group invite link is not valid": 406,
    "that group invite link has been revoked": 410,
    "the given data is not a valid image": 406,
}


def error_from(function: str, text: str) -> CellError:
    """The error that a text of the Go library means."""
    if any(known in text for known in _SILENCE):
        return CallTimedOut(function, _SILENCE_SECONDS)
    if any(known in text for known in _OFFLINE):
        return NotConnected(text)
    if _BROKEN in text:
        return LinkLost(text)
    if found := _CODE.search(text):
        return WhatsAppError(int(found[1]), text)
    return WhatsAppError(next((code for words, code in _WORDED.items() if words in text), None), text)
