"""A copy of the sessions' devices, taken while their gateway runs: each as it was at one moment.

Everything else of a back-up is in the database. The devices are SQLite databases in WAL mode, so that a file
copied as it lies there may lack what was written last, or hold half of it.
"""

import io
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

BUSY = 5.0
"""Seconds to wait for one who writes."""


class BackupError(Exception):
    """A device cannot be copied, or there is none; the text is for the user."""


def write(data: Path, target: BinaryIO) -> int:
    """Write all devices of a data directory as a tar of `devices/SESSION.db`; how many there are.

    Nobody is held up by it. Raises BackupError, and OSError when the target takes no more.
    """
    devices = sorted((data / "devices").glob("*.db"))
    if not devices:
        raise BackupError(f"there are no devices in {data}; those in PostgreSQL are in its dump")
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for device in devices:
            content = _copied(device)
            entry = tarfile.TarInfo(f"devices/{device.name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
    return len(devices)


def _copied(device: Path) -> bytes:
    """A whole database as it is now, with what is only in its log yet."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(device))}?mode=ro", uri=True, timeout=BUSY)) as source,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as error:
        raise BackupError(f"{device} cannot be copied: {error}") from None
