"""What sessions count, over all lives of their actors: plain numbers, read by whoever wants to know.

At most so many sessions have numbers of their own; all others count together. A session that is deleted makes
room for the next.
"""

from collections import Counter

from attrs import define, field

from actors.session.state import SessionState
from runtime import Histogram

OTHERS = "other"
"""The name of all sessions that have no numbers of their own; a session that is called so has none."""

_ACKNOWLEDGED = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 80.0)


@define(eq=False)
class SessionStats:
    """The numbers of one session, or of many together."""

    acknowledged: Histogram
    """Seconds until WhatsApp had a message; of all sessions together."""
    sends: Counter[str] = field(factory=Counter)
    """By what became of them: sent, failed, unknown; refused or withdrawn before WhatsApp was given them."""
    limited: Counter[str] = field(factory=Counter)
    """Sends refused for a limit: of the rate, or of the queue."""
    received: int = 0
    """New messages from others."""
    clients: int = 0
    """Clients started."""


@define(eq=False)
class AllSessionStats:
    """The numbers of all sessions."""

    most: int = 200
    """Sessions that have numbers of their own."""
    acknowledged: Histogram = field(factory=lambda: Histogram(_ACKNOWLEDGED))
    own: dict[str, SessionStats] = field(factory=dict)
    others: SessionStats = field(init=False)
    states: dict[str, SessionState] = field(factory=dict)
    """Of every session, the last that its actor entered."""

    def __attrs_post_init__(self) -> None:
        self.others = SessionStats(self.acknowledged)

    def of(self, session_id: str) -> SessionStats:
        """Where this session counts."""
        if session_id not in self.own:
            if len(self.own) >= self.most or session_id == OTHERS:
                return self.others
            self.own[session_id] = SessionStats(self.acknowledged)
        return self.own[session_id]

    def forget(self, session_id: str) -> None:
        """The session was deleted."""
        self.own.pop(session_id, None)
        self.states.pop(session_id, None)
