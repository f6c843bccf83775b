"""Deletes what was to be kept for a time only, now and then, until nothing of it is left."""

import logging
from collections.abc import Awaitable, Callable, Mapping

import trio

from storage.errors import StorageError

log = logging.getLogger("sweeper")

AT_ONCE = 100
"""What is deleted in one transaction at most."""

Sweep = Callable[[int], Awaitable[int]]
"""Deletes up to so many and tells how many there were; it may raise StorageError."""


async def sweep(
    sweeps: Mapping[str, Sweep],
    *,
    interval: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Sweep all of these, by what they are called in the log, every `interval` seconds until cancelled.

    One that cannot be swept now keeps none of the others from it. Nodes that share a database may all do it.
    """
    task_status.started()
    while True:
        for name, delete in sweeps.items():
            try:
                deleted = await _all(delete)
            except StorageError as error:
                log.warning("not_swept what=%s error=%s", name, type(error).__name__)
            else:
                if deleted:
                    log.info("swept what=%s count=%d", name, deleted)
        await trio.sleep(interval)


async def _all(delete: Sweep) -> int:
    deleted = last = await delete(AT_ONCE)
    while last == AT_ONCE:
        last = await delete(AT_ONCE)
        deleted += last
    return deleted
