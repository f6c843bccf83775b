"""What keeps the clients of a node from outliving its lease."""

import time

from attrs import define

from actors.cluster.tenure import Tenure

__all__ = ["Leash"]


@define(eq=False)
class Leash:
    """The newest tenure of this node; there is none before it has registered, and after it lost its lease."""

    tenure: Tenure | None = None

    @property
    def until(self) -> float:
        """Until when clients may live, by CLOCK_MONOTONIC: what runs them ends then, come what may."""
        return 0.0 if self.tenure is None else self.tenure.deadline

    def may_start(self) -> bool:
        """Whether another client may be started now."""
        return self.tenure is not None and self.tenure.may_start(time.monotonic())
