"""A database without tables for each test that wants one."""

from tests.storage.conftest import admin, empty_database, server

__all__ = ["admin", "empty_database", "server"]
