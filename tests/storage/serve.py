"""An embedded server as a process of its own: prints its connection string, ends with its standard input."""

import sys
from pathlib import Path

import trio

from storage.embedded import embedded_postgres


async def main() -> None:
    async with embedded_postgres(Path(sys.argv[1]), fsync="--fsync" in sys.argv) as dsn:
        print(dsn, flush=True)  # noqa: T201 - that is how its parent learns it
        await trio.lowlevel.wait_readable(sys.stdin)


if __name__ == "__main__":
    trio.run(main)
