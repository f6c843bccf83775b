"""Which events the filters of a webhook let through.

A filter is about messages: `chats`, `fromMe` and `types` each judge only events that tell of such a thing.
"""

from actors.session.content import kind_of
from storage import Event, Json


def passes(filters: Json, event: Event) -> bool:
    """Whether none of the filters keeps the event back."""
    key: Json = event.data.get("key") or {}
    message: Json | None = event.data.get("message")
    chats, from_me, types = filters.get("chats"), filters.get("fromMe"), filters.get("types")
    places = {key.get("remoteJid"), key.get("remoteJidAlt"), event.data.get("chat")} - {None}
    if chats and places and places.isdisjoint(chats):
        return False
    if from_me is not None and key.get("fromMe") not in {None, from_me}:
        return False
    return not (types and message is not None and kind_of(message) not in types)
