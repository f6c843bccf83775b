"""Runs a program until a signal asks it to stop: in order, and by a deadline whatever hangs."""

import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable

import trio

log = logging.getLogger("gateway")

DEADLINE = 9.0  # seconds from its cancellation; who started us in a terminal waits no longer


async def until_signalled(program: Callable[[trio.Event], Awaitable[object]], grace: float = 0.0) -> None:
    """Run `program`; on SIGINT or SIGTERM set the event it was given, and wait until it has ended.

    After `grace` seconds it is cancelled. If it still takes longer than the deadline, or a second signal
    comes, the process ends at once. What runs in other processes ends with it.
    """
    asked = trio.Event()
    async with trio.open_nursery() as nursery:

        async def watch(*, task_status: trio.TaskStatus[None]) -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                number = await anext(signals)
                log.info("stopping signal=%s", signal.Signals(number).name)
                asked.set()
                deadline = threading.Timer(grace + DEADLINE, os._exit, (1,))
                deadline.daemon = True
                deadline.start()
                program_scope.deadline = trio.current_time() + grace
                await anext(signals)
                os._exit(1)

        await nursery.start(watch)
        with trio.CancelScope() as program_scope:
            await program(asked)
        nursery.cancel_scope.cancel()
