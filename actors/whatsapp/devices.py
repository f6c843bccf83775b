"""The file in which a session's device keeps its keys: a SQLite database of the client library's own."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from .proto import companion

__all__ = ["device_in", "device_props", "store_name"]

# In WAL mode the library commits in 3 ms instead of 90, and loses fewer messages when it is killed.
OPTIONS = "_foreign_keys=on&_journal_mode=WAL&_busy_timeout=5000&_txlock=immediate"

# As much as a phone may be asked for.
_DAYS = 10 * 365
_MEGABYTES = 10_000


def store_name(path: Path) -> str:
    """The store as the library opens it, which pastes the name into `file:NAME?_foreign_keys=on`."""
    return f"{quote(str(path))}?{OPTIONS}&_x="


def device_props(name: str, *, full_history: bool = False) -> bytes:
    """How the device introduces itself when it pairs: a `waCompanionReg.DeviceProps`, as Chrome on `name`.

    With `full_history` it asks the phone for as much of the past as that gives.
    """
    props = companion.DeviceProps(os=name, platformType=companion.DeviceProps.CHROME)
    if full_history:
        props.requireFullSync = True
        props.historySyncConfig.fullSyncDaysLimit = _DAYS
        props.historySyncConfig.fullSyncSizeMbLimit = _MEGABYTES
        props.historySyncConfig.storageQuotaMb = _MEGABYTES
    return bytes(props.SerializeToString())


def device_in(path: Path) -> str | None:
    """The JID of the device in a store, None when it holds none or is none.

    Starting the library with a device that is not there would make it a new one.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=5.0)) as database:
            row = database.execute("SELECT jid FROM whatsmeow_device LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if row is None else str(row[0])
