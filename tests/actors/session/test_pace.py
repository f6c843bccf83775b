"""Between those who wait for an answer and the queue: who gets the next token, at any times."""

from hypothesis import given
from hypothesis import strategies as st

from actors.limiter import TokenBucket
from actors.session.pace import Pace

INTERVAL = 6.0  # at 10 a minute


def _pace(burst: int = 1) -> Pace:
    return Pace(TokenBucket(10, burst))


def test_a_queue_alone_runs_at_the_full_rate() -> None:
    pace, now = _pace(), 0.0
    sent: list[float] = []
    while len(sent) < 5:
        if (wait := pace.queued(now)) > 0:
            now += wait
            continue
        pace.spent()
        sent.append(now)
    assert sent == [0.0, 6.0, 12.0, 18.0, 24.0]


def test_the_queue_keeps_the_token_it_waits_for() -> None:
    pace = _pace()
    assert pace.direct(0.0) == 0.0
    assert pace.queued(1.0) == 5.0
    assert pace.direct(6.0) > 0, "the token that is there is the queue's"
    assert pace.queued(6.0) == 0.0


def test_a_send_that_was_refused_finds_the_token_it_was_told_of() -> None:
    pace = _pace()
    assert pace.queued(0.0) == 0.0
    pace.spent()
    wait = pace.direct(1.0)
    assert wait == 5.0
    assert pace.queued(1.0) > wait, "the queue leaves it"
    assert pace.direct(1.0 + wait) == 0.0


def test_the_queue_waits_for_nobody_who_does_not_come_back() -> None:
    pace = _pace()
    pace.queued(0.0)
    pace.spent()
    pace.direct(1.0)
    assert pace.queued(12.0) == 0.0


def test_what_the_queue_does_not_need_goes_back() -> None:
    pace = _pace()
    pace.queued(0.0)
    pace.free()
    pace.free()
    assert pace.direct(0.0) == 0.0
    assert pace.direct(0.0) > 0


def test_at_the_same_rate_nothing_changes_and_at_another_the_bucket_is_full() -> None:
    pace = _pace()
    pace.direct(0.0)
    pace.change(10, 1)
    assert pace.direct(0.0) > 0
    pace.change(20, 1)
    assert pace.direct(0.0) == 0.0


def test_the_turns_of_a_queue_are_foretold() -> None:
    pace = _pace(burst=2)
    assert [pace.of_queue(0.0).wait(position) for position in range(4)] == [0.0, 0.0, 6.0, 12.0]
    for _ in range(2):
        assert pace.queued(0.0) == 0.0
        pace.spent()
    pace.queued(0.0)
    assert [pace.of_queue(0.0).wait(position) for position in range(3)] == [6.0, 12.0, 18.0]


@given(st.lists(st.floats(0.01, 3.0), min_size=200, max_size=200), st.integers(1, 5))
def test_neither_starves_the_other_however_often_the_impatient_ask(gaps: list[float], burst: int) -> None:
    pace, now = _pace(burst), 0.0
    direct, queue = 0, 0
    for gap in gaps:
        now += gap
        if pace.queued(now) == 0.0:
            pace.spent()
            queue += 1
        direct += pace.direct(now) == 0.0
    tokens = burst + now / INTERVAL
    assert direct + queue <= tokens + 1
    assert queue >= (tokens - burst) // 4 - burst
    assert direct >= (tokens - burst) // 4 - burst
