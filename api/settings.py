"""A session's settings: as a client gives them, as the row keeps them, and as they are shown."""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen

from actors.session.settings import HistoryDepth
from api.converter import SOMETIMES, camel
from api.fields import Count, Jids, JsonObject, MessageText, Name, ProxyUrl
from storage.rows import Json

T = TypeVar("T")

_SOMETIMES = {SOMETIMES: True}


@frozen(kw_only=True)
class Limits:
    """How fast a session may send; what is left out is the gateway's default."""

    per_minute: Count | None = None
    burst: Count | None = None
    """How many may go at once after a pause."""
    new_chats_per_day: Count | None = None
    """How many chats may begin with a message of the session's own."""


@frozen(kw_only=True)
class Ignore:
    """Chats whose messages are neither stored nor announced, nor marked as read."""

    groups: bool = False
    channels: bool = False
    status: bool = False
    """People's stories."""
    broadcasts: bool = False
    """What people write to many at once."""
    chats: Jids | None = None
    """These, by number or LID."""


@frozen(kw_only=True)
class CallRejection:
    message: MessageText | None = None
    """Sent to whoever called; it counts for the session's limits."""


@frozen(kw_only=True, slots=False)
class Settings:
    device_name: Name | None = None
    """What the phone calls this device; counts when it is paired."""
    proxy: ProxyUrl | None = None
    """Counts from the next start."""
    limits: Limits | None = None
    history: HistoryDepth | None = None
    """How much is stored of what the phone hands over of the past; absent: `recent`. `full` counts when it is
    paired."""
    ignore: Ignore | None = None
    auto_read: bool = False
    """Messages are marked as read as they come in."""
    auto_reject_calls: bool | CallRejection | None = None
    """Calls are declined as they come in."""
    metadata: JsonObject | None = None
    """Anything of the caller's own."""


@frozen(kw_only=True)
class LimitsView:
    per_minute: int | None = field(default=None, metadata=_SOMETIMES)
    burst: int | None = field(default=None, metadata=_SOMETIMES)
    new_chats_per_day: int | None = field(default=None, metadata=_SOMETIMES)


@frozen(kw_only=True)
class IgnoreView:
    groups: bool | None = field(default=None, metadata=_SOMETIMES)
    channels: bool | None = field(default=None, metadata=_SOMETIMES)
    status: bool | None = field(default=None, metadata=_SOMETIMES)
    broadcasts: bool | None = field(default=None, metadata=_SOMETIMES)
    chats: list[str] | None = field(default=None, metadata=_SOMETIMES)


@frozen(kw_only=True)
class CallRejectionView:
    message: str


SETTINGS = ("device_name", "proxy", "limits", "history", "ignore", "auto_read", "auto_reject_calls")


def stored_settings(given: dict[str, Any]) -> Json:
    """Settings as the row keeps them: what is null or false is left to the default."""
    stored = {camel(name): _stored_setting(value) for name, value in given.items()}
    return {name: value for name, value in stored.items() if value}


def _stored_setting(value: Any) -> Any:
    match value:
        case CallRejection(message=None):
            return True
        case Limits() | Ignore() | CallRejection():
            return {camel(name): part for name, part in attrs.asdict(value).items() if part}
        case _:
            return value


def shown_settings(stored: Json) -> dict[str, Any]:
    """What the row keeps, as the fields of a view; None for what is left to the default."""
    rejects = stored.get("autoRejectCalls")
    return {
        "device_name": stored.get("deviceName"),
        "proxy": _shown_proxy(stored.get("proxy")),
        "limits": _part(LimitsView, stored.get("limits")),
        "history": stored.get("history"),
        "ignore": _part(IgnoreView, stored.get("ignore")),
        "auto_read": stored.get("autoRead"),
        "auto_reject_calls": CallRejectionView(**rejects) if isinstance(rejects, dict) else rejects,
    }


def _part(view: type[T], stored: Json | None) -> T | None:
    """A view of a part of the settings; None where nothing is set."""
    if stored is None:
        return None
    names = [each.name for each in attrs.fields(view)]  # type: ignore[arg-type]
    return view(**{name: stored[camel(name)] for name in names if camel(name) in stored})


def _shown_proxy(proxy: str | None) -> str | None:
    """A proxy's URL without user and password."""
    if proxy is None:
        return None
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
