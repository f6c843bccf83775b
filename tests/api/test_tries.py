"""Failed tries slow down the next ones: strictly here, loosely elsewhere, and never for ever."""

from collections.abc import Callable

import pytest

from api.refusals import TooManyTries
from api.tries import ADDRESS, FORGOTTEN, MOST, NAME, PAIR, Failures, Tries, wait_after

HERE, THERE = "192.0.2.1", "198.51.100.1"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def tried(tries: Tries, name: str, address: str | None) -> float:
    """Try in vain; the seconds to wait, when it was not let."""
    try:
        tries.begin(name, address)
    except TooManyTries as refused:
        return refused.retry_after
    return 0.0


@pytest.mark.parametrize(
    ("count", "wait"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (14, 512), (15, 900), (16, 900), (10_000, 900)],
)
def test_a_pairs_waits_double_from_a_second_to_a_quarter_of_an_hour(count: int, wait: float) -> None:
    assert wait_after(Failures(count, 1000.0), PAIR, 1000.0) == wait
    assert wait_after(Failures(count, 1000.0), PAIR, 1000.0 + wait) == 0


def test_all_is_forgotten_an_hour_after_the_last() -> None:
    assert wait_after(None, PAIR, 0.0) == 0
    assert PAIR.longest < FORGOTTEN
    clock = Clock()
    tries = Tries(clock)
    for _ in range(5):
        assert tried(tries, "ana", HERE) == 0
    assert tried(tries, "ana", HERE) == 1
    clock.time += FORGOTTEN + 1
    for _ in range(5):
        assert tried(tries, "ana", HERE) == 0
    assert tried(tries, "ana", HERE) == 1


def test_tries_at_once_are_all_counted_before_any_has_failed() -> None:
    tries = Tries(Clock())
    assert [tried(tries, "ana", HERE) for _ in range(50)].count(0.0) == 5


def test_a_try_that_is_not_let_makes_the_wait_no_longer() -> None:
    clock = Clock()
    tries = Tries(clock)
    for _ in range(6):
        tried(tries, "ana", HERE)
    for _ in range(100):
        assert tried(tries, "ana", HERE) == 1
    clock.time += 1
    assert tried(tries, "ana", HERE) == 0
    assert tried(tries, "ana", HERE) == 2


def test_who_guesses_keeps_out_nobody_who_comes_from_elsewhere() -> None:
    clock = Clock()
    tries = Tries(clock)
    for _ in range(1000):
        clock.time += tried(tries, "admin", HERE)
    assert tried(tries, "admin", HERE) == 0
    assert tried(tries, "ADMIN", HERE) == PAIR.longest, "it is the same name"
    clock.time += NAME.longest
    assert tried(tries, "admin", THERE) == 0
    assert tried(tries, "admin", HERE) > 800


def many(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def test_many_addresses_that_guess_at_a_name_slow_down_strangers_a_minute_at_most() -> None:
    clock = Clock()
    tries = Tries(clock)
    tries.begin("admin", HERE)
    tries.succeeded("admin", HERE)
    let = sum(tried(tries, "admin", many(number)) == 0 for number in range(5000))
    assert let == NAME.free
    assert 0 < tried(tries, "admin", THERE) <= NAME.longest
    for _ in range(PAIR.free):
        assert tried(tries, "admin", HERE) == 0, "where they have signed in before it is as ever"
    for number in range(5000, 5020):
        clock.time += NAME.longest
        assert tried(tries, "admin", many(number)) == 0, "never for ever"


def test_an_address_that_tries_many_names_waits_and_no_other_does() -> None:
    clock = Clock()
    tries = Tries(clock)
    tries.begin("ana", HERE)
    tries.succeeded("ana", HERE)
    let = sum(tried(tries, f"name{number}", HERE) == 0 for number in range(500))
    assert let == ADDRESS.free
    assert 0 < tried(tries, "eva", HERE) <= ADDRESS.longest
    assert tried(tries, "eva", THERE) == 0
    assert tried(tries, "ana", HERE) == 0, "she has signed in from there before"


def test_a_success_clears_the_name_and_not_what_the_address_tried_with_others() -> None:
    tries = Tries(Clock())
    for _ in range(4):
        assert tried(tries, "ana", HERE) == 0
    tries.begin("ana", HERE)
    tries.succeeded("ana", HERE)
    for _ in range(5):
        assert tried(tries, "ana", HERE) == 0
    for number in range(ADDRESS.free - 4):
        assert tried(tries, f"name{number}", HERE) == 0
    assert tried(tries, "one more", HERE) > 0


def test_a_new_password_clears_the_name_everywhere() -> None:
    tries = Tries(Clock())
    for address in (HERE, THERE):
        for _ in range(6):
            tried(tries, "ana", address)
    tries.forget("Ana")
    assert tried(tries, "ana", HERE) == tried(tries, "ana", THERE) == 0


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        (None, "192.0.2.1", False),
        (None, None, True),
    ],
)
def test_an_address_is_what_of_it_nobody_chooses(first: str | None, second: str | None, same: bool) -> None:
    tries = Tries(Clock())
    for _ in range(5):
        tried(tries, "ana", first)
    assert (tried(tries, "ana", second) > 0) is same


def test_memory_is_bounded() -> None:
    clock = Clock()
    tries = Tries(clock)
    for number in range(MOST + 500):
        tries.begin(f"name{number}", many(number))
        tries.succeeded(f"name{number}", many(number))
        tries.begin(f"other{number}", many(number))
    kept: list[Callable[[], int]] = [each.__len__ for each in tries._failures.values()]
    assert max(count() for count in kept) <= MOST
    assert len(tries._known) <= MOST
