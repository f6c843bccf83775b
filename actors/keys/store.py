"""What a store of devices promises, whichever kind it is."""

from typing import Protocol

from attrs import field, frozen

__all__ = ["DeviceStore", "Place"]


@frozen
class Place:
    """Where the client library finds a device."""

    name: str = field(repr=False)  # may hold a password
    """A SQLite path with options riding along, or a `postgres…` URL."""
    device: str | None = None
    """Which device of many; None: the only one, or a new one."""
    new: bool = False
    """Whether a new one is made although others are there."""


class DeviceStore(Protocol):
    """Holds the keys of sessions' devices, which the client library reads and writes by itself."""

    async def place(self, session_id: str, jid: str | None) -> Place:
        """Where the session's device is, or with `jid` None where a new one goes.

        Raises DeviceMissing when the device is not there, StartRefused when that cannot be found out now.
        """
        ...

    async def forget(self, session_id: str, jid: str | None) -> None:
        """Delete the device's keys; `jid` None: the session has none that is paired.

        Raises DatabaseUnavailable.
        """
        ...
