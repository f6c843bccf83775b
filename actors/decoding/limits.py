"""How much a file may unfold to."""

from attrs import frozen

__all__ = ["Limits"]


@frozen
class Limits:
    max_pixels: int
    """Of a picture, or of one frame."""
    max_seconds: int
    """Of a recording."""
