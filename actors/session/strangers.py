"""Chats that an account has never written with: how many it may begin in a day, and whether any just now.

A chat is known when something from it is stored, or something of ours was sent there. WhatsApp restricts
accounts that write to too many strangers; in groups and channels nobody is one.
"""

import math
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from attrs import define, field

from actors.errors import AccountRestricted, NewChatCap
from actors.limiter import Window
from actors.session.health import AccountHealth, HealthState
from actors.whatsapp.jid import LID, PHONE
from storage.reads import Reads

_DAY = 24 * 3600.0
_PEOPLE = (PHONE, LID)
_REMEMBERED = 10_000


@define(eq=False)
class Strangers:
    """Decides for one session whether a message may begin a chat."""

    session_id: str
    reads: Reads
    health: AccountHealth
    lock: timedelta
    """For how long no chats are begun once WhatsApp has refused one."""
    per_day: int | None
    """None: any number."""
    _known: OrderedDict[str, None] = field(init=False, factory=OrderedDict)
    _begun: Window | None = field(init=False, default=None)

    def limit(self, per_day: int | None) -> None:
        """Go on with another number a day."""
        if per_day != self.per_day:
            self.per_day, self._begun = per_day, None

    async def admit(self, chat: str, chat_alt: str | None) -> bool:
        """Let a message go to a chat, by its addresses; whether it begins the chat, and was counted.

        Raises AccountRestricted, NewChatCap and DatabaseUnavailable.
        """
        restricted = self.health.trouble(HealthState.RESTRICTED)
        if chat.rpartition("@")[2] not in _PEOPLE or (restricted is None and self.per_day is None):
            return False
        addresses = [chat, chat_alt] if chat_alt else [chat]
        if any(address in self._known for address in addresses):
            return False
        if await self.reads.queue.knows(self.session_id, addresses):
            self.wrote(chat)
            return False
        if restricted is not None:
            raise AccountRestricted(
                session_id=self.session_id, reason=restricted.reason or "", until=restricted.until
            )
        return self.per_day is not None and await self._begin(self.per_day)

    async def _begin(self, per_day: int) -> bool:
        now = datetime.now(UTC)
        if self._begun is None:
            before = await self.reads.queue.begun(self.session_id, now - timedelta(seconds=_DAY), _PEOPLE)
            self._begun = Window(per_day, _DAY)
            self._begun.remember(at.timestamp() for at in before)
        wait = self._begun.wait(now.timestamp())
        if wait > 0:
            reason = f"{per_day} chats were begun within a day"
            until = datetime.fromtimestamp(math.ceil(now.timestamp() + wait), UTC)
            await self.health.add(HealthState.NEW_CHAT_CAP, reason, until)
            raise NewChatCap(session_id=self.session_id, limit=per_day, retry_after=wait)
        self._begun.add(now.timestamp())
        return True

    def withdraw(self) -> None:
        """The message that was last let begin a chat was not sent."""
        if self._begun is not None:
            self._begun.undo()

    def wrote(self, chat: str) -> None:
        """A message of ours was sent to this chat, or one from it is stored: it is known."""
        self._known[chat] = None
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def refused(self) -> AccountRestricted:
        """WhatsApp has refused a message to a stranger: no more of them for a time."""
        until = datetime.now(UTC).replace(microsecond=0) + self.lock
        reason = "WhatsApp takes no messages to new contacts from this account for a time"
        await self.health.add(HealthState.RESTRICTED, reason, until)
        return AccountRestricted(session_id=self.session_id, reason=reason, until=until)
