"""How much memory there is for this gateway: the machine's, or the control group's."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["limits", "resident", "smallest_limit"]


def resident() -> int:
    """What this process has in memory, in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def smallest_limit() -> int:
    """In bytes; 0 where nothing says."""
    return min((megabytes << 20 for megabytes, _ in limits()), default=0)


def limits() -> Iterator[tuple[int, str]]:
    """Each limit in megabytes, and whose it is."""
    yield from _of_the_machine()
    yield from _of_the_group()


def _of_the_machine() -> Iterator[tuple[int, str]]:
    with suppress(OSError):
        if total := re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text()):
            yield int(total[1]) >> 10, "in the machine"


def _of_the_group() -> Iterator[tuple[int, str]]:
    """The limits of our control group and of those above it, in version 2 or 1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, name = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in controllers.split(","):
            root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be the host's: then only the root of what is mounted is there, and ours.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                with suppress(OSError, ValueError):  # no file, or "max": no limit there
                    yield int((folder / name).read_text()) >> 20, "for the container or unit"
