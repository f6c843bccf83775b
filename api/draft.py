"""What every message may carry, and whom it goes to."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from attrs import frozen

from actors.outgoing import Content, Options
from api.attachments import Attachment
from api.checks import MismatchError
from api.constraints import at_most_one, exactly_one
from api.fields import EVERYONE, Address, Lifetime, Mentions, MessageId, Phone, Reference, Typing
from storage.rows import Json, now

STATUS = "status@broadcast"

Wrong = Iterator[MismatchError]


class Priority(StrEnum):
    """Which of the messages that wait goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


RANKS = {Priority.LOW: -1, Priority.NORMAL: 0, Priority.HIGH: 1}


@frozen(kw_only=True)
class Draft:
    """A message that is to be sent."""

    TYPE: ClassVar[str]
    """What it is called among others."""

    quoted_message_id: MessageId | None = None
    """The message that it answers."""
    mentions: Mentions | None = None
    forwarded: bool = False
    """Whether it is shown as forwarded."""
    ephemeral_seconds: Lifetime | None = None
    """After which it disappears; absent: as the chat is set."""
    typing_ms: Typing | None = None
    """For how long the account is shown as typing before."""
    send_at: datetime | None = None
    """Not before; answered with 202 then."""
    expires_at: datetime | None = None
    """Not after: a message that still waits then is given up."""
    priority: Priority = Priority.NORMAL
    client_ref: Reference | None = None
    """Comes back in every event about the message."""

    def __attrs_post_init__(self) -> None:
        if wrong := list(self.problems()):
            raise ExceptionGroup("fields that do not go together", wrong)

    def problems(self) -> Wrong:
        """What is wrong beyond single fields."""
        if self.expires_at is not None and self.expires_at <= (self.send_at or now()):
            yield MismatchError("must be later than now, and than sendAt", path="expiresAt")
        if isinstance(self, Attachment):
            yield from self.source_problems()

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        """The same, as far as the API's description can say it."""
        if issubclass(cls, Attachment):
            yield from cls.source_constraints()

    @property
    def recipient(self) -> str | None:
        """Where it goes, as the client wrote it; None: to the chat of the message that it is about."""
        raise NotImplementedError

    @property
    def extras(self) -> Options:
        """What goes along with its content."""
        everyone = self.mentions == EVERYONE
        return Options(
            quoted_message_id=self.quoted_message_id,
            mentions=() if everyone else self.mentions or (),
            mention_all=everyone,
            forwarded=self.forwarded,
            ephemeral_seconds=self.ephemeral_seconds,
            typing_ms=self.typing_ms,
        )

    @property
    def content(self) -> Content:
        """What it is to say, for those kinds of which nothing has to be fetched first."""
        raise NotImplementedError


@frozen(kw_only=True)
class ToSomeone(Draft):
    """A message to a chat."""

    phone: Phone | None = None
    to: Address | None = None
    """A phone number, or the JID of a user, a group or a channel; or else `phone`."""

    def problems(self) -> Wrong:
        yield from super().problems()
        if (self.phone is None) == (self.to is None):
            yield MismatchError("give exactly one of phone and to", path="phone")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield exactly_one("phone", "to")

    @property
    def recipient(self) -> str | None:
        return self.phone or self.to


@frozen(kw_only=True)
class AboutMessage(Draft):
    """One that acts on a message that is there, and goes to its chat unless `phone` or `to` says another."""

    message_id: MessageId
    phone: Phone | None = None
    to: Address | None = None

    def problems(self) -> Wrong:
        yield from super().problems()
        if self.phone is not None and self.to is not None:
            yield MismatchError("give at most one of phone and to", path="phone")

    @classmethod
    def constraints(cls) -> Iterator[Json]:
        yield from super().constraints()
        yield at_most_one("phone", "to")

    @property
    def recipient(self) -> str | None:
        return self.phone or self.to


@frozen(kw_only=True)
class Story(Draft):
    """Shown to the account's contacts for a day."""

    @property
    def recipient(self) -> str | None:
        return STATUS
