"""A database of its own for each test that wants one."""

from tests.storage.conftest import admin, database, migrated, server

__all__ = ["admin", "database", "migrated", "server"]
