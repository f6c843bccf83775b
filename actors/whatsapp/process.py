"""The gateway's end of one cell: its process, its two sockets, its output, and the requests under way.

    request ──► control socket ──► reply, in any order
    event socket ──► one bounded channel per client; acknowledgements go back, the latest of each client
    stdout, stderr ──► log lines

Whatever way it ends, both sockets are read to their end first, so nothing that it had sent is lost.
"""

import logging
import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import trio
from attrs import define, field

from .control import Refusal
from .errors import CellDied, CellError, NotConnected, SessionBusy, StartRefused, WhatsAppError
from .frames import Frame, FrameError, FrameReader, FrameType
from .launch import Launch
from .output import Output

__all__ = ["CellProcess", "Route"]

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 8  # calls of one client that may occupy threads of the cell
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


@define(eq=False)
class Route:
    """Where one client's records go, and how many calls it may still make."""

    put: trio.MemorySendChannel[Frame]
    take: trio.MemoryReceiveChannel[Frame]
    slots: trio.Semaphore = field(factory=lambda: trio.Semaphore(MAX_IN_FLIGHT))


@define(eq=False)
class _Pending:
    """A request without its reply yet."""

    slots: trio.Semaphore | None
    """To be released with the reply, not before: until then it occupies a thread."""
    done: trio.Event = field(factory=trio.Event)
    reply: Frame | None = None


class CellProcess:
    """One child process, started in the main thread. `run` it; all else works while that runs."""

    def __init__(self, cell_id: str, launch: Launch) -> None:
        started = launch.start()
        self.id = cell_id
        self.pid = started.process.pid
        self.reason: str | None = None
        """Why it ended; None while it runs."""
        self.heard = -math.inf
        """When it answered last, in trio's time."""
        self._process = started.process
        self._control = trio.SocketStream(trio.socket.from_stdlib_socket(started.control))
        self._events = trio.SocketStream(trio.socket.from_stdlib_socket(started.events))
        self._output = Output(cell_id)
        self._window = launch.window
        self._cause: str | None = None
        self.stopping = False
        """Whether it was asked to end."""
        self._number = 0
        self._pending: dict[int, _Pending] = {}
        self._routes: dict[int, Route] = {}
        self._acks: dict[int, int] = {}
        self._acked = trio.Event()
        self.ready = trio.Event()
        """Set when it has loaded the library, or has ended."""
        self.ended = trio.Event()
        """Set when all it wrote was read and its clients' channels are closed."""
        self._requests, self._to_write = trio.open_memory_channel[Frame](math.inf)

    # --- life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until the process has ended and all it wrote was read.

        Cancelling kills it. Raises nothing for a process that dies: `reason` says why.
        """
        stdout, stderr = (self._pipe(each) for each in (self._process.stdout, self._process.stderr))
        try:
            async with trio.open_nursery() as writers:
                writers.start_soon(self._write_requests)
                writers.start_soon(self._write_acks)
                async with trio.open_nursery() as readers:
                    readers.start_soon(self._read_control)
                    readers.start_soon(self._read_events)
                    readers.start_soon(partial(self._output.read, stdout, is_error=False))
                    readers.start_soon(partial(self._output.read, stderr, is_error=True))
                await self._reap()
                writers.cancel_scope.cancel(reason="the cell ended")
        finally:
            self._end()

    @staticmethod
    def _pipe(file: IO[bytes] | None) -> trio.lowlevel.FdStream:
        assert file is not None
        with file:
            return trio.lowlevel.FdStream(os.dup(file.fileno()))

    async def _reap(self) -> None:
        """Wait for the process, whose ends of everything are closed, and say why it ended."""
        if self._process.poll() is None:
            await self._until_dead()
        self.reason = self._why(self._process.wait())

    async def _until_dead(self) -> None:
        pidfd = os.pidfd_open(self.pid)
        try:
            with trio.move_on_after(1):
                await trio.lowlevel.wait_readable(pidfd)
            if self._process.poll() is None:
                self.kill("it closed its sockets and lived on")
                await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)

    def _why(self, code: int) -> str:
        if self._cause is not None:
            return self._cause
        if self.stopping:
            return "stopped"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how} ({self._output.cause})" if self._output.cause else how

    def _end(self) -> None:
        """Leave nothing behind: no process, no waiting request, no open channel."""
        if self._process.returncode is None:  # cancelled
            self._process.kill()
            self._process.wait()
        self.reason = self.reason or self._cause or "killed"
        self.ready.set()
        for pending in self._pending.values():
            pending.done.set()
            if pending.slots is not None:
                pending.slots.release()
        self._pending.clear()
        for route in self._routes.values():
            route.put.close()
        self.ended.set()
        if self._output.trace and not self.stopping:
            log.error("cell_trace cell=%s trace=%s", self.id, self._output.trace)

    def kill(self, cause: str) -> None:
        """End the process at once, for this cause."""
        self._cause = self._cause or cause
        if self._process.returncode is None:
            self._process.kill()

    def close(self) -> None:
        """Let the process end by itself: it does when its control socket closes, after what is queued."""
        self.stopping = True
        self._requests.close()

    def memory(self) -> int:
        """The process's resident memory in bytes, 0 when it is gone."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_bytes().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    # --- requests ------------------------------------------------------------------------------------------

    async def ask(self, type_: FrameType, client: int = 0, payload: bytes = b"") -> bytes:
        """Send a request and return the reply's payload. One that is cancelled goes on in the cell.

        Raises CellDied, and what a refusal means (`errors.py`).
        """
        if self.reason is not None or self.stopping:
            raise CellDied(self.id, self.reason or "it is stopping")
        return await self._ask(Frame(type_, client, self._next(), payload), None)

    async def call(self, client: int, payload: bytes) -> bytes:
        """A CALL; it waits while the client has as many under way as it may.

        Raises NotConnected when the client is gone, and as `ask` does.
        """
        route = self._routes.get(client)
        if route is None:
            raise NotConnected("the client is gone")
        await route.slots.acquire()
        if self.reason is not None or self.stopping:
            route.slots.release()
            raise NotConnected("the client is gone")
        return await self._ask(Frame(FrameType.CALL, client, self._next(), payload), route.slots)

    async def _ask(self, frame: Frame, slots: trio.Semaphore | None) -> bytes:
        pending = self._pending[frame.number] = _Pending(slots)
        self._requests.send_nowait(frame)
        await pending.done.wait()
        if pending.reply is None:
            raise CellDied(self.id, self.reason or "killed")
        if pending.reply.type is FrameType.OK:
            return pending.reply.payload
        raise _refusal(pending.reply)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- clients -------------------------------------------------------------------------------------------

    def route(self, client: int) -> Route:
        """Make a new client's route, before it is started. Its channel closes when the process ends."""
        # The cell keeps to the window, so a channel of that size never refuses.
        put, take = trio.open_memory_channel[Frame](self._window)
        route = self._routes[client] = Route(put, take)
        return route

    def unroute(self, client: int) -> None:
        """Forget a client; what the cell still sends of it is dropped and comes again with its next start."""
        route = self._routes.pop(client, None)
        if route is not None:
            route.put.close()
        self._acks.pop(client, None)

    def acknowledge(self, client: int, seq: int) -> None:
        """Tell the cell that records up to `seq` are stored."""
        if client in self._routes:
            self._acks[client] = max(seq, self._acks.get(client, 0))
            self._acked.set()

    # --- streams -------------------------------------------------------------------------------------------

    async def _write_requests(self) -> None:
        async for frame in self._to_write:
            try:
                await self._control.send_all(frame.header())
                await self._control.send_all(frame.payload)
            except GONE:
                return  # the process is ending; the readers see to it
        with suppress(*GONE):
            await self._control.send_eof()

    async def _write_acks(self) -> None:
        while True:
            await self._acked.wait()
            self._acked = trio.Event()
            acks, self._acks = self._acks, {}
            data = b"".join(Frame(FrameType.ACK, client, seq).encode() for client, seq in acks.items())
            try:
                await self._events.send_all(data)
            except GONE:
                return

    async def _read_control(self) -> None:
        await self._read(self._control, self._reply)

    async def _read_events(self) -> None:
        await self._read(self._events, self._record)

    async def _read(self, stream: trio.SocketStream, take: Callable[[Frame], None]) -> None:
        reader = FrameReader()
        async with stream:
            try:
                # Reset instead of closed when it was killed before it read all.
                with suppress(trio.BrokenResourceError):
                    async for data in stream:
                        for frame in reader.feed(data):
                            take(frame)
            except FrameError as error:
                self.kill(f"it broke the protocol: {error}")

    def _reply(self, frame: Frame) -> None:
        self.heard = trio.current_time()
        if frame.type is FrameType.READY:
            self.ready.set()
            return
        pending = self._pending.pop(frame.number, None)
        if pending is None or frame.type not in {FrameType.OK, FrameType.ERROR}:
            raise FrameError(f"a reply to nothing: {frame.type.name} {frame.number}")
        if pending.slots is not None:
            pending.slots.release()
        pending.reply = frame
        pending.done.set()

    def _record(self, frame: Frame) -> None:
        if frame.type is not FrameType.RECORD:
            raise FrameError(f"{frame.type.name} on the event socket")
        route = self._routes.get(frame.client)
        if route is None:
            return  # it was stopped meanwhile
        try:
            route.put.send_nowait(frame)
        except trio.WouldBlock:
            raise FrameError("more records than the window allows") from None


def _refusal(reply: Frame) -> CellError:
    text = reply.payload.decode(errors="replace")
    match reply.kind:
        case Refusal.NOT_RUNNING:
            return NotConnected(text)
        case Refusal.BUSY:
            return SessionBusy(text)
        case Refusal.FAILED:
            return StartRefused(text)
        case _:
            return WhatsAppError(None, text)
