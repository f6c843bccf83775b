"""A round of sends, which both sides of the comparison offer alike: the gateway, and the bare library.

Session number i of either side writes to the same simulated phone, so both meet the same recipients.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from api.config import Cells

__all__ = ["MOST", "PER_PROCESS", "TEXT", "Round", "SendFailed", "Side"]

TEXT = "What is measured is the way and not the words, so all are alike."
PER_PROCESS = Cells().sessions_per_cell
MOST = 5_000  # sends of one worker in one round, however long that is


class SendFailed(Exception):
    """A text was not acknowledged: the round measures nothing."""


@frozen
class Round:
    """What one round gave: texts acknowledged, and how long each took from the call on."""

    seconds: float
    latencies: Sequence[float] = field(repr=False)

    @property
    def rate(self) -> float:
        """Texts a second."""
        return len(self.latencies) / self.seconds


class Side(Protocol):
    """One of the two."""

    def processes(self) -> Mapping[str, set[int]]:
        """Their ids by what they are for."""

    async def send(self, sessions: int, in_flight: int, seconds: float) -> Round:
        """Let the first sessions send with so many texts in flight each. Raises SendFailed."""
