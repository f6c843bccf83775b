"""The client library by itself in a process, to measure the gateway against. `python -m bench.bare CONFIG`

It loads the library as a cell does, and nothing more: events are dropped, sends are called in a loop. JSON
lines over the socket it is given, a command at a time:

    {"start": {client: store, …}}   → {"qr": code, "client": …} of those to be paired, {"connected": client}
    {"send": {"to": …, …}}          → {"seconds": …, "latencies": […], "refused": […]}
"""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from attrs import asdict, define, field, frozen

from actors.whatsapp.binding import Callbacks, Library

__all__ = ["BareArguments", "SendRound", "main"]

CONNECTED = 3  # the library's event code
FIRST_SIGN = 10.0  # seconds; starts come one at a time, for the library's maps of clients have no lock
SENT = b"\x12"  # how the library's answer begins: with its field SendResponse, not with Error


@frozen
class BareArguments:
    """What the program is told on its command line, as JSON."""

    control: int
    """The socket's file descriptor."""
    library: str
    root_key: str
    """In hexadecimal, as all bytes here."""
    device_props: str
    proxy: str

    def encode(self) -> str:
        return json.dumps(asdict(self))


@frozen
class SendRound:
    """Messages to be sent by some clients at once, each with the same number in flight."""

    to: dict[str, str]
    """The recipient's encoded JID by client."""
    message: str
    in_flight: int
    seconds: float
    """No send begins later."""
    most: int
    """Sends of one thread at most."""


@define(eq=False)
class Bare:
    """The library and its clients."""

    arguments: BareArguments
    _control: socket.socket = field(init=False)
    _library: Library = field(init=False)
    _saying: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._control = socket.socket(fileno=self.arguments.control)
        self._library = Library(Path(self.arguments.library), bytes.fromhex(self.arguments.root_key))

    def run(self) -> None:
        """Do what is asked until the socket closes."""
        for line in self._control.makefile("rb"):
            match json.loads(line):
                case {"start": stores}:
                    for client, store in stores.items():
                        self._start(client, store)
                case {"send": asked}:
                    self._say(**self._send(SendRound(**asked)))

    def _say(self, **line: Any) -> None:
        with self._saying:
            self._control.sendall(json.dumps(line).encode() + b"\n")

    def _start(self, client: str, store: str) -> None:
        first = threading.Event()

        def on_qr(code: bytes) -> None:
            self._say(qr=code.decode(), client=client)
            first.set()

        def on_event(code: int, _payload: bytes) -> None:
            if code == CONNECTED:
                self._say(connected=client)
            first.set()

        def run() -> None:
            error = self._library.run(
                client.encode(),
                store.encode(),
                bytes.fromhex(self.arguments.device_props),
                self.arguments.proxy.encode(),
                Callbacks(on_qr, lambda _: None, on_event, lambda _: None),
            )
            self._say(ended=client, error=error)

        threading.Thread(target=run, daemon=True).start()
        first.wait(FIRST_SIGN)

    def _send(self, asked: SendRound) -> dict[str, Any]:
        message = bytes.fromhex(asked.message)
        latencies: list[float] = []
        refused: list[bytes] = []
        started = time.monotonic()

        def keep_sending(client: bytes, to: bytes) -> None:
            for _ in range(asked.most):
                begun = time.monotonic()
                if begun - started >= asked.seconds:
                    return
                answer = self._library.call(client, "SendMessage", (to, message))
                latencies.append(time.monotonic() - begun)
                if not answer.startswith(SENT):
                    refused.append(answer)

        threads = [
            threading.Thread(target=keep_sending, args=(client.encode(), bytes.fromhex(to)))
            for client, to in asked.to.items()
            for _ in range(asked.in_flight)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {
            "seconds": time.monotonic() - started,
            "latencies": latencies,
            "refused": [answer.decode(errors="replace") for answer in refused[:3]],
        }


def main() -> NoReturn:
    try:
        Bare(BareArguments(**json.loads(sys.argv[1]))).run()
    except BaseException:  # noqa: BLE001 - whatever it is, it has to be told and the process to end
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)  # threads inside Go cannot be ended


if __name__ == "__main__":
    main()
