"""What calls ask for: phones by their numbers, chats, and bodies whose fields are checked."""

import base64
import binascii
from typing import Any

from quart import request

from loopback.control.problems import Field, Problem, read
from loopback.network import Network
from loopback.phone import Phone
from loopback.wire.node import JID, PN

__all__ = ["body", "chat_of", "decoded", "invalid", "phone_of"]


def phone_of(network: Network, number: str) -> Phone:
    """Raises Problem."""
    if (phone := network.phones.get(number)) is None:
        raise Problem(404, "unknown-phone", "No phone has this number")
    return phone


async def body(**fields: Field) -> dict[str, Any]:
    """The call's body; optional fields that are missing are None. Raises Problem."""
    return read(await request.get_json(silent=True), fields)


def chat_of(to: str, path: str = "to") -> JID:
    """A phone number, or the address of a group, channel or the status. Raises Problem."""
    try:
        return JID.parse(to) if "@" in to else JID(to.lstrip("+"), PN)
    except ValueError as malformed:
        raise invalid(path, "must be a phone number or an address") from malformed


def decoded(data: str, path: str) -> bytes:
    """Raises Problem when it is not base64."""
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as malformed:
        raise invalid(path, "must be base64") from malformed


def invalid(path: str, message: str) -> Problem:
    """A field's value is not what it should be."""
    errors = [{"path": path, "message": message}]
    return Problem(422, "invalid-fields", "Some fields are not right", errors=errors)
