"""What a file is, told from its bytes alone: never from a name, never by parsing it."""

__all__ = ["sniff"]


def sniff(data: bytes) -> str | None:
    """The MIME type of these bytes; None when they are of no known kind. Never raises."""
    return None
