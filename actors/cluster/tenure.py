"""How long a node may believe that its sessions are its own, by its own clock: decided, not waited for.

The database counts a lease from when it carries out a renewal. The node cannot know when that was, only that
it was not before the renewal was sent, and its clock need not run at the database's rate. So it counts from
the sending, a little less than the lease: what it believes ends before the database gives a session away.

    sent_at      next_renewal             stop_at         deadline       (at the earliest, the lease's end)
       |--------------|----------------------|----------------|---- margin, drift ----|
          all is well     renewing is tried      sessions stop    nothing may act
"""

from typing import Any

from attrs import Attribute, field, frozen

__all__ = ["DRIFT", "Tenure"]

DRIFT = 0.1
"""How much slower this clock may run than the database's, as a share: the assumption all this rests on.

A quartz is wrong by 0.01 %, and the kernel lets NTP correct a rate by 0.05 %; but a daemon that slews a clock
to the right time may run it far off the rate meanwhile (chrony by up to 8.3 %), on either machine. A machine
that is suspended, or whose hypervisor pauses it, keeps no such bound: what its node writes afterwards is
refused for its epoch, but its clients live on until the deadline by a clock that stood still.
"""

MARGIN = 1.0
"""Seconds, at most, that a process which was killed at the deadline may take to be gone from the network."""

STOPPING = 3.0
"""Seconds, at most, that sessions get to stop by themselves before the deadline ends them."""


def _positive(_: Any, attribute: "Attribute[float]", value: float) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be above 0, not {value:g}")


@frozen
class Tenure:
    """What one acknowledged renewal (or registration) entitles to. Times are seconds of CLOCK_MONOTONIC.

    That clock is one for all processes of a machine, so that a deadline may be told to them as it is.
    Trio's clock is another: it adds a number of its own to it. Raises ValueError for a lease of no seconds.
    """

    sent_at: float
    """When the renewal was about to be sent: read before the statement, never after its answer."""
    lease: float = field(validator=_positive)
    """Seconds for which the database was told to keep others off."""
    drift: float = DRIFT
    margin: float = field()
    """Seconds. Of a short lease a fifteenth, so that tests may have leases of a second."""
    stopping: float = field()
    """Seconds. Of a short lease a fifth."""

    @margin.default
    def _margin(self) -> float:
        return min(MARGIN, self.lease / 15)

    @stopping.default
    def _stopping(self) -> float:
        return min(STOPPING, self.lease / 5)

    @property
    def deadline(self) -> float:
        """From here on nothing may act: the clients' processes are killed, whatever they are doing."""
        return self.sent_at + self.lease * (1 - self.drift) - self.margin

    @property
    def stop_at(self) -> float:
        """When sessions begin to stop if there is no newer tenure, so as to end in order before the deadline.

        From here on none is started either.
        """
        return self.deadline - self.stopping

    @property
    def next_renewal(self) -> float:
        """When the next renewal is due. One that fails leaves time for more before `stop_at`."""
        return self.sent_at + self.lease / 3

    def may_start(self, now: float) -> bool:
        """Whether a session may be started at this moment; its process is to end at the deadline even so."""
        return now < self.stop_at

    def over(self, now: float) -> bool:
        """Whether nothing may act any more."""
        return now >= self.deadline
