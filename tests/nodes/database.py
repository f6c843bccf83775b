"""A PostgreSQL for all nodes, which speaks TCP."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from storage.programs import end, ended, give, launch
from tests.whole.processes import until

ROLE = "terzetto"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # The client library opens a pool for each session.
    "max_connections": "600",
    "shared_buffers": "128MB",
    "fsync": "off",
    "jit": "off",
    "io_method": "sync",
    "log_error_verbosity": "terse",
}


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[int]:
    """Run one; the value is its port on 127.0.0.1, where it trusts everybody."""
    folder.mkdir()
    data = folder / "pgdata"
    data.mkdir(mode=0o700)
    give(data)
    with (folder / "log").open("ab") as log:
        arguments = ["-D", str(data), "-U", ROLE, "--encoding=UTF8", "--auth=trust", "--no-sync"]
        arguments += ["--no-instructions", "--locale-provider=builtin", "--locale=C.UTF-8"]
        making = launch("initdb", data, arguments, log)
        await ended(making)
        assert making.returncode == 0, (folder / "log").read_text()
        # It listens here alone, to nodes with addresses of their own.
        (data / "pg_hba.conf").write_text("host all all 0.0.0.0/0 trust\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        settings = [f"-c{name}={value}" for name, value in {**SETTINGS, "port": str(port)}.items()]
        process = launch("postgres", data, ["-D", str(data), *settings], log)

        async def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
            except OSError:
                return False
            return True

        try:
            await until(answers, "PostgreSQL listens", within=60)
            yield port
        finally:
            await end(process, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
