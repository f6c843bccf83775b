"""The lock of a data directory: whoever holds it is alone there."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the data directory; the system gives it back when we end, however that happens.

    Raises OSError when a gateway runs on it.
    """
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another gateway runs on {data}") from None
        yield
