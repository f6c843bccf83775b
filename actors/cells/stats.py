"""What the cells count, over all their lives: plain numbers, read by whoever wants to know."""

from attrs import define

__all__ = ["CellStats"]


@define(eq=False)
class CellStats:
    """The numbers of all cells together, those that are gone included."""

    started: int = 0
    """Processes that became ready."""
    died: int = 0
    """Those that ended without having been asked to."""
    retired: int = 0
    """Those whose sessions were handed over."""
    clients: int = 0
    """Clients that were to be started in them."""
