"""A SQLite file for each session: the store of a gateway that is alone."""

from pathlib import Path

import trio
from attrs import frozen

from actors.whatsapp.devices import device_in, store_name
from actors.whatsapp.errors import DeviceMissing

from .store import Place

__all__ = ["FileDevices"]


@frozen
class FileDevices:
    """The files of a directory, which is made with the first of them."""

    directory: Path

    def file(self, session_id: str) -> Path:
        return self.directory / f"{session_id}.db"

    async def place(self, session_id: str, jid: str | None) -> Place:
        """As `DeviceStore`. The file has no other device, so the library is left to find it."""
        file = self.file(session_id)
        if jid is not None and await trio.to_thread.run_sync(device_in, file) is None:
            raise DeviceMissing(f"the keys of {jid} are not in the device store any more")
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Place(store_name(file))

    async def forget(self, session_id: str, jid: str | None) -> None:  # noqa: ARG002 - the file is the device
        """As `DeviceStore`: the file goes, with SQLite's -wal and -shm."""
        file = self.file(session_id)
        for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            path.unlink(missing_ok=True)
