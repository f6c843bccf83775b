"""The states a child is seen in, and the pure questions asked of them."""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    STARTING = "starting"
    """Not ready yet."""
    RUNNING = "running"
    SUSPENDED = "suspended"
    """An actor that takes no user message until it is resumed."""
    STOPPING = "stopping"
    """Ending: asked to, or in its own stop hook."""
    UNRESPONSIVE = "unresponsive"
    """Neither ended nor yielded to cancellation in time; the wait for it goes on."""
    RESTARTING = "restarting"
    """Its life is over or about to be, and the next one is decided."""
    BACKING_OFF = "backing_off"
    """Will be started at `due`."""
    STOPPED = "stopped"
    """Not started yet, or stopped by hand or with its supervisor."""
    ENDED = "ended"
    """Ended by itself, and its restart type leaves it so."""
    IGNORED = "ignored"
    """Returned before it was ready."""
    FAILED = "failed"
    """Its back-off gave up."""


ACTIVE = frozenset({State.RUNNING, State.SUSPENDED, State.STOPPING, State.UNRESPONSIVE})
"""There is a life that became ready."""

DUE = frozenset({State.RESTARTING, State.BACKING_OFF})
"""There is none, but one will be started without being asked."""

AT_REST = frozenset({State.STOPPED, State.ENDED, State.IGNORED, State.FAILED})
"""Nothing will start it by itself again."""
