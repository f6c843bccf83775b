"""Makes a WhatsApp message of an intent when its turn comes: uploads files, looks up what is quoted."""

from collections.abc import Callable
from typing import Any, assert_never

from attrs import define, field, frozen

from actors.outgoing.content import (
    AlbumHeader,
    Buttons,
    Contacts,
    Edit,
    EventInvitation,
    Forward,
    ListMenu,
    Location,
    Media,
    Pin,
    Poll,
    PollVote,
    Reaction,
    Revoke,
    StatusText,
    Text,
)
from actors.outgoing.intent import Intent
from actors.session.content import plain_content
from actors.whatsapp.client import Client, SendResult
from actors.whatsapp.proto import e2e
from storage.reads import Reads
from storage.rows import Json
from storage.writes import Append, UpdateMessage


def _nothing(_: SendResult) -> tuple[UpdateMessage | Append, ...]:
    return ()


@frozen(kw_only=True)
class Composed:
    """A message ready to be given to WhatsApp, and what its row says of it."""

    message: Any
    """A `waE2E.Message`."""
    type: str
    text: str | None = field(repr=False)
    payload: Json = field(repr=False)
    media_id: str | None = None
    then: Callable[[SendResult], tuple[UpdateMessage | Append, ...]] = _nothing
    """What else is so once WhatsApp has it: an edit changes the message that it edits."""


@define(eq=False)
class Composer:
    """Composes the messages of one session."""

    session_id: str
    reads: Reads

    async def compose(  # noqa: D102
        self, intent: Intent, *, chat: str, own_jid: str, client: Client
    ) -> Composed:
        """The message to send to `chat`, a JID. Raises SessionError."""
        match intent.content:
            case Text(text=text):
                message = e2e.Message(conversation=text)
            case (
                Media()
                | AlbumHeader()
                | Location()
                | Contacts()
                | Poll()
                | PollVote()
                | EventInvitation()
                | Buttons()
                | ListMenu()
                | Reaction()
                | Forward()
                | Edit()
                | Revoke()
                | Pin()
                | StatusText()
            ):
                raise NotImplementedError
            case _:
                assert_never(intent.content)
        said = plain_content(message)
        return Composed(message=message, type=said.kind, text=said.text, payload=said.json)
