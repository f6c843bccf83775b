"""A cell: a child process that hosts clients of the WhatsApp library. `python -m actors.whatsapp.cell CONFIG`

Threads: this one answers the control socket, pings at once and the rest each on a thread of its own; one
forwards the journals; one writes log lines; and each client has one, which sits in the library. It ends when
its parent does or closes a socket, always by os._exit: threads inside Go cannot be ended.
"""

import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from attrs import asdict, frozen

from actors.parentage import die_with_parent

from .binding import BadCall, Library
from .control import BadRequest, Refusal, Start, decode_call, decode_until
from .forwarder import Forwarder
from .frames import Frame, FrameError, FrameReader, FrameType
from .hosted import Hosted, NotRunning
from .journal import Journal, JournalBusy
from .mapgate import MapGate
from .reprieve import Reprieve

__all__ = ["CellArguments", "main"]


@frozen
class CellArguments:
    """What a cell is told on its command line, as JSON."""

    control: int
    """File descriptor, as `events`."""
    events: int
    parent: int
    """Process id: ends the cell when it is not its parent any more."""
    library: str
    window: int
    journal_bound: int
    """Bytes."""
    root_key: str | None
    """In hexadecimal; WhatsApp's own when None."""

    def encode(self) -> str:
        return json.dumps(asdict(self))


class Refused(Exception):
    def __init__(self, kind: Refusal, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class LogLines:
    """Writes lines to standard error from a thread of its own, so that no one waits for a reader."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def put(self, level: str, session: str, message: str) -> None:
        if self._queue.qsize() < 10_000:  # nobody has been reading for long: what is more is lost
            self._queue.put(
                json.dumps({"level": level, "session": session, "message": message}).encode() + b"\n"
            )

    def run(self) -> None:
        while True:
            os.write(2, self._queue.get())


class Cell:
    def __init__(self, arguments: CellArguments) -> None:
        self._control = socket.socket(fileno=arguments.control)
        self._events = socket.socket(fileno=arguments.events)
        self._sending = threading.Lock()
        self._bound = arguments.journal_bound
        self._forwarder = Forwarder(self._events, arguments.window)
        self._log = LogLines()
        self._gate = MapGate()
        key = None if arguments.root_key is None else bytes.fromhex(arguments.root_key)
        self._library = Library(Path(arguments.library), key)
        self._clients: dict[int, Hosted] = {}
        self._reprieve = Reprieve()
        self._starts = 0

    def run(self) -> None:
        """Serve until the gateway closes the control socket."""
        threading.Thread(target=self._log.run, name="log", daemon=True).start()
        threading.Thread(target=self._forward, name="forwarder", daemon=True).start()
        self._send(Frame(FrameType.READY))
        reader = FrameReader()
        while data := self._control.recv(1024 * 1024):
            for frame in reader.feed(data):
                self._take(frame)

    def _forward(self) -> NoReturn:
        _end(self._forwarder.run)

    def _take(self, frame: Frame) -> None:
        match frame.type:
            case FrameType.PING:
                self._reprieve.until(decode_until(frame.payload))
                self._send(Frame(FrameType.OK, number=frame.number))
            case FrameType.STATS:
                self._answer(frame, self._stats)
            case FrameType.START:
                self._on_thread(frame, self._start)
            case FrameType.STOP:
                self._on_thread(frame, self._stop)
            case FrameType.CALL:
                self._on_thread(frame, self._call)
            case _:
                raise FrameError(f"a cell takes no {frame.type.name}")

    def _on_thread(self, frame: Frame, work: Callable[[Frame], bytes]) -> None:
        threading.Thread(target=self._answer, args=(frame, work), daemon=True).start()

    def _answer(self, frame: Frame, work: Callable[[Frame], bytes]) -> None:
        try:
            answer = Frame(FrameType.OK, frame.client, frame.number, work(frame))
        except Refused as refused:
            text = str(refused).encode()
            answer = Frame(FrameType.ERROR, frame.client, frame.number, text, refused.kind)
        except (BadRequest, BadCall) as error:
            text = str(error).encode()
            answer = Frame(FrameType.ERROR, frame.client, frame.number, text, Refusal.BAD_REQUEST)
        except Exception as error:  # noqa: BLE001 - without an answer the gateway would wait for ever
            text = repr(error).encode()
            answer = Frame(FrameType.ERROR, frame.client, frame.number, text, Refusal.FAILED)
        self._send(answer)

    def _send(self, frame: Frame) -> None:
        with self._sending:
            try:
                self._control.sendall(frame.encode())
            except OSError:
                os._exit(0)  # the gateway is gone

    def _start(self, frame: Frame) -> bytes:
        request = Start.decode(frame.payload)
        self._reprieve.until(request.until)
        try:
            journal = Journal.open(Path(request.journal), request.after, request.seen)
        except JournalBusy as busy:
            raise Refused(Refusal.BUSY, str(busy)) from None
        except OSError as error:
            raise Refused(Refusal.FAILED, f"the journal cannot be used: {error}") from None
        self._starts += 1
        hosted = self._clients[frame.client] = Hosted(
            frame.client,
            request,
            library=self._library,
            gate=self._gate,
            journal=journal,
            journal_bound=self._bound,
            delivered=self._forwarder.wake,
            log=self._log.put,
        )
        self._forwarder.add(frame.client, journal)
        try:
            hosted.start()
        except BaseException:
            journal.close()
            self._forget(frame.client)
            raise
        return b""

    def _stop(self, frame: Frame) -> bytes:
        hosted = self._clients.get(frame.client)
        if hosted is not None:
            hosted.stop()
            self._forget(frame.client)
        return b""

    def _forget(self, client: int) -> None:
        self._forwarder.remove(client)
        self._clients.pop(client, None)

    def _call(self, frame: Frame) -> bytes:
        hosted = self._clients.get(frame.client)
        function, arguments = decode_call(frame.payload)
        if hosted is None:
            raise Refused(Refusal.NOT_RUNNING, "the client is not running")
        try:
            return hosted.call(function, arguments)
        except NotRunning:
            raise Refused(Refusal.NOT_RUNNING, "the client is not running") from None

    def _stats(self, _frame: Frame) -> bytes:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        found = {
            "rss": pages * os.sysconf("SC_PAGE_SIZE"),
            "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
            "fds": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "clients": len(self._clients),
            "starts": self._starts,
        }
        return json.dumps(found).encode()


def main() -> NoReturn:
    arguments = CellArguments(**json.loads(sys.argv[1]))
    die_with_parent(arguments.parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the gateway, which stops its cells in order
    with suppress(OSError):  # short of memory, the system had better end a cell than the gateway
        Path("/proc/self/oom_score_adj").write_text("500")
    os.umask(0o077)  # keys and messages are for this user alone
    _end(lambda: Cell(arguments).run())


def _end(work: Callable[[], None]) -> NoReturn:
    """End the process with this work, and say so when it fails."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
