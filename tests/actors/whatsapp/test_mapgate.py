"""Starting and stopping clients while others are called: the library's maps survive it behind the gate."""

import subprocess
import sys
import threading
from pathlib import Path

from actors.whatsapp.mapgate import MapGate

# Clients find no network, so each start and stop is over at once, while two threads call without a pause.
PROGRAM = """
import os, sys, threading
from pathlib import Path
from actors.whatsapp.binding import Library, library_path
from actors.whatsapp.control import Start
from actors.whatsapp.devices import store_name
from actors.whatsapp.hosted import Hosted
from actors.whatsapp.journal import Journal
from actors.whatsapp.mapgate import MapGate
from actors.whatsapp.proto import package_directory

directory, guarded, rounds = Path(sys.argv[1]), sys.argv[2] == "guarded", int(sys.argv[3])

class Unguarded(MapGate):
    def pass_through(self):
        pass

library = Library(library_path(package_directory()))
gate = MapGate() if guarded else Unguarded()

def call():
    while True:
        gate.pass_through()
        library.call(b"nobody", "IsConnected", [])

for _ in range(2):
    threading.Thread(target=call, daemon=True).start()
for number in range(rounds):
    journal = Journal.open(directory / "journal")
    request = Start("s", store_name(directory / "device.db"), "", 0, 0, b"", "http://127.0.0.1:9", False)
    hosted = Hosted(
        number, request, library=library, gate=gate, journal=journal, journal_bound=1 << 20,
        delivered=lambda: None, log=lambda *_: None,
    )
    hosted.start()
    hosted.stop()
os._exit(0)
"""


def run(directory: Path, guard: str, rounds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory), guard, str(rounds)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_calls_behind_the_gate_survive_starts_and_stops(tmp_path: Path) -> None:
    done = run(tmp_path, "guarded", 20)
    assert done.returncode == 0, done.stderr[-2000:]


def test_without_the_gate_they_do_not(tmp_path: Path) -> None:
    # If this fails, the library has learnt to lock its maps, and the gate can go.
    done = run(tmp_path, "unguarded", 400)
    assert done.returncode != 0
    assert "concurrent map" in done.stderr


def test_a_gate_lets_nobody_through_while_it_is_closed() -> None:
    gate = MapGate()
    passed = threading.Event()
    with gate.writing():

        def pass_through() -> None:
            gate.pass_through()
            passed.set()

        thread = threading.Thread(target=pass_through)
        thread.start()
        assert not passed.wait(0.05)
    assert passed.wait(5)
    thread.join()


def test_starts_and_stops_wait_for_one_another_while_calls_pass_again() -> None:
    gate = MapGate()
    closed = threading.Event()
    gate.close()
    gate.open()
    gate.pass_through()

    def close() -> None:
        gate.close()
        closed.set()

    thread = threading.Thread(target=close)
    thread.start()
    assert not closed.wait(0.05)
    gate.release()
    assert closed.wait(5)
    thread.join()
    gate.release()
