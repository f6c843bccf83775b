"""Sends what the journals hold to the gateway and takes its acknowledgements, on one thread for all clients.

At most `window` records of a session are on their way, so a slow one never holds up its neighbours.
"""

import os
import select
import socket
import threading

from .frames import Frame, FrameReader, FrameType
from .journal import Journal

__all__ = ["Forwarder"]

TURN = 32  # records of one session before the next has its turn
BATCH_BYTES = 64 * 1024  # written at once
MAX_ACK = 0  # acknowledgements carry no payload


class Forwarder:
    def __init__(self, events: socket.socket, window: int) -> None:
        self._events = events
        self._window = window
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._woken = False
        self._journals: dict[int, Journal] = {}
        self._lock = threading.Lock()

    def add(self, client: int, journal: Journal) -> None:
        with self._lock:
            self._journals[client] = journal
        self.wake()

    def remove(self, client: int) -> None:
        with self._lock:
            self._journals.pop(client, None)

    def wake(self) -> None:
        """Something was appended. Never blocks."""
        if not self._woken:
            self._woken = True
            os.eventfd_write(self._wakeup, 1)

    def run(self) -> None:
        """Forward until the gateway closes its end.

        Raises OSError or FrameError when the socket is broken.
        """
        reader = FrameReader(limit=MAX_ACK)
        poll = select.poll()
        poll.register(self._events, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._wakeup:
                    os.eventfd_read(self._wakeup)
                    self._woken = False
                elif not self._acknowledge(reader):
                    return
            while self._forward():
                pass

    def _acknowledge(self, reader: FrameReader) -> bool:
        data = self._events.recv(65536)
        for frame in reader.feed(data):
            with self._lock:
                journal = self._journals.get(frame.client)
            if journal is not None:
                journal.acknowledge(frame.number)
        return bool(data)

    def _forward(self) -> bool:
        """One turn for every session; whether any had something to send."""
        with self._lock:
            journals = list(self._journals.items())
        batch: list[bytes] = []
        size = 0
        busy = False
        for client, journal in journals:
            for _ in range(TURN):
                if journal.outstanding >= self._window or (record := journal.read()) is None:
                    break
                frame = Frame(FrameType.RECORD, client, record.seq, record.payload, record.kind, record.at)
                batch += (frame.header(), frame.payload)
                busy = True
                size += len(frame.payload)
                if size >= BATCH_BYTES:
                    self._events.sendall(b"".join(batch))
                    batch, size = [], 0
        if batch:
            self._events.sendall(b"".join(batch))
        return busy
