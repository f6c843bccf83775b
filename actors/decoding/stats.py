"""What the decoders count, over all their workers: plain numbers, read by whoever wants to know."""

from attrs import define

__all__ = ["DecoderStats"]


@define(eq=False)
class DecoderStats:
    """The numbers of all workers together, those that are gone included."""

    workers: int = 0
    """Processes that are there now."""
    busy: int = 0
    """Files being decoded now."""
    waiting: int = 0
    """Files waiting for a worker now."""
    jobs: int = 0
    """Files that were given to a worker."""
    refused: int = 0
    """Of those, files that the worker could not or would not convert (Undecodable, TooLarge)."""
    failures: int = 0
    """Of those, files at which the worker died or was killed (DecoderFailed)."""
    turned_away: int = 0
    """Files for which there was no room (Busy)."""
    started: int = 0
    """Processes that became ready."""
    restarts: int = 0
    """Processes that ended without having been asked to, or were killed for a limit."""
    seconds: float = 0.0
    """Spent decoding."""
