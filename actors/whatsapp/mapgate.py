"""Keeps the library's maps of clients, which have no lock, from being written while they are read.

Starting and stopping a client writes them; every call reads them, in its first microseconds. A write under
way when another thread reads ends the process. So starts and stops come one at a time, and calls wait at the
gate while one writes.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["MapGate"]

SETTLE = (
    0.01  # seconds for calls which have just passed to do their reading: two turns of the interpreter lock
)


class MapGate:
    def __init__(self) -> None:
        self._writers = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def pass_through(self) -> None:
        """Wait until no start or stop is writing. To be called right before calling the library."""
        self._open.wait()

    def close(self) -> None:
        """Wait for other starts and stops, then hold calls back. Followed by `open` and `release`."""
        self._writers.acquire()
        self._open.clear()
        time.sleep(SETTLE)

    def open(self) -> None:
        """Let calls through again, while starts and stops still wait."""
        self._open.set()

    def release(self) -> None:
        """Let the next start or stop begin."""
        self._open.set()
        self._writers.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.close()
        try:
            yield
        finally:
            self.release()
