"""What the machine, or the container, gives: files that may be open, and memory."""

import resource
from collections.abc import Iterator

from api.config import Config
from api.doctor.finding import Finding, ok, problem, warning
from api.memory import limits

LEAST_FILES = 512
GOOD_FILES = 4096
"""One for each connection of a client; each process has as many of its own."""

LEAST_MEMORY = 512
"""Megabytes: the gateway, one cell and its spare, with little to do."""
BASE_MEMORY = 512
CELL_MEMORY = 64
"""Megabytes of a cell without sessions."""


def files() -> Iterator[Finding]:
    """How many files may be open, here and so in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= GOOD_FILES:
        yield ok("files", "any number may be open" if soft < 0 else f"{soft} may be open")
        return
    found = problem if soft < LEAST_FILES else warning
    how = f"ulimit -n {min(hard, 65536) if hard >= 0 else 65536}"
    yield found(
        "files", f"only {soft} may be open", f"{how}; LimitNOFILE=65536 in systemd, ulimits in Compose"
    )


def memory(config: Config) -> Iterator[Finding]:
    """Whether what the configuration allows itself fits into the machine or its control group."""
    if not (found := [*limits()]):
        return
    megabytes, whose = min(found)
    busy = needed(config)
    shown = f"{megabytes} MB {whose}; this configuration may come to use {busy} MB"
    if megabytes < LEAST_MEMORY:
        yield problem("memory", shown, f"give it {busy} MB")
    elif megabytes < busy:
        yield warning(
            "memory",
            shown,
            f"give it {busy} MB, or less to [decoders] workers and memory_mb, [media] memory_mb",
        )
    else:
        yield ok("memory", shown)


def needed(config: Config) -> int:
    """Megabytes for the gateway, its first cells, and files at the limits that are set for them."""
    cells = (1 + config.cells.spare) * CELL_MEMORY
    decoders = config.decoders.workers * config.decoders.memory_mb
    return BASE_MEMORY + cells + decoders + 3 * config.media.memory_mb
