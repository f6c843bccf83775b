"""WhatsApp addresses, between the library's protobuf form and the text that everything else uses.

Text forms: `628123@s.whatsapp.net` (phone number), `1234@lid` (hidden identity), `…@g.us` (group),
`628123:7@s.whatsapp.net` (device 7 of an account).
"""

from typing import Any

from .proto import neonize

__all__ = ["LID", "PHONE", "device_text", "number_of", "phone_jid", "to_proto", "to_text"]

PHONE = "s.whatsapp.net"
LID = "lid"


def phone_jid(phone: str) -> str:
    """The address of the account with this phone number (digits)."""
    return f"{phone}@{PHONE}"


def number_of(address: str) -> str | None:
    """The phone number in an address; None in all that are of another kind."""
    user, _, server = address.partition("@")
    return user if server == PHONE else None


def to_text(jid: Any) -> str | None:
    """The account, group or channel that a `neonize.JID` names, without its device; None when empty."""
    if not jid.Server:
        return None
    return f"{jid.User}@{jid.Server}" if jid.User else jid.Server


def device_text(jid: Any) -> str | None:
    """Like `to_text`, with `:device` when it names a companion device."""
    plain = to_text(jid)
    if plain is None or not jid.Device or not jid.User:
        return plain
    return f"{jid.User}:{jid.Device}@{jid.Server}"


def to_proto(text: str) -> Any:
    """The `neonize.JID` that a text names; bare digits are a phone number.

    Raises ValueError for what is no address.
    """
    user, at, server = text.partition("@")
    if not at:
        user, server = user.removeprefix("+"), PHONE
    device = 0
    if server in {PHONE, LID} and ":" in user:
        user, _, number = user.partition(":")
        if not number.isdecimal():
            raise ValueError(f"{text!r} is no WhatsApp address: bad device")
        device = int(number)
    if not user or not server or (server == PHONE and not (user.isascii() and user.isdecimal())):
        raise ValueError(f"{text!r} is no WhatsApp address")
    return neonize.JID(User=user, Server=server, Device=device, RawAgent=0, Integrator=0, IsEmpty=False)
