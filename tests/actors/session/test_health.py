"""The health of an account: the worst counts, what is over goes, and all of it outlives a restart."""

from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from actors.session.health import AccountHealth, Health, HealthState, Trouble, health_data
from storage.writes import NewEvent

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _trouble(state: HealthState, hours: float | None = None, since: datetime = NOON) -> Trouble:
    until = None if hours is None else NOON + hours * HOUR
    return Trouble(state=state, reason=f"{state}!", since=since, until=until)


def test_the_worst_of_several_troubles_is_the_state() -> None:
    health = Health()
    for state in (HealthState.RESTRICTED, HealthState.LOGGED_OUT, HealthState.NEW_CHAT_CAP):
        health = health.with_(_trouble(state, 1))
    assert health_data(health) == {
        "state": "logged_out",
        "reason": "logged_out!",
        "until": "2026-01-31T13:00:00+00:00",
    }
    mended = health.without(HealthState.LOGGED_OUT)
    assert health_data(mended)["state"] == "restricted"
    assert health_data(Health())["state"] == "ok"


def test_what_is_over_by_itself_goes_and_the_rest_stays() -> None:
    health = Health().with_(_trouble(HealthState.RESTRICTED, 2)).with_(_trouble(HealthState.NEW_CHAT_CAP, 1))
    assert health.next_end() == NOON + HOUR
    assert set(health.at(NOON + HOUR).troubles) == {HealthState.RESTRICTED}
    assert health.at(NOON + 2 * HOUR) == Health()


def test_a_trouble_known_already_began_when_it_did_and_ends_the_later() -> None:
    health = Health().with_(_trouble(HealthState.RESTRICTED, 5))
    again = health.with_(_trouble(HealthState.RESTRICTED, 3, since=NOON + HOUR))
    assert again == health


def test_what_is_stored_is_read_back() -> None:
    health = Health().with_(_trouble(HealthState.RESTRICTED, 2)).with_(_trouble(HealthState.LOGGED_OUT))
    assert Health.from_json(health.to_json()) == health


async def test_each_change_is_told_once_and_so_is_the_end() -> None:
    told: list[tuple[Any, Any]] = []

    async def store(changes: dict[str, Any], events: tuple[NewEvent, ...]) -> None:
        told.append((changes["health"], [event.data["state"] for event in events]))

    account = AccountHealth(Health(), store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(account.watch)
        until = datetime.now(UTC) + timedelta(seconds=0.1)
        await account.add(HealthState.RESTRICTED, "463", until)
        await account.add(HealthState.NEW_CHAT_CAP, "too many", until + HOUR)
        await account.add(HealthState.RESTRICTED, "463", until)
        with trio.fail_after(5):
            while len(told) < 3:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert [states for _, states in told] == [["restricted"], [], ["new_chat_cap"]]
    assert set(told[-1][0]) == {"new_chat_cap"}
