"""Where the devices of sessions keep their keys: a file for each, or one PostgreSQL for all."""

from .files import FileDevices
from .postgres import PostgresDevices
from .store import DeviceStore, Place
from .tables import TablesError, open_stores
from .url import BadConnectionString

__all__ = [
    "BadConnectionString",
    "DeviceStore",
    "FileDevices",
    "Place",
    "PostgresDevices",
    "TablesError",
    "open_stores",
]
