"""The session's state machine, decided without a clock and without a client."""

from random import Random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from actors.limiter import TokenBucket
from actors.session import state as s
from actors.session.state import (
    Attach,
    Detach,
    ForgetDevice,
    Machine,
    Policy,
    SessionState,
    advance,
    starts,
)
from runtime import Backoff
from storage.rows import Desired

AT_ONCE = TokenBucket(60, 10**9)
POLICY = Policy(backoff=Backoff(min=1.0, max=8.0, factor=2.0, jitter=0.0), rng=Random(1), starts=AT_ONCE)
IDLE = Machine(state=SessionState.STOPPED, desired=Desired.STOPPED, paired=False)
PAIRED = evolve(IDLE, paired=True)


def run(machine: Machine, *inputs: s.Input, at: float = 0.0) -> Machine:
    """The machine after these inputs, all at one time."""
    for each in inputs:
        machine, _ = advance(machine, each, at, POLICY)
    return machine


def connected(at: float = 0.0) -> Machine:
    return run(PAIRED, s.StartAsked(), s.LinkUp(), at=at)


def test_an_unpaired_session_starts_to_pair_in_a_cell_of_its_own() -> None:
    machine, effects = advance(IDLE, s.StartAsked(), 0.0, POLICY)
    assert effects == (Attach(pairing=True),)
    assert machine.state is SessionState.STARTING
    assert machine.desired is Desired.RUNNING
    assert run(machine, s.CodeShown()).state is SessionState.PAIRING


def test_a_paired_session_starts_without_pairing() -> None:
    _, effects = advance(PAIRED, s.StartAsked(), 0.0, POLICY)
    assert effects == (Attach(pairing=False),)


def test_a_session_that_just_paired_moves_to_a_shared_cell() -> None:
    pairing = run(IDLE, s.StartAsked(), s.CodeShown(), s.PairingDone())
    assert pairing.paired
    settling, effects = advance(pairing, s.LinkUp(), 5.0, POLICY)
    assert effects == ()
    assert settling.due == 5.0 + POLICY.settling
    moved, effects = advance(settling, s.Due(), settling.due, POLICY)
    assert effects == (Detach(), Attach(pairing=False))
    assert moved.state is SessionState.STARTING
    assert run(moved, s.LinkUp()).state is SessionState.CONNECTED


def test_a_second_code_of_one_round_does_not_extend_the_round() -> None:
    first = run(IDLE, s.StartAsked(), s.CodeShown(), at=0.0)
    second = run(first, s.CodeShown(), at=100.0)
    assert second.due == first.due == POLICY.pairing_window


def test_a_round_that_nobody_scans_is_followed_by_another_up_to_the_last() -> None:
    machine, now = run(IDLE, s.StartAsked()), 0.0
    for _ in range(POLICY.pairing_rounds - 1):
        machine = run(machine, s.CodeShown(), at=now)
        now += POLICY.pairing_window
        machine, effects = advance(machine, s.Due(), now, POLICY)
        assert effects == (Detach(),)
        assert machine.state is SessionState.STARTING
        assert machine.due is not None
        now = machine.due
        machine, effects = advance(machine, s.Due(), now, POLICY)
        assert effects == (Attach(pairing=True),)
    machine = run(machine, s.CodeShown(), at=now)
    machine, effects = advance(machine, s.Due(), now + POLICY.pairing_window, POLICY)
    assert (machine.state, effects) == (SessionState.FAILED, (Detach(),))


def test_a_broken_link_is_left_to_the_library_for_its_window_only() -> None:
    machine, effects = advance(connected(), s.LinkDown("gone"), 10.0, POLICY)
    assert (machine.state, effects) == (SessionState.RECONNECTING, ())
    assert machine.due == 10.0 + POLICY.reconnect_window
    assert run(machine, s.LinkUp(), at=20.0).state is SessionState.CONNECTED
    late, effects = advance(machine, s.Due(), machine.due, POLICY)
    assert (late.state, effects) == (SessionState.RECONNECTING, (Detach(),))
    assert not late.hosted


def test_lost_clients_come_back_with_growing_waits() -> None:
    machine, waits = connected(), []
    now = 1.0
    for _ in range(5):
        machine, effects = advance(machine, s.ClientEnded("died"), now, POLICY)
        assert effects == (Detach(),)
        assert machine.due is not None
        waits.append(machine.due - now)
        now = machine.due
        machine, effects = advance(machine, s.Due(), now, POLICY)
        assert effects == (Attach(pairing=False),)
        assert machine.state is SessionState.RECONNECTING
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_client_that_was_up_for_a_while_starts_the_waits_anew() -> None:
    machine = run(connected(), s.ClientEnded("died"), at=1.0)
    assert machine.failures == 1
    machine = run(machine, s.Due(), at=2.0)
    machine = run(machine, s.LinkUp(), at=3.0)
    machine = run(machine, s.ClientEnded("died"), at=3.0 + POLICY.stable_after)
    assert machine.failures == 1


def test_an_end_that_was_heard_of_already_changes_nothing() -> None:
    machine = run(connected(), s.ClientEnded("died"))
    assert advance(machine, s.ClientEnded("died again"), 0.0, POLICY) == (machine, ())


def test_unlinked_by_the_phone_the_session_forgets_its_device() -> None:
    machine, effects = advance(connected(), s.LoggedOutRemotely("401"), 1.0, POLICY)
    assert effects == (Detach(), ForgetDevice())
    assert machine.state is SessionState.LOGGED_OUT
    assert not machine.paired
    _, effects = advance(machine, s.StartAsked(), 2.0, POLICY)
    assert effects == (Attach(pairing=True),)


def test_a_ban_is_waited_out() -> None:
    machine, effects = advance(connected(), s.Banned("spam", 600.0), 1.0, POLICY)
    assert (machine.state, effects) == (SessionState.RESTRICTED, (Detach(),))
    assert machine.due == 601.0
    _, effects = advance(machine, s.Due(), 601.0, POLICY)
    assert effects == (Attach(pairing=False),)


def test_what_trying_again_will_not_mend_fails_until_the_user_acts() -> None:
    machine = run(connected(), s.Refused("replaced"))
    assert (machine.state, machine.due) == (SessionState.FAILED, None)
    assert advance(machine, s.Begin(), 0.0, POLICY) == (machine, ())
    assert run(machine, s.StartAsked()).state is SessionState.STARTING


@pytest.mark.parametrize("stored", [SessionState.CONNECTED, SessionState.RECONNECTING, SessionState.PAIRING])
def test_what_ran_before_a_restart_runs_after_it(stored: SessionState) -> None:
    machine = evolve(PAIRED, state=stored, desired=Desired.RUNNING)
    assert advance(machine, s.Begin(), 0.0, POLICY)[1] == (Attach(pairing=False),)


@pytest.mark.parametrize("stored", list(SessionState))
def test_what_the_user_stopped_stays_stopped_after_a_restart(stored: SessionState) -> None:
    machine = evolve(PAIRED, state=stored, desired=Desired.STOPPED)
    assert advance(machine, s.Begin(), 0.0, POLICY)[1] == ()


def test_many_that_begin_at_once_start_in_turn_and_have_their_whole_window_from_there() -> None:
    policy = Policy(starts=starts(2))
    stored = evolve(PAIRED, state=SessionState.CONNECTED, desired=Desired.RUNNING)
    begun = [advance(stored, s.Begin(), 100.0, policy) for _ in range(5)]
    waits = [0.0, 0.0, 0.5, 1.0, 1.5]
    assert [effects for _, effects in begun] == [(Attach(pairing=False, wait=wait),) for wait in waits]
    assert [machine.due for machine, _ in begun] == [100.0 + wait + policy.start_window for wait in waits]


def test_lost_clients_come_back_in_turn_too() -> None:
    policy = Policy(starts=starts(1), backoff=Backoff(min=1.0, max=1.0, jitter=0.0))
    lost = run(connected(), s.ClientEnded("died"))
    effects = [advance(lost, s.Due(), 1.0, policy)[1] for _ in range(3)]
    assert effects == [(Attach(pairing=False, wait=wait),) for wait in (0.0, 1.0, 2.0)]


def test_who_pairs_waits_for_nobody() -> None:
    policy = Policy(starts=starts(1))
    for _ in range(3):
        assert advance(IDLE, s.StartAsked(), 0.0, policy)[1] == (Attach(pairing=True),)


INPUTS = st.one_of(
    st.sampled_from(
        [
            s.Begin(),
            s.StartAsked(),
            s.StopAsked(),
            s.RestartAsked(),
            s.LogoutAsked(),
            s.CodeShown(),
            s.PairingDone(),
            s.LinkUp(),
            s.LinkDown("x"),
            s.ClientEnded("x"),
            s.LoggedOutRemotely("x"),
            s.Banned("x", 60.0),
            s.Banned("x", None),
            s.Refused("x"),
            s.Due(),
        ]
    )
)


@given(st.lists(st.tuples(INPUTS, st.floats(0, 200)), max_size=60))
def test_whatever_happens_there_is_one_client_at_most_and_always_a_way_on(
    happenings: list[tuple[s.Input, float]],
) -> None:
    machine, now, clients = IDLE, 0.0, 0
    for event, wait in happenings:
        now += wait
        before = machine
        machine, effects = advance(machine, event, now, POLICY)
        for effect in effects:
            match effect:
                case Attach(pairing=pairing):
                    assert clients == 0
                    assert pairing == (not machine.paired)
                    clients = 1
                case Detach():
                    assert clients == 1
                    clients = 0
                case ForgetDevice():
                    assert clients == 0
                    assert not machine.paired
        assert machine.hosted == (clients == 1)
        if machine.state is SessionState.CONNECTED:
            assert machine.paired
            assert machine.hosted
        if machine.desired is Desired.STOPPED:
            assert not machine.hosted or before.hosted
        # A session that is to run and is neither up nor beyond help has something to wait for.
        if machine.state in {SessionState.STARTING, SessionState.PAIRING, SessionState.RECONNECTING}:
            assert machine.due is not None
