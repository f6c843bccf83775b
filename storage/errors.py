"""The errors of the storage layer, all under StorageError."""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything the storage layer raises on purpose."""


class DatabaseUnavailable(StorageError):
    """PostgreSQL cannot be reached, or broke off; the same may work in a moment."""


class WriteRefused(StorageError):
    """The database will never take this write. Names the cause and carries no values.

    `constraint` is the constraint it broke, `field` the column or attribute at fault, where known;
    `reason` is "duplicate", "missing_reference", "invalid_value", "unknown_session", or "lease_moved" for
    what its sender no longer holds.
    """

    def __init__(self, reason: str, *, field: str | None = None, constraint: str | None = None) -> None:
        super().__init__(reason, field, constraint)
        self.reason = reason
        self.field = field
        self.constraint = constraint

    def __str__(self) -> str:
        where = [part for part in (self.field, self.constraint) if part]
        return f"{self.reason} ({', '.join(where)})" if where else self.reason


class BadQuery(StorageError):
    """A filter or cursor that the database cannot understand; `field` says which where it is known."""

    def __init__(self, field: str | None = None) -> None:
        super().__init__(field)
        self.field = field


class EventsExpired(StorageError):
    """Events past a position are no longer kept: what is still there comes after `dropped`."""

    def __init__(self, dropped: int) -> None:
        super().__init__(dropped)
        self.dropped = dropped


class MigrationError(StorageError):
    """The database's history of migrations does not fit this program's."""


class ServerError(StorageError):
    """The embedded PostgreSQL could not be made, started or stopped."""
