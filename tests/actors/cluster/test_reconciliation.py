"""What a node does about the sessions that are its own."""

from actors.cluster.reconciliation import reconcile


def test_what_is_missing_is_started_and_what_is_not_ours_is_stopped() -> None:
    todo = reconcile({"a": 1, "b": 4}, {"b": 4, "c": 2}, {})
    assert (todo.start, set(todo.stop), todo.retake) == ({"a": 1}, {"c"}, {})


def test_what_is_ours_under_another_epoch_is_stopped_before_it_is_started_again() -> None:
    assert reconcile({"a": 3}, {"a": 1}, {}).stop == {"a"}
    assert reconcile({"a": 3}, {"a": 1}, {}).start == {}
    assert reconcile({"a": 3}, {}, {}).start == {"a": 3}


def test_an_epoch_that_may_be_given_away_is_retaken_and_only_the_next_started() -> None:
    assert reconcile({"a": 3}, {}, {"a": 3}).retake == {"a": 3}
    assert reconcile({"a": 3}, {}, {"a": 3}).start == {}
    assert reconcile({"a": 2}, {}, {"a": 3}).start == {}, "an answer from before"
    assert reconcile({"a": 4}, {}, {"a": 3}).start == {"a": 4}
