"""What a sink counted, over all its lives."""

from attrs import define


@define(eq=False)
class SinkStats:
    """Plain numbers; whoever counts knows of no metrics."""

    published: int = 0
    """Events that the broker has."""
    failed: int = 0
    """Tries that it did not acknowledge."""
    waiting: int | None = None
    """Events that it is to be told of and does not have; None: not known yet.

    Those of a session that was deleted count until it has all others.
    """
    error: str | None = None
    """Why the last try failed; None: it did not."""
