"""How a worker's process is started: what it is told, and that it is given nothing else."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import attrs
from attrs import frozen

__all__ = ["Arguments", "launch"]

ROOT = Path(__file__).resolve().parents[2]
MB = 1024 * 1024


@frozen(kw_only=True)
class Arguments:
    """What a worker is told when it starts."""

    socket: int
    """File descriptor of its only connection."""
    parent: int
    """The gateway's process id."""
    memory: int
    """Bytes a file may take."""
    timeout: float
    """Seconds of processor time a file may take."""
    max_pixels: int
    max_seconds: int

    def encode(self) -> str:
        return json.dumps(attrs.asdict(self))


def launch(
    *, memory: int, timeout: float, max_pixels: int, max_seconds: int
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process; return it and this side's end of its socket.

    The kernel ends it when this thread ends, so it must be the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("workers are started from the main thread")
    here, there = socket.socketpair()
    with there:
        arguments = Arguments(
            socket=there.fileno(),
            parent=os.getpid(),
            memory=memory,
            timeout=timeout,
            max_pixels=max_pixels,
            max_seconds=max_seconds,
        )
        try:
            process = subprocess.Popen(
                [sys.executable, "-B", "-m", "actors.decoding.worker", arguments.encode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(arguments.socket,),
                cwd="/",
                env={"PYTHONPATH": str(ROOT)},
            )
        except BaseException:
            here.close()
            raise
    return process, here
