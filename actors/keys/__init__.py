"""Where the devices of sessions keep their keys: a file for each, or one PostgreSQL for all."""

from .files import FileDevices
from .postgres import PostgresDevices
from .store import DeviceStore, Place

__all__ = ["DeviceStore", "FileDevices", "Place", "PostgresDevices"]
