"""The client library's tables, which only the library itself makes and upgrades.

It does so whenever it opens a store, and two that open a new one at the same time get into each other's way.
So one process (`__main__.py`) opens the store before any cell does.
"""

import json
import os
import sys
from collections.abc import Sequence

import trio

from actors.whatsapp.launch import ROOT, SYSTEM

__all__ = ["TablesError", "open_stores"]

TIMEOUT = 60.0
"""Seconds for the process to start, and as many for each store; it takes 0.3 in all."""


class TablesError(Exception):
    """The library could not open the stores."""


async def open_stores(stores: Sequence[str]) -> list[str]:
    """Have the library make its tables in these stores, or bring them to what it needs.

    Gives its word on each: empty, or what went wrong. Cancelled, the process is ended. Raises TablesError.
    """
    asked = "".join(f"{json.dumps(each)}\n" for each in stores).encode()
    environment = {name: os.environ[name] for name in SYSTEM if name in os.environ}
    with trio.move_on_after(TIMEOUT * (1 + len(stores))):
        done = await trio.run_process(
            [sys.executable, "-m", "actors.keys"],
            stdin=asked,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment | {"PYTHONPATH": str(ROOT)},
        )
        answers = done.stdout.decode(errors="replace").split("\n")[:-1]
        if done.returncode != 0 or len(answers) != len(stores):
            raise TablesError(f"the client library ended with {done.returncode}")
        return answers
    raise TablesError("the client library did not answer in time")
