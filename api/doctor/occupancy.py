"""Who uses the data directory and the port: a gateway that runs, nobody, or somebody else."""

import fcntl
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from api.config import Config
from api.doctor.finding import Finding, ok, problem, warning
from api.running import NotRunningError, ask, find


def occupied(data: Path) -> bool:
    """Whether a gateway runs on this directory."""
    try:
        with (data / "lock").open() as file:
            # Shared, and let go at once: a gateway that starts in this very moment would be refused.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def gateway(data: Path, *, occupied: bool) -> Iterator[Finding]:
    """The gateway on this directory, and whether it is ready."""
    if not occupied:
        yield ok("gateway", f"none runs on {data}")
        return
    try:
        running = find([data])
        ask(running, "GET", "/readyz")
    except NotRunningError as error:
        yield warning(
            "gateway",
            f"one runs on {data}, but {error}",
            "wait if it is being started; else look at its log, and restart it",
        )
    else:
        yield ok("gateway", f"ready at {running.url}; another on {data} would be refused")


def port(config: Config, *, occupied: bool) -> Iterator[Finding]:
    """Whether the gateway could listen where it is to."""
    host, number = config.api.address
    if occupied or number == 0:
        return
    remedy = "end what listens there, or set [api] listen or --listen"
    with suppress(socket.gaierror):
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    tried.bind(address)
                except OSError as error:
                    yield problem("port", f"{config.api.listen}: {error.strerror}", remedy)
                    return
        yield ok("port", f"{config.api.listen} is free")
        return
    yield problem("port", f"{config.api.listen}: no such address", remedy)
