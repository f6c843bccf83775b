"""A secret in a file that only its owner can read, made at the first use and the same ever after."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["keep"]


def keep(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; if there is none yet, what `make` returns, which the file then holds (mode 0600).

    It appears whole or not at all, also when the process is killed meanwhile. Raises OSError.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    return path.read_bytes()
