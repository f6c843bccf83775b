"""The gateway's end of one worker: its process, its socket, and the one file that it may have in hand.

A worker has nothing to lose, so there is one way to end it: it is killed.
"""

import os
import signal
import subprocess
from socket import socket

import trio

from .errors import DecoderFailed
from .jobs import Converted, Job
from .wire import HEADER, MAX_BODY, MAX_HEAD, BadReply, reply_of, to_request

__all__ = ["WorkerNotReady", "WorkerProcess"]

READY_TIMEOUT = 30.0  # seconds; it takes 0.3 on an idle machine
END_TIMEOUT = 5.0  # seconds for the system to end a killed process
PIECE = 256 * 1024
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, EOFError)


class WorkerNotReady(Exception):
    """The process ended, or did nothing, before it was ready."""


class WorkerProcess:
    """One process. `run` it; `convert` works while that runs, one file at a time."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket, *, timeout: float) -> None:
        self.jobs = 0
        self.pid = process.pid
        self.reason: str | None = None
        """Why it was killed, or how it ended; None while it runs."""
        self.retired = False
        """Whether it was ended for no fault of its own."""
        self._process = process
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
        self._timeout = timeout
        self._ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Own the process until it has ended; `started` when it is ready. Cancelling kills it.

        Raises WorkerNotReady.
        """
        pidfd = os.pidfd_open(self.pid)
        try:
            with trio.move_on_after(READY_TIMEOUT) as patience:
                try:
                    await self._receive()
                except (*GONE, BadReply):
                    raise WorkerNotReady("it ended while starting") from None
            if patience.cancelled_caught:
                raise WorkerNotReady("it was not ready in time")
            task_status.started()
            await trio.lowlevel.wait_readable(pidfd)
        finally:
            self._process.kill()
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self.reason = self.reason or f"it died ({how})"
            trio.lowlevel.notify_closing(pidfd)
            os.close(pidfd)
            self._stream.socket.close()
            self._ended.set()

    @property
    def usable(self) -> bool:
        return self.reason is None and self._process.poll() is None

    def kill(self, reason: str) -> None:
        """End the process; `run` sees to the rest."""
        self.reason = self.reason or reason
        self._process.kill()

    def retire(self) -> None:
        """End the process, which has served its time."""
        self.retired = True
        self.kill("retired")

    async def convert(self, job: Job, data: bytes) -> Converted:
        """Have it convert a file. Cancelling, and all but an answer, ends the process.

        Raises TooLarge, Undecodable, DecoderFailed.
        """
        self.jobs += 1
        try:
            with trio.move_on_after(self._timeout):
                for part in to_request(job, data):
                    await self._stream.send_all(part)
                return reply_of(*await self._receive(), data)
            self.kill(f"it took longer than {self._timeout:g} s")
        except DecoderFailed as error:
            self.kill(error.reason)  # what is left of its memory serves nobody any more
            raise
        except BadReply as error:
            self.kill(f"it broke the protocol: {error}")
        except trio.Cancelled:
            self.retire()
            raise
        except GONE:
            pass  # the process tells why
        with trio.move_on_after(END_TIMEOUT):
            await self._ended.wait()
        self.kill("it closed its socket and lived on")
        raise DecoderFailed(self.reason or "it died")

    async def _receive(self) -> tuple[bytes, bytearray]:
        """The next frame's head and body. Raises GONE and BadReply."""
        head, body = HEADER.unpack(await self._exactly(HEADER.size))
        if head > MAX_HEAD or body > MAX_BODY:
            raise BadReply(f"{head} and {body} bytes")
        return bytes(await self._exactly(head)), await self._exactly(body)

    async def _exactly(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            piece = await self._stream.receive_some(min(PIECE, size - len(data)))
            if not piece:
                raise EOFError
            data += piece
        return data
