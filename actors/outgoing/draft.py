"""A message as far as its content makes it: before quotes and mentions are put in."""

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from actors.whatsapp.client import SendResult
from storage.writes import Append, UpdateMessage

Also = tuple[UpdateMessage | Append, ...]


def nothing(_: SendResult) -> Also:
    """Nothing else is so."""
    return ()


@frozen(kw_only=True)
class Draft:
    """What a kind of content makes of itself."""

    message: Any = field(repr=False)
    """A `waE2E.Message`."""
    media_id: str | None = None
    then: Callable[[SendResult], Also] = nothing
    """What else is so once WhatsApp has it: an edit changes the message that it edits."""
