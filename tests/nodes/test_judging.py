"""What the chaos is judged by, judged itself."""

import random
from itertools import islice

from tests.nodes.gaps import Gap, gaps, percentile
from tests.nodes.troubles import Kind, at_random, one_of_each
from tests.nodes.witness import Login, Owned, trespasses

HOSTS = {"n1": "10.0.0.1", "n2": "10.0.0.2"}
PHONES = {"ana": "628"}
HISTORY = [
    Owned("ana", "a", "n1", 10.0),
    Owned("ana", None, None, 20.0),
    Owned("ana", "b", "n2", 21.0),
    Owned("other", "a", "n1", 22.0),
]


def login(
    number: int,
    host: str,
    at: float,
    heard: float,
    ended: float | None = None,
    *,
    replaced: bool = False,
) -> Login:
    return Login(number, "628", host, at, heard, ended, replaced, 0)


def found(*logins: Login) -> list[str]:
    return trespasses(logins, HISTORY, HOSTS, PHONES)


def test_an_owner_that_falls_silent_in_time_trespasses_not() -> None:
    assert found(login(1, "10.0.0.1", 11, 20), login(2, "10.0.0.2", 21.5, 40)) == []


def test_whoever_is_heard_after_its_time_trespasses() -> None:
    assert len(found(login(1, "10.0.0.1", 11, 20.5))) == 1
    assert "0.500 s after it was nobody's" in found(login(1, "10.0.0.1", 11, 20.5))[0]


def test_whoever_logs_in_before_its_time_or_without_right_trespasses() -> None:
    assert len(found(login(1, "10.0.0.1", 9, 9.5))) == 1
    assert len(found(login(1, "10.0.0.2", 20.5, 22))) == 1
    assert len(found(login(1, "10.0.0.1", 21.5, 22))) == 1


def test_a_node_that_is_another_now_does_not_keep_what_it_had() -> None:
    again = [Owned("ana", "a", "n1", 10.0), Owned("ana", "c", "n1", 20.0)]
    assert len(trespasses([login(1, "10.0.0.1", 11, 21)], again, HOSTS, PHONES)) == 1


def test_a_gap_begins_when_the_connection_ends_or_was_last_heard_of() -> None:
    clean = [login(1, "a", 0, 9.9, 10), login(2, "b", 10.5, 20)]
    assert gaps(clean, 0) == [Gap("628", "a", 10, 0.5)]
    stopped = [login(1, "a", 0, 9, 13, replaced=True), login(2, "b", 12, 20)]
    assert gaps(stopped, 0) == [Gap("628", "a", 9, 3)]
    killed_while_it_stood_still = [login(1, "a", 0, 9, 19), login(2, "b", 20, 30)]
    assert gaps(killed_while_it_stood_still, 0) == [Gap("628", "a", 9, 11)]
    assert gaps(clean, 11) == []


def test_percentiles_are_of_what_there_is() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert (percentile(hundred, 0.5), percentile(hundred, 0.99), percentile(hundred, 1)) == (50, 99, 100)
    assert (percentile([3.0], 0.5), percentile([], 0.5)) == (3, 0)


def test_one_seed_has_one_course_and_all_kinds_of_trouble() -> None:
    course = list(islice(at_random(random.Random(7), 3, 2.0), 200))
    assert course == list(islice(at_random(random.Random(7), 3, 2.0), 200))
    assert {each.kind for each in course} == set(Kind) == {each.kind for each in one_of_each(3, 2.0)}
    assert {each.node for each in course} == {0, 1, 2}
