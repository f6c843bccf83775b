"""A node's belief ends before its lease can, however its clock runs within the bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cluster.tenure import DRIFT, Tenure

leases = st.floats(0.5, 3600.0)
instants = st.floats(0.0, 1e7)


@given(lease=leases, sent_at=instants, late=st.floats(0.0, 60.0), rate=st.floats(1 - DRIFT, 1 + DRIFT))
def test_a_tenure_ends_before_the_lease_at_any_rate_within_the_bound(
    lease: float, sent_at: float, late: float, rate: float
) -> None:
    """`rate` is this clock's seconds for each of the database's, which renewed `late` after the sending."""
    tenure = Tenure(sent_at, lease)
    killed = (tenure.deadline - sent_at) / rate  # in the database's seconds since the sending
    assert killed + tenure.margin <= late + lease + 1e-6


def test_a_clock_slower_than_the_bound_would_outlive_the_lease() -> None:
    tenure = Tenure(0.0, 15.0)
    assert tenure.deadline / (1 - 2 * DRIFT) > tenure.lease


@given(lease=leases, sent_at=instants)
def test_a_renewal_comes_long_before_the_stop_and_the_stop_before_the_deadline(
    lease: float, sent_at: float
) -> None:
    tenure = Tenure(sent_at, lease)
    assert sent_at < tenure.next_renewal < tenure.stop_at < tenure.deadline < sent_at + lease
    assert tenure.stop_at - tenure.next_renewal >= lease / 4  # for a renewal that fails to be tried again


def test_the_figures_of_the_default_lease() -> None:
    tenure = Tenure(sent_at=100.0, lease=15.0)
    assert (tenure.next_renewal, tenure.stop_at, tenure.deadline) == (105.0, 109.5, 112.5)


def test_nothing_starts_once_sessions_stop_and_nothing_acts_from_the_deadline_on() -> None:
    tenure = Tenure(sent_at=100.0, lease=15.0)
    assert tenure.may_start(109.4)
    assert not tenure.may_start(109.5)
    assert not tenure.over(112.4)
    assert tenure.over(112.5)


@pytest.mark.parametrize("lease", [0.0, -1.0])
def test_a_lease_of_no_seconds_is_refused(lease: float) -> None:
    with pytest.raises(ValueError, match="lease must be above 0"):
        Tenure(0.0, lease)
