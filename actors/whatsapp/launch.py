"""How a cell's process is started: what it is told, what it is given, and what it is kept from."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from .binding import library_path
from .cell import CellArguments
from .proto import package_directory

__all__ = ["Launch", "Started"]

ROOT = Path(__file__).resolve().parents[2]
# What a cell gets of the gateway's environment, which holds secrets too.
SYSTEM = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "LD_LIBRARY_PATH", "GOMAXPROCS", "GOMEMLIMIT", "GOGC")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@frozen
class Started:
    """A cell's process and this side's ends of its sockets; its output comes from the process's pipes."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    events: socket.socket


@frozen
class Launch:
    """How cells are started."""

    window: int
    journal_bound: int
    """Bytes."""
    root_key: str | None
    """In hexadecimal."""
    ca_file: str | None

    def start(self) -> Started:
        """Start a process. The kernel ends it when this thread ends, so it must be the main one."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("cells are started from the main thread")
        control, control_there = socket.socketpair()
        events, events_there = socket.socketpair()
        with control_there, events_there:
            arguments = CellArguments(
                control=control_there.fileno(),
                events=events_there.fileno(),
                parent=os.getpid(),
                library=str(library_path(package_directory())),
                window=self.window,
                journal_bound=self.journal_bound,
                root_key=self.root_key,
            )
            process = subprocess.Popen(
                [sys.executable, "-m", "actors.whatsapp.cell", arguments.encode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(arguments.control, arguments.events),
                env=self.environment(os.environ),
            )
        return Started(process, control, events)

    def environment(self, mine: Mapping[str, str]) -> dict[str, str]:
        """What the process is exec'ed with: Go reads its certificates from nowhere else."""
        passed = {name: mine[name] for name in (*SYSTEM, *PROXIES, *AUTHORITIES) if name in mine}
        passed["PYTHONPATH"] = str(ROOT)
        passed["NEONIZE_BOT_TAG"] = "off"  # else each direct message is sent as if by a business's bot
        if self.ca_file is not None:
            # The second is a directory that is not there, so that the system's is not read beside the file.
            passed |= {"SSL_CERT_FILE": self.ca_file, "SSL_CERT_DIR": f"{self.ca_file}.none"}
        return passed
