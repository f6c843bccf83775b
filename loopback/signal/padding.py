"""The padding of a message before it is encrypted (`<enc v=2>`): 1 to 15 bytes, each saying how many."""

import secrets

from loopback.signal.errors import MalformedError


def pad(message: bytes) -> bytes:
    count = 1 + secrets.randbelow(15)
    return message + bytes([count]) * count


def unpad(padded: bytes) -> bytes:
    """Raises MalformedError when the padding is not as it should be."""
    count = padded[-1] if padded else 0
    if count == 0 or not padded.endswith(bytes([count]) * count):
        raise MalformedError("the message is not padded")
    return padded[:-count]
