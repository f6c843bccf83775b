"""The bare library's side: processes with nothing else in them, as many as the gateway would have cells."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import asdict, define, field

from actors.whatsapp.binding import library_path
from actors.whatsapp.devices import device_props, store_name
from actors.whatsapp.jid import to_proto
from actors.whatsapp.launch import Launch
from actors.whatsapp.proto import e2e, package_directory
from bench.bare import BareArguments, SendRound
from bench.sends import MOST, PER_PROCESS, TEXT, Round, SendFailed
from tests.whole.processes import ROOT, Network

__all__ = ["BareProcess", "BareSide", "bare_process"]

START_TIMEOUT = 60.0  # seconds for all the clients of a process
END_TIMEOUT = 5.0


@define(eq=False)
class BareProcess:
    """One process with nothing but the library in it (`bare.py`)."""

    pid: int
    _control: trio.SocketStream
    _network: Network
    _lines: bytes = field(default=b"", init=False)

    async def start(self, clients: Mapping[str, Path]) -> None:
        """Start these clients, by phone number, on their stores; a new store is paired with the phone.

        Returns when all are connected. Raises SendFailed when one is not, in time.
        """
        await self._ask(start={phone: store_name(store) for phone, store in clients.items()})
        waiting = set(clients)
        scanned: set[str] = set()
        with trio.move_on_after(START_TIMEOUT):
            while waiting:
                match await self._line():
                    case {"qr": code, "client": phone} if phone not in scanned:
                        scanned.add(phone)
                        answer = await self._network.control.post(f"/phones/{phone}/scan", json={"qr": code})
                        answer.raise_for_status()
                    case {"connected": phone}:
                        waiting.discard(phone)
                    case {"ended": phone, "error": error}:
                        raise SendFailed(f"the bare client {phone} ended: {error}")
            return
        raise SendFailed(f"{len(waiting)} bare clients did not connect")

    async def send(self, asked: SendRound) -> Round:
        await self._ask(send=asdict(asked))
        while True:
            match await self._line():
                case {"seconds": seconds, "latencies": latencies, "refused": []}:
                    return Round(seconds, latencies)
                case {"refused": [first, *_]}:
                    raise SendFailed(first)

    async def _ask(self, **command: Any) -> None:
        await self._control.send_all(json.dumps(command).encode() + b"\n")

    async def _line(self) -> Any:
        while b"\n" not in self._lines:
            data = await self._control.receive_some()
            if not data:
                raise SendFailed("the bare process ended")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        return json.loads(line)


@asynccontextmanager
async def bare_process(network: Network, log: Path) -> AsyncIterator[BareProcess]:
    """A process with the library loaded, in the environment of a cell; it ends with the block."""
    settings = network.environment
    root_key = settings["TERZETTO_WHATSAPP_ROOT_KEY"]
    launch = Launch(
        window=1, journal_bound=1, root_key=root_key, ca_file=settings["TERZETTO_WHATSAPP_CA_FILE"]
    )
    here, there = socket.socketpair()
    arguments = BareArguments(
        control=there.fileno(),
        library=str(library_path(package_directory())),
        root_key=root_key,
        device_props=device_props("Bench").hex(),
        proxy=settings["TERZETTO_WHATSAPP_PROXY"],
    )
    with there, log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - milliseconds, before anything is measured
            [sys.executable, "-m", "bench.bare", arguments.encode()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(arguments.control,),
            cwd=ROOT,
            env=launch.environment(os.environ),
        )
    control = trio.SocketStream(trio.socket.from_stdlib_socket(here))
    try:
        yield BareProcess(process.pid, control, network)
    finally:
        await trio.aclose_forcefully(control)  # at which it ends
        with trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(process.wait, END_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@define(eq=False)
class BareSide:
    """As many bare processes as the gateway would use cells."""

    running: Sequence[BareProcess]
    phones: Sequence[str]
    recipients: Sequence[str]

    def processes(self) -> Mapping[str, set[int]]:
        return {"library": {each.pid for each in self.running}}

    async def send(self, sessions: int, in_flight: int, seconds: float) -> Round:
        rounds: list[Round] = []

        async def send(process: BareProcess, first: int) -> None:
            chosen = range(first, min(first + PER_PROCESS, sessions))
            to = {
                self.phones[number]: to_proto(self.recipients[number]).SerializeToString().hex()
                for number in chosen
            }
            message = e2e.Message(conversation=TEXT).SerializeToString().hex()
            rounds.append(await process.send(SendRound(to, message, in_flight, seconds, MOST)))

        async with trio.open_nursery() as nursery:
            for process, first in zip(self.running, range(0, sessions, PER_PROCESS), strict=False):
                nursery.start_soon(send, process, first)
        return Round(max(each.seconds for each in rounds), [each for one in rounds for each in one.latencies])
