"""Deletes files whose time is over, now and then."""

import logging

import trio

from storage.errors import StorageError
from storage.media import MediaStore
from storage.rows import now

log = logging.getLogger("media")

_AT_ONCE = 100  # files in one transaction


async def sweep(
    store: MediaStore, *, interval: float, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Sweep every `interval` seconds, until cancelled. Nodes that share a database may all do it."""
    task_status.started()
    while True:
        try:
            deleted = last = await store.sweep(now(), _AT_ONCE)
            while last == _AT_ONCE:
                last = await store.sweep(now(), _AT_ONCE)
                deleted += last
        except StorageError as error:
            log.warning("media_not_swept error=%s", type(error).__name__)
        else:
            if deleted:
                log.info("media_swept files=%d", deleted)
        await trio.sleep(interval)
