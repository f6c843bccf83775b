"""What an account is kept from just now, by WhatsApp or a limit of ours: known, stored, announced, and over.

Several things may be wrong at once; the worst of them is the account's state.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import trio
from attrs import define, evolve, field, frozen

from storage.rows import Json
from storage.writes import NewEvent


class HealthState(StrEnum):
    """What an account may do; the worse the later."""

    OK = "ok"
    NEW_CHAT_CAP = "new_chat_cap"  # as many chats were begun as the session may begin in a day
    RESTRICTED = "restricted"  # no messages to people that the account has no chat with
    BANNED = "banned"  # no login for a time
    LOGGED_OUT = "logged_out"  # unlinked by WhatsApp or on the phone


_SEVERITY = {state: number for number, state in enumerate(HealthState)}


@frozen(kw_only=True)
class Trouble:
    """Why an account is not well, and since and until when, where that is known."""

    state: HealthState
    reason: str | None = None
    since: datetime
    until: datetime | None = None


@frozen
class Health:
    """The troubles of an account, each kind once."""

    troubles: Mapping[HealthState, Trouble] = field(factory=dict)

    def worst(self) -> Trouble | None:
        """None: the account is well."""
        return max(self.troubles.values(), key=lambda each: _SEVERITY[each.state], default=None)

    def with_(self, trouble: Trouble) -> "Health":
        """With one more; known already, it lasts since when it did, and until the later end."""
        known = self.troubles.get(trouble.state)
        if known is not None:
            until = max(trouble.until, known.until) if trouble.until and known.until else trouble.until
            trouble = evolve(trouble, since=known.since, until=until)
        return Health({**self.troubles, trouble.state: trouble})

    def without(self, *states: HealthState) -> "Health":
        """With these mended."""
        return Health({state: each for state, each in self.troubles.items() if state not in states})

    def at(self, moment: datetime) -> "Health":
        """With those gone that are over by themselves."""
        over = [each.state for each in self.troubles.values() if each.until and each.until <= moment]
        return self.without(*over) if over else self

    def next_end(self) -> datetime | None:
        """When the first of them is over by itself."""
        return min((each.until for each in self.troubles.values() if each.until), default=None)

    def to_json(self) -> Json:
        """As a session's row has it."""
        return {
            state: {
                "reason": each.reason,
                "since": each.since.isoformat(),
                "until": each.until.isoformat() if each.until else None,
            }
            for state, each in self.troubles.items()
        }

    @classmethod
    def from_json(cls, stored: Json) -> "Health":
        """What `to_json` made."""
        return cls(
            {
                HealthState(state): Trouble(
                    state=HealthState(state),
                    reason=each["reason"],
                    since=datetime.fromisoformat(each["since"]),
                    until=datetime.fromisoformat(each["until"]) if each["until"] else None,
                )
                for state, each in stored.items()
            }
        )


def health_data(health: Health) -> Json:
    """The `data` of account.health."""
    worst = health.worst()
    if worst is None:
        return {"state": str(HealthState.OK), "reason": None, "until": None}
    until = worst.until.isoformat() if worst.until else None
    return {"state": str(worst.state), "reason": worst.reason, "until": until}


@define(eq=False)
class AccountHealth:
    """The health of one session's account. `store` takes columns of the session's row, and their events."""

    health: Health
    store: Callable[[dict[str, Any], tuple[NewEvent, ...]], Awaitable[None]]
    _changed: trio.Event = field(init=False, factory=trio.Event)

    def trouble(self, state: HealthState) -> Trouble | None:
        """What keeps the account from something now; None: nothing of this kind."""
        return self.health.at(datetime.now(UTC)).troubles.get(state)

    async def add(self, state: HealthState, reason: str | None, until: datetime | None = None) -> None:
        """Something is wrong from now on."""
        now = datetime.now(UTC)
        await self._become(
            self.health.at(now).with_(Trouble(state=state, reason=reason, since=now, until=until))
        )

    async def mend(self, *states: HealthState) -> None:
        """These are over."""
        await self._become(self.health.without(*states))

    async def watch(self) -> None:
        """See to it that what is over by itself is told, for as long as the session's actor lives."""
        while True:
            changed = self._changed = trio.Event()
            end = self.health.next_end()
            wait = math.inf if end is None else (end - datetime.now(UTC)).total_seconds()
            with trio.move_on_after(max(0.0, wait)):
                await changed.wait()
            await self._become(self.health.at(datetime.now(UTC)))

    async def _become(self, health: Health) -> None:
        before, self.health = self.health, health
        if health == before:
            return
        told = health_data(health)
        events = () if told == health_data(before) else (NewEvent("account.health", told),)
        self._changed.set()
        await self.store({"health": health.to_json()}, events)
