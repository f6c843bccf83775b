"""The data directory: there, ours alone, on a disk that has room and keeps what it is given."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from api.doctor.finding import Finding, ok, problem, warning

LEAST_FREE = 256 << 20
"""Bytes without which the journals soon have nowhere to go."""
GOOD_FREE = 2 << 30
LEAST_FILES = 10_000

# SQLite's write-ahead log and the lock of the directory need one machine's own file system.
NETWORKED = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs"}
PASSING = {
    "tmpfs": "it is memory, gone when the machine restarts",
    "overlay": "it is the container's own layer, gone with the container",
}


def check(data: Path) -> Iterator[Finding]:
    """All that can be said of it without opening a file in it."""
    try:
        status = data.stat()
    except FileNotFoundError:
        yield _to_be_made(data)
        return
    except OSError as error:
        yield problem(
            "data", f"{data}: {error.strerror}", f"let {_user()} reach it, or run this as the gateway's user"
        )
        return
    if not stat.S_ISDIR(status.st_mode):
        yield problem("data", f"{data} is no directory", "name another with --data")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        yield problem(
            "data",
            f"{data} cannot be written by {_user()}; it is {_name(status.st_uid)}'s",
            f"chown -R {_user()} {data}; if it is mounted read-only, mount it to be written",
        )
        return
    yield from _owned(data, status)
    yield from _disk(data)
    yield from _file_system(data)


def _to_be_made(data: Path) -> Finding:
    above = next(parent for parent in data.absolute().parents if parent.exists())
    if os.access(above, os.W_OK | os.X_OK, effective_ids=True):
        return ok("data", f"{data} is made at the first start")
    return problem(
        "data",
        f"{data} is not there, and {_user()} may not make it in {above}",
        f"as root: install -d -m 700 -o {_user()} {data}",
    )


def _owned(data: Path, status: os.stat_result) -> Iterator[Finding]:
    owner, ours = status.st_uid, os.geteuid()
    closed = [path for path in _files(data) if not os.access(path, os.R_OK | os.W_OK, effective_ids=True)]
    if closed:
        yield problem(
            "data",
            f"{_user()} cannot write {len(closed)} of its files, such as {closed[0]}",
            f"chown -R {_user()} {data}",
        )
    elif owner != ours:
        # A mounted volume may be root's and open to our group; root itself reaches everything.
        if ours == 0:
            yield warning(
                "data",
                f"{data} is {_name(owner)}'s, and this runs as root",
                f"run this, as the gateway, as {_name(owner)}",
            )
        else:
            yield ok("data", f"{data}, which is {_name(owner)}'s and open to {_user()}")
    else:
        yield ok("data", f"{data} is {_user()}'s")
    strangers = status.st_mode & stat.S_IRWXO
    others = status.st_mode & stat.S_IRWXG and status.st_gid not in {os.getegid(), *os.getgroups()}
    if strangers or others:
        yield warning(
            "data",
            f"its mode {stat.S_IMODE(status.st_mode):o} lets others in, to the keys of all devices",
            f"chmod 700 {data}",
        )


def _files(data: Path) -> Iterator[Path]:
    """What a gateway opens to write."""
    for pattern in ("lock", "*.json", "devices", "devices/*", "journal", "journal/*", "journal/*/*"):
        yield from data.glob(pattern)


def _disk(data: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data).free
    shown = f"{free / (1 << 30):.1f} GB free"
    if free < GOOD_FREE:
        found = problem if free < LEAST_FREE else warning
        yield found("disk", shown, "make room, or move the data directory to a larger disk")
        return
    disk = os.statvfs(data)
    if disk.f_files and disk.f_favail < LEAST_FILES:
        yield warning("disk", f"{shown}, but room for {disk.f_favail} files only", "delete files, or move it")
        return
    yield ok("disk", shown)


def _file_system(data: Path) -> Iterator[Finding]:
    kind = _kind(data)
    if kind in NETWORKED:
        yield warning(
            "disk",
            f"{kind} is a network file system, whose locks the devices' databases cannot rely on",
            "put the data directory on a disk of this machine, or a volume that only it can mount",
        )
    elif kind in PASSING:
        yield warning("disk", f"{kind}: {PASSING[kind]}", f"mount a volume at {data}")


def _kind(data: Path) -> str:
    """The type of file system that a directory is on; "" where the kernel does not say."""
    best, kind = -1, ""
    path = data.resolve()
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        # The last of those mounted on one point is the one that is seen.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind


def _user() -> str:
    return _name(os.geteuid())


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
