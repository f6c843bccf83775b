"""Runs a program until a signal asks it to stop: in order, and by a deadline whatever hangs."""

import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable

import trio

log = logging.getLogger("gateway")

DEADLINE = 9.0  # seconds from the first signal; who started us in a terminal waits no longer


async def until_signalled(program: Callable[[], Awaitable[object]]) -> None:
    """Run `program`; on SIGINT or SIGTERM cancel it and wait until it has ended.

    If that takes longer than the deadline, or a second signal comes, the process ends at once. What runs in
    other processes ends with it.
    """
    async with trio.open_nursery() as nursery:

        async def watch(*, task_status: trio.TaskStatus[None]) -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                number = await anext(signals)
                log.info("stopping signal=%s", signal.Signals(number).name)
                deadline = threading.Timer(DEADLINE, os._exit, (1,))
                deadline.daemon = True
                deadline.start()
                program_scope.cancel(reason="asked to stop")
                await anext(signals)
                os._exit(1)

        await nursery.start(watch)
        with trio.CancelScope() as program_scope:
            await program()
        nursery.cancel_scope.cancel()
