"""What an operator may set about the decoders."""

from attrs import frozen

__all__ = ["DecodersConfig"]


@frozen(kw_only=True)
class DecodersConfig:
    """Limits of the processes that decode media; durations in seconds."""

    workers: int = 2
    """Files decoded at once, each in a process of its own."""
    memory_mb: int = 640
    """What a file may take in a worker, beyond the 65 MB that it takes for itself.

    The largest picture takes about twelve bytes a pixel.
    """
    timeout: float = 60.0
    """For one file."""
    max_jobs: int = 100
    """After so many files a worker is replaced."""
    queue: int = 16
    """Files that may wait for a worker; each is in memory."""
    max_pixels: int = 50_000_000
    """Of a picture, or of one frame."""
    max_seconds: int = 3600
    """Of a recording."""
