"""What the network remembers: JSON values by bucket and key, in one SQLite table, written as they change.

A write is in the database once `commit` has returned, and survives a kill of the process from then on.
Whoever sends something to a client commits first, so that nobody has been told what a restart would forget.
Without a directory the database lives in memory.
"""

import base64
import sqlite3
from pathlib import Path
from typing import Any, TypeVar

from cattrs.preconf.json import make_converter

__all__ = ["Store"]

T = TypeVar("T")

_converter = make_converter()
_converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode())
_converter.register_structure_hook(bytes, lambda text, _: base64.b64decode(text))


class Store:
    """Values by bucket and key. Raises sqlite3.OperationalError when another process has the directory."""

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        where = ":memory:" if directory is None else str(directory / "network.sqlite3")
        self._database = sqlite3.connect(where, isolation_level=None, timeout=1.0)
        if directory is not None:
            (directory / "network.sqlite3").chmod(0o600)  # private keys of phones lie in it
        # A second network in the same directory must fail at once instead of both spoiling it.
        self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode=WAL")
        # A kill of this process loses nothing that was handed to the kernel; only a power cut would.
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entries (bucket TEXT, key TEXT, value TEXT NOT NULL,"
            " PRIMARY KEY (bucket, key)) WITHOUT ROWID"
        )
        self._dirty = False

    def load(self, bucket: str, kind: type[T]) -> dict[str, T]:
        """Everything in a bucket as `kind`, in the order of the keys."""
        return self.load_under(bucket, "", kind)

    def load_under(self, bucket: str, prefix: str, kind: type[T]) -> dict[str, T]:
        """Everything in a bucket whose key begins with `prefix`, in the order of the keys."""
        rows = self._database.execute(
            "SELECT key, value FROM entries WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key",
            (bucket, prefix, prefix + "\U0010ffff"),
        )
        return {key: _converter.loads(value, kind) for key, value in rows}

    def get(self, bucket: str, key: str, kind: type[T]) -> T | None:
        row = self._database.execute(
            "SELECT value FROM entries WHERE bucket = ? AND key = ?", (bucket, key)
        ).fetchone()
        return None if row is None else _converter.loads(row[0], kind)

    def put(self, bucket: str, key: str, value: Any) -> None:
        """Store an attrs instance or plain value, replacing what was there."""
        self._begin()
        text = _converter.dumps(value)
        self._database.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (bucket, key, text))

    def delete(self, bucket: str, key: str) -> None:
        """Forget one value; nothing happens if there is none."""
        self._begin()
        self._database.execute("DELETE FROM entries WHERE bucket = ? AND key = ?", (bucket, key))

    def delete_under(self, bucket: str, prefix: str) -> None:
        """Forget every value in the bucket whose key begins with `prefix`."""
        self._begin()
        self._database.execute(
            "DELETE FROM entries WHERE bucket = ? AND key >= ? AND key < ?",
            (bucket, prefix, prefix + "\U0010ffff"),
        )

    def commit(self) -> None:
        """Make what was written survive the process. Costs nothing when nothing was written."""
        if self._dirty:
            self._database.execute("COMMIT")
            self._dirty = False

    def close(self) -> None:
        self.commit()
        self._database.close()

    def _begin(self) -> None:
        if not self._dirty:
            self._database.execute("BEGIN")
            self._dirty = True
