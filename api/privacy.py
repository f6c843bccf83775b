"""Who may see and do what with the account: its privacy settings."""

from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from typing import Any

import attrs
from attrs import frozen
from quart import Blueprint

from actors.whatsapp import privacy as wa
from api.bodies import not_null
from api.caller import Scope
from api.constraints import never_null
from api.converter import camel
from api.operation import operation
from api.performing import PERFORMING, perform
from storage.rows import Json

routes = Blueprint("privacy", __name__)


class Audience(StrEnum):
    """Who may."""

    ALL = "all"
    CONTACTS = "contacts"
    CONTACT_BLACKLIST = "contact_blacklist"  # all contacts but those chosen on the phone
    NONE = "none"


class OnlineAudience(StrEnum):
    """Who sees that the account is online."""

    ALL = "all"
    MATCH_LAST_SEEN = "match_last_seen"


class Callers(StrEnum):
    """Who may call."""

    ALL = "all"
    KNOWN = "known"


class ReadReceipts(StrEnum):
    """Whether others are told what was read."""

    ALL = "all"
    NONE = "none"


@frozen(kw_only=True)
class PrivacyChanges:
    last_seen: Audience | None = None
    online: OnlineAudience | None = None
    profile: Audience | None = None
    """Who sees the picture."""
    status: Audience | None = None
    """Who sees the about text."""
    read_receipts: ReadReceipts | None = None
    group_add: Audience | None = None
    """Who may add the account to groups."""
    call_add: Callers | None = None
    """Who may call."""

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield never_null(*(camel(each.name) for each in attrs.fields(cls)))


@frozen(kw_only=True)
class PrivacyView:
    """Who may see and do what; null where WhatsApp said something that the client library does not know."""

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


@operation(
    routes,
    "GET",
    "/profile/privacy",
    scope=Scope.READ,
    answers={200: PrivacyView},
    errors=PERFORMING,
    tag="profile",
)
async def get_privacy(session_id: str) -> PrivacyView:
    """Who may see and do what."""
    return _privacy_view(await perform(session_id, "privacy.get", wa.privacy))


@operation(
    routes,
    "PATCH",
    "/profile/privacy",
    scope=Scope.SETTINGS,
    body=PrivacyChanges,
    patch=True,
    answers={200: PrivacyView},
    errors=PERFORMING,
    tag="profile",
)
async def patch_privacy(session_id: str, body: dict[str, Any]) -> PrivacyView:
    """Change who may see and do what, one setting after the other: what failed may have changed some."""
    changes = {name: str(not_null(name, value)) for name, value in body.items()}
    set_privacy = partial(wa.set_privacy, changes=changes)
    return _privacy_view(await perform(session_id, "privacy.set", set_privacy))


def _privacy_view(found: wa.PrivacySettings) -> PrivacyView:
    return PrivacyView(**attrs.asdict(found))
