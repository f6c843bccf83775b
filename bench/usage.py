"""What processes use, as the kernel counts it: seconds of processor time, and memory."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["cpu_seconds", "pss_mb", "rss_mb"]

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, all their threads; of one that is gone, nothing."""
    return sum((int(fields[11]) + int(fields[12])) / TICKS for pid in pids if (fields := _stat(pid)))


def pss_mb(pids: Iterable[int]) -> float:
    """Resident memory in MB, a page shared by n processes counted as 1/n in each (Pss)."""
    return sum(_kb(pid, "Pss:") for pid in pids) / 1024


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory in MB, a page shared by n processes counted in each (Rss)."""
    return sum(_kb(pid, "Rss:") for pid in pids) / 1024


def _stat(pid: int) -> list[str]:
    """The fields of a process's stat from its state on; empty when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] == "Z" else fields


def _kb(pid: int, kind: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind))
