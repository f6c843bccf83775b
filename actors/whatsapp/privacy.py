"""Who may see and do what: calls to the client library about the account's privacy."""

from typing import Any

from attrs import fields, frozen

from .client import Client
from .errors import WhatsAppError
from .proto import neonize

__all__ = ["PrivacySettings", "privacy", "set_privacy"]


@frozen(kw_only=True)
class PrivacySettings:
    """`all`, `contacts`, `contact_blacklist`, `none`, `known` or `match_last_seen`.

    None where WhatsApp's word is none that the library knows.
    """

    last_seen: str | None
    online: str | None
    profile: str | None
    """Who sees the picture."""
    status: str | None
    """Who sees the about text."""
    read_receipts: str | None
    group_add: str | None
    """Who may add the account to groups."""
    call_add: str | None
    """Who may call."""


# By field: what the server calls it, and the library's protobuf.
_NAMES = {
    "last_seen": ("last", "LastSeen"),
    "online": ("online", "Online"),
    "profile": ("profile", "Profile"),
    "status": ("status", "Status"),
    "read_receipts": ("readreceipts", "ReadReceipts"),
    "group_add": ("groupadd", "GroupAdd"),
    "call_add": ("calladd", "CallAdd"),
}


async def privacy(client: Client) -> PrivacySettings:
    """The account's settings. Raises CellErrors."""
    found = _settings(neonize.PrivacySettings.FromString(await client.call("GetPrivacySettings")))
    if all(getattr(found, each.name) is None for each in fields(PrivacySettings)):
        # The library tells nobody that WhatsApp did not answer.
        raise WhatsAppError(None, "WhatsApp did not tell the privacy settings")
    return found


async def set_privacy(client: Client, changes: dict[str, str]) -> PrivacySettings:
    """Change settings, one after the other, and give all as they are then. Raises CellErrors."""
    found = await privacy(client)
    for name, value in changes.items():
        answer = await client.ask(
            neonize.SetPrivacySettingReturnFunction, "SetPrivacySetting", _NAMES[name][0], value
        )
        found = _settings(answer.settings)
    return found


def _settings(message: Any) -> PrivacySettings:
    def value(name: str) -> str | None:
        if not message.HasField(name):
            return None
        word = neonize.PrivacySettings.PrivacySetting.Name(getattr(message, name)).lower()
        return None if word == "undefined" else str(word)

    return PrivacySettings(**{name: value(theirs) for name, (_, theirs) in _NAMES.items()})
