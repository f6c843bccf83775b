"""The token bucket, over any times and rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.limiter import TokenBucket, Window

RATES = st.floats(0.1, 6000)
TIMES = st.floats(0, 1e9)


def test_a_full_bucket_lets_the_burst_through_and_says_how_long_the_next_has_to_wait() -> None:
    bucket = TokenBucket(10, 3)
    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(6.0)]


def test_a_refusal_takes_no_token() -> None:
    bucket = TokenBucket(60, 1)
    bucket.take(0.0)
    assert [bucket.take(0.25) for _ in range(3)] == [pytest.approx(0.75)] * 3
    assert bucket.take(1.0) == 0.0


def test_tokens_come_back_at_the_rate_and_no_further_than_the_burst() -> None:
    bucket = TokenBucket(10, 10)
    for _ in range(10):
        bucket.take(0.0)
    assert [bucket.remaining(time) for time in (0.0, 5.9, 6.0, 12.0, 60.0, 1e6)] == [0, 0, 1, 2, 10, 10]


def test_a_refund_gives_the_token_back() -> None:
    bucket = TokenBucket(10, 2)
    bucket.take(0.0)
    bucket.take(0.0)
    bucket.refund()
    assert bucket.remaining(0.0) == 1
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) > 0


def test_a_refund_to_a_full_bucket_adds_nothing() -> None:
    bucket = TokenBucket(10, 2)
    bucket.take(0.0)
    bucket.refund()
    bucket.refund()
    assert bucket.remaining(0.0) == 2


@given(rate=RATES, burst=st.integers(1, 100), start=TIMES)
def test_whoever_waits_as_long_as_told_is_let_through(rate: float, burst: int, start: float) -> None:
    bucket = TokenBucket(rate, burst)
    while not (wait := bucket.take(start)):
        pass
    # A time of this size may not be able to say it exactly.
    later = start + wait + start * 2**-50
    assert bucket.take(later) == 0.0


@given(
    rate=RATES,
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 120), min_size=1, max_size=100),
    start=TIMES,
)
def test_never_more_than_the_burst_and_the_rate_allow(
    rate: float, burst: int, gaps: list[float], start: float
) -> None:
    bucket, now, taken = TokenBucket(rate, burst), start, 0
    for gap in gaps:
        now += gap
        remaining = bucket.remaining(now)
        taken += (got := bucket.take(now) == 0.0)
        if remaining:
            assert got
            assert bucket.remaining(now) == remaining - 1
    assert taken <= burst + (now - start) * rate / 60 + 1e-3


def test_a_reserved_token_is_nobody_else_s() -> None:
    bucket = TokenBucket(10, 1)
    assert bucket.reserve(0.0) == 0.0
    assert bucket.reserve(0.0) == pytest.approx(6.0)
    assert bucket.take(6.0) == pytest.approx(6.0)


def test_a_window_lets_so_many_through_in_any_stretch_of_its_length() -> None:
    window = Window(limit=2, seconds=10.0)
    window.remember([0.0])
    assert window.wait(4.0) == 0.0
    window.add(4.0)
    assert window.wait(5.0) == pytest.approx(5.0)
    assert window.wait(10.0) == 0.0
    window.add(10.0)
    assert window.wait(10.0) == pytest.approx(4.0)
    window.undo()
    assert window.wait(10.0) == 0.0


def test_a_window_that_was_fuller_than_it_may_be_waits_for_all_of_the_excess() -> None:
    window = Window(limit=1, seconds=10.0)
    window.remember([0.0, 3.0, 5.0])
    assert window.wait(6.0) == pytest.approx(9.0)
