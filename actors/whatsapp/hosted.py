"""One client inside a cell: its thread, its journal, and the order in which it may be called and stopped."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from .binding import Callbacks, Library, log_entry
from .control import Argument, Start
from .journal import Journal
from .kinds import CAUGHT_UP, DISCONNECTED, JOURNAL_FULL, LOOP_ENDED, OLD_COUNTER, PAIRING_STATUS, QR_CODE
from .mapgate import MapGate

__all__ = ["STORE_FAILED", "Hosted", "NotRunning"]

REGISTERED = 0.1  # seconds by which a starting client has written the library's maps, login or not
FIRST_SIGN = 1.0  # seconds that other starts and stops wait for a start's first callback
QUIET = 0.025  # seconds without a callback after which a disconnected client has delivered all
SEND = "SendMessage"
CATCH_UP = 2.0  # seconds that a message waits for others to come in
BEHIND = 8.0  # seconds that it waits for those that came while the client was away
IN_FLIGHT = 0.5  # seconds for calls under way to end before a stop
DRAIN = 1.0  # seconds for a disconnected client to fall quiet
CLOSED = 1.0  # seconds for the link to close before what could not be decrypted is acknowledged
RETURN = 0.25  # seconds for the library's loop to return; it never does while a client waits to be paired

# A message that could not be decrypted because its keys could not be read or written: in the words of
# PostgreSQL's driver, of the network on the way there, or of SQLite. Only the end of the line counts, for the
# message's id is the sender's choice; and not what the database finds wrong with the values (classes 22 and
# 23), which come from there too: such a message would be fetched for ever.
STORE_FAILED: Final = re.compile(
    r"Error decrypting message .*"
    r"( pq: .*\((?!22|23)[0-9A-Z]{5}\)|: driver: bad connection"
    r"|: (connection refused|connection reset by peer|broken pipe|i/o timeout|no such host|no route to host"
    r"|network is unreachable|no such file or directory)|database is locked|database or disk is full"
    r"|disk I/O error|readonly database|unable to open database file)",
    re.DOTALL,
)


class NotRunning(Exception):
    """The client takes no calls: it has not come up, is being stopped, or its loop ended."""


class Hosted:
    """A client from its start on. `delivered`, called after each record from any thread, must not block."""

    def __init__(
        self,
        number: int,
        start: Start,
        *,
        library: Library,
        gate: MapGate,
        journal: Journal,
        journal_bound: int,
        delivered: Callable[[], None],
        log: Callable[[str, str, str], None],
    ) -> None:
        self.journal = journal
        self._id = str(number).encode()
        self._request = start
        self._library = library
        self._gate = gate
        self._bound = journal_bound
        self._delivered = delivered
        self._log = log
        self._state = threading.Condition()
        self._calls = 0
        self._taking = False
        self._stopping = False
        self._full = False
        self._behind = True  # what came while the client was away is not in yet
        self._astray = threading.Lock()  # held from the first failure of the store on
        self._last = time.monotonic()
        self._first = threading.Event()
        self._returned = threading.Event()

    def start(self) -> None:
        """Start the client's thread; returns once the library knows it, within about 0.1 s.

        Blocks while other clients start or stop.
        """
        self._gate.close()
        try:
            threading.Thread(target=self._run, name=self._request.session, daemon=True).start()
            self._first.wait(REGISTERED)
            self._gate.open()
            self._first.wait(FIRST_SIGN)
        finally:
            self._gate.release()

    def call(self, function: str, arguments: Sequence[Argument]) -> bytes:
        """Call the library for this client.

        Raises NotRunning, BadCall.
        """
        with self._state:
            if not self._taking:
                raise NotRunning
            self._calls += 1
        try:
            if function == SEND and self._request.device:
                self._let_in()
            self._gate.pass_through()
            return self._library.call(self._id, function, arguments)
        finally:
            with self._state:
                self._calls -= 1
                self._state.notify_all()

    def _let_in(self) -> None:
        """Before a message is sent, let those come in that are on their way.

        The library reads a chat's keys, encrypts, and writes them, with no lock against its own decrypting:
        what one of the two has written in between is undone. In a database elsewhere that takes long enough
        to happen where many messages come in at once.
        """
        with self._state:
            self._state.wait_for(lambda: not (self._behind and self._taking), BEHIND)
        self._wait_for_quiet(CATCH_UP)
        with self._state:
            if not self._taking:
                raise NotRunning

    def stop(self) -> None:
        """Stop without losing what was received; hangs for as long as a dial under way does.

        No new calls, those in flight ended, the link closed, what is queued journalled, the client stopped.
        """
        with self._state:
            self._taking = False
            self._stopping = True
            self._state.notify_all()
            self._state.wait_for(lambda: self._calls == 0, IN_FLIGHT)
        self._disconnect()  # not under the lock: it waits for a dial under way
        self._fall_quiet()
        with self._gate.writing():
            self._library.stop(self._id)
        self._returned.wait(RETURN)
        self.journal.close()

    def _run(self) -> None:
        error = self._library.run(
            self._id,
            self._request.store.encode(),
            self._request.device_props,
            None if self._request.proxy is None else self._request.proxy.encode(),
            Callbacks(self._on_qr, self._on_pairing, self._on_event, self._on_log),
            device=self._request.device,
            new=self._request.new,
        )
        with self._state:
            self._taking = False
            expected = self._stopping
        if not expected:
            self._keep(LOOP_ENDED, error.encode())
        self._returned.set()
        self._first.set()

    def _on_qr(self, code: bytes) -> None:
        if self._request.paired:
            # The store has lost its device. Nobody waits for this code.
            if not self._first.is_set():
                self._keep(LOOP_ENDED, b"the store holds no device any more")
        else:
            self._keep(QR_CODE, code)
        self._came_up()

    def _on_pairing(self, status: bytes) -> None:
        self._keep(PAIRING_STATUS, status)

    def _on_event(self, code: int, payload: bytes) -> None:
        self._keep(code, payload)
        if code in {CAUGHT_UP, DISCONNECTED}:
            with self._state:
                self._behind = code == DISCONNECTED
                self._state.notify_all()
        self._came_up()

    def _on_log(self, raw: bytes) -> None:
        message, level, module = log_entry(raw)
        if message.startswith("Ignoring message "):
            self._keep(OLD_COUNTER, message.encode())
        else:
            # What fails because the link is being closed on purpose is no warning.
            self._log("DEBUG" if self._stopping else level, self._request.session, f"{module}: {message}")
            if not self._stopping and STORE_FAILED.fullmatch(message):
                self._give_up()

    def _give_up(self) -> None:
        """Close the link because the store fails.

        The library is about to acknowledge what it could not decrypt, and asks for it again a few times only.
        Before this returns, it has no link for that: WhatsApp keeps the message.
        """
        closing = threading.Thread(target=self._disconnect, daemon=True)
        closing.start()
        closing.join(CLOSED)
        if self._astray.acquire(blocking=False):
            self._keep(LOOP_ENDED, b"the store of the device's keys failed")

    def _came_up(self) -> None:
        if not self._first.is_set():
            with self._state:
                self._taking = not self._stopping
            self._first.set()

    def _keep(self, kind: int, payload: bytes) -> None:
        self._last = time.monotonic()
        self.journal.append(kind, payload)
        if not self._full and (self.journal.trouble is not None or self.journal.held > self._bound):
            self._full = True
            self.journal.append(JOURNAL_FULL, str(self.journal.held).encode())
            if self.journal.trouble is not None:
                self._log("ERROR", self._request.session, f"journal: {self.journal.trouble}")
            threading.Thread(target=self._disconnect, daemon=True).start()
        self._delivered()

    def _disconnect(self) -> None:
        self._gate.pass_through()
        self._library.disconnect(self._id)

    def _fall_quiet(self) -> None:
        self._last = time.monotonic()
        self._wait_for_quiet(DRAIN)

    def _wait_for_quiet(self, patience: float) -> None:
        """Until nothing has come in for a moment."""
        deadline = time.monotonic() + patience
        while (now := time.monotonic()) < deadline and (left := self._last + QUIET - now) > 0:
            time.sleep(left)
