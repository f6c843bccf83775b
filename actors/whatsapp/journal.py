"""An append-only journal of what the library delivered and the gateway has not stored yet.

    DIR/lock                     held by the one process that uses the journal
    DIR/<first seq>.log          segments of about 1 MB, of records:
                                 length u32 | kind u8 | seq u64 | at u64 | crc u32 | payload

A record is one write without fsync: it survives the death of the process, not that of the machine. A record
torn at the end of a segment is cut off at opening. A segment goes once all of it is acknowledged. When the
disk refuses a record it is kept in memory and tried again; `trouble` says so.

Appending is for any thread and never waits for readers; reading and acknowledging are for one thread each.
"""

import errno
import fcntl
import os
import struct
import threading
import time
import zlib
from collections import deque
from pathlib import Path

from attrs import define, field, frozen

__all__ = ["Journal", "JournalBusy", "Record"]

HEADER = struct.Struct("!IBQQI")
SEGMENT_BYTES = 1024 * 1024
IDLE_BYTES = 64 * 1024  # a fully acknowledged segment above this goes even though it is not full
MAX_RECORD = 64 * 1024 * 1024


class JournalBusy(Exception):
    """Another process holds this journal."""


@frozen
class Record:
    kind: int
    seq: int
    at: int
    """Microseconds since 1970."""
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        bare = HEADER.pack(len(self.payload), self.kind, self.seq, self.at, 0)
        crc = zlib.crc32(self.payload, zlib.crc32(bare))
        return HEADER.pack(len(self.payload), self.kind, self.seq, self.at, crc) + self.payload


@define(eq=False)
class Segment:
    path: Path
    fd: int
    first: int
    last: int
    """The sequence number of its last record; first - 1 while it is empty."""
    size: int


@define(eq=False)
class Journal:
    """Open with `Journal.open`."""

    directory: Path
    _lock_fd: int = field(repr=False)
    _segments: deque[Segment] = field(repr=False)
    _next: int
    _acknowledged: int
    _read: int
    """The sequence number last read."""
    _offset: int = 0
    """Where in the segment being read the next record begins."""
    _unwritten: deque[Record] = field(factory=deque, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)
    _closed: bool = False
    trouble: OSError | None = None
    """Why the last write failed; None when all is written."""

    @classmethod
    def open(cls, directory: Path, after: int = 0, seen: int = 0) -> "Journal":
        """Open or create the journal; records up to `after` are acknowledged already and not read again.

        Sequence numbers go on from the largest of the files' last, `after` and `seen`: a number that somebody
        has seen is never given to another record, though the one that had it may be gone. Raises JournalBusy
        when another process has it, OSError when the directory cannot be used.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JournalBusy(f"{directory} is in use by another process") from None
            segments = deque(_recover(path) for path in sorted(directory.glob("[0-9]*.log")))
        except BaseException:
            os.close(lock_fd)
            raise
        last = max((segment.last for segment in segments), default=0)
        journal = cls(
            directory=directory,
            lock_fd=lock_fd,
            segments=segments,
            next=max(last, after, seen) + 1,
            acknowledged=after,
            read=after,
        )
        journal._drop_acknowledged()
        return journal

    @property
    def outstanding(self) -> int:
        """How many records were read and not yet acknowledged."""
        return max(0, self._read - self._acknowledged)

    @property
    def held(self) -> int:
        """Bytes held for the gateway: whole segments, so up to one segment more than is unacknowledged."""
        with self._lock:
            return sum(each.size for each in self._segments) + sum(
                len(each.payload) for each in self._unwritten
            )

    def append(self, kind: int, payload: bytes) -> int:
        """Keep a record and return its sequence number. Never raises for a disk that refuses it.

        After `close` the record is dropped: whoever closes has seen to it that nothing comes any more.
        """
        at = time.time_ns() // 1000
        with self._lock:
            if self._closed:
                return self._next
            record = Record(kind, self._next, at, payload)
            self._next += 1
            self._unwritten.append(record)
            self._write()
            return record.seq

    def read(self) -> Record | None:
        """The next record that was not read yet, None when there is none now."""
        with self._lock:
            if self._closed or self._read >= self._next - 1:
                return None
            record = self._from_files() or self._from_memory()
            if record is not None:
                self._read = record.seq
            return record

    def acknowledge(self, seq: int) -> None:
        """Everything up to `seq` is stored elsewhere; an older `seq` than before changes nothing."""
        with self._lock:
            if self._closed:
                return
            self._acknowledged = max(self._acknowledged, min(seq, self._next - 1))
            self._drop_acknowledged()
            if self._unwritten:
                self._write()

    def close(self) -> None:
        """Let go of the journal. Nothing is left in the directory when all was acknowledged."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._acknowledged >= self._next - 1:
                while self._segments:
                    self._remove_first()
            for segment in self._segments:
                os.close(segment.fd)
            self._segments.clear()
            os.close(self._lock_fd)

    def _write(self) -> None:
        try:
            while self._unwritten:
                record = self._unwritten[0]
                segment = self._segment_for(record)
                data = record.encode()
                written = os.pwrite(segment.fd, data, segment.size)
                if written != len(data):
                    os.ftruncate(segment.fd, segment.size)
                    self.trouble = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return
                segment.size += written
                segment.last = record.seq
                self._unwritten.popleft()
        except OSError as error:
            self.trouble = error
        else:
            self.trouble = None

    def _segment_for(self, record: Record) -> Segment:
        if self._segments and self._segments[-1].size < SEGMENT_BYTES:
            return self._segments[-1]
        path = self.directory / f"{record.seq:020d}.log"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        segment = Segment(path, fd, record.seq, record.seq - 1, 0)
        self._segments.append(segment)
        return segment

    def _from_files(self) -> Record | None:
        for segment in self._segments:
            if segment.last <= self._read:
                continue
            if segment.first > self._read:
                self._offset = 0  # the segment read before is done, or gone
            while self._offset < segment.size:
                record, self._offset = _record_at(segment.fd, self._offset)
                if record is None:
                    break
                if record.seq > self._read:
                    return record
            self._offset = 0
        return None

    def _from_memory(self) -> Record | None:
        return next((each for each in self._unwritten if each.seq > self._read), None)

    def _drop_acknowledged(self) -> None:
        while self._unwritten and self._unwritten[0].seq <= self._acknowledged:
            self._unwritten.popleft()
        while self._segments and self._segments[0].last <= self._acknowledged:
            if len(self._segments) == 1 and self._segments[0].size < IDLE_BYTES:
                break
            self._remove_first()

    def _remove_first(self) -> None:
        segment = self._segments.popleft()
        os.close(segment.fd)
        segment.path.unlink(missing_ok=True)


def _recover(path: Path) -> Segment:
    """A segment as it is on disk, without a torn record at its end."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    segment = Segment(path, fd, int(path.stem), int(path.stem) - 1, 0)
    while True:
        record, end = _record_at(fd, segment.size)
        if record is None or record.seq <= segment.last:
            break
        segment.last, segment.size = record.seq, end
    os.ftruncate(fd, segment.size)
    return segment


def _record_at(fd: int, offset: int) -> tuple[Record | None, int]:
    """The record at an offset and where the next begins; None when it is torn or damaged."""
    header = os.pread(fd, HEADER.size, offset)
    if len(header) < HEADER.size:
        return None, offset
    length, kind, seq, at, crc = HEADER.unpack(header)
    if length > MAX_RECORD:
        return None, offset
    payload = os.pread(fd, length, offset + HEADER.size)
    bare = HEADER.pack(length, kind, seq, at, 0)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(bare)) != crc:
        return None, offset
    return Record(kind, seq, at, payload), offset + HEADER.size + length
