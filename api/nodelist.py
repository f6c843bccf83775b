"""The nodes as `terzetto nodes` prints them, and one of them seen off."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from api.running import NoAnswerError, Running, ask

Json = dict[str, Any]

_PAUSE = 1.0  # seconds between two looks at a node that hands over
_GB = 10**9
_HEADINGS: tuple[str, ...] = (
    "",
    "name",
    "state",
    "sessions",
    "share",
    "memory",
    "lease",
    "version",
    "duties",
    "id",
)
_FIGURES = frozenset({"sessions", "share", "memory", "lease"})


class NotDrainedError(Exception):
    """The node stays as it is; the text is for the user."""


def show(running: Running, *, as_json: bool) -> None:
    """Print all nodes. Raises NotRunningError."""
    found = ask(running, "GET", "/api/nodes")
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201
        return
    for line in render(found):
        print(line)  # noqa: T201


def render(found: Json) -> Iterator[str]:
    """A table with a line a node, that which was asked marked with a `*`; then what is to be said of all."""
    at = datetime.fromisoformat(found["at"])
    total = sum(node["sessions"] for node in found["nodes"])
    rows = [_HEADINGS, *(_row(node, total, at) for node in found["nodes"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(_HEADINGS, row, widths, strict=True)
        aligned = (f"{cell:{'>' if name in _FIGURES else '<'}{width}}" for name, cell, width in cells)
        yield "  ".join(aligned).rstrip()
    if not found["shared"]:
        yield "This gateway shares with no other: [cluster] in supervisor.toml."
    if found["unowned"]:
        yield f"{_sessions(found['unowned'])} of no node."


def _row(node: Json, total: int, at: datetime) -> tuple[str, ...]:
    load, lease = node["load"], node["expiresAt"]
    left = lease and max(0, round((datetime.fromisoformat(lease) - at).total_seconds()))
    return (
        "*" if node["self"] else "",
        node["name"],
        node["state"],
        str(node["sessions"]),
        f"{node['sessions'] / total:.0%}" if total else "",
        f"{load['memoryBytes'] / _GB:.1f}/{load['memoryTotalBytes'] / _GB:.1f} GB" if load else "-",
        "-" if left is None else f"{left} s",
        node["version"],
        ",".join(node["duties"]) or "-",
        node["id"] or "-",
    )


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"


def drained(running: Running, which: str, *, unasked: bool) -> None:
    """Have a node hand over all it has and end, once the user has said so, and wait until it is gone.

    Raises NotDrainedError, NotRunningError.
    """
    found = ask(running, "GET", "/api/nodes")
    nodes = found["nodes"]
    node = next((each for each in nodes if each["id"] == which), None)
    # Whose name it is, and whether it is one's alone, the gateway decides.
    node = node or next((each for each in nodes if each["name"] == which), None)
    others = sum(each["state"] == "running" for each in nodes if each is not node)
    if node is not None and not unasked and not _agreed(node, others):
        raise NotDrainedError(f"{node['name']} stays as it is")
    asked = ask(running, "POST", f"/api/nodes/{quote(which, safe='')}/drain")
    name, was_here = asked["name"], asked["self"]
    last: int | None = None
    while True:
        try:
            nodes = ask(running, "GET", "/api/nodes")["nodes"]
        except NoAnswerError:
            if was_here:  # who has ended says nothing
                break
            raise
        node = next((each for each in nodes if each["id"] == asked["id"]), None)
        if node is None:
            break
        was_here = node["self"]
        if node["sessions"] != last:
            last = node["sessions"]
            print(f"terzetto: {name} has {_sessions(node['sessions'])} left", flush=True)  # noqa: T201
        time.sleep(_PAUSE)
    print(f"terzetto: {name} is gone")  # noqa: T201


def _agreed(node: Json, others: int) -> bool:
    """What the user says to it: at a terminal, or the first line of what is piped in."""
    there = (
        f"to {others} other node{'' if others == 1 else 's'}" if others else "nowhere: there is no other node"
    )
    question = f"Drain {node['name']}? Its {_sessions(node['sessions'])} will go {there}. [y/N] "
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(file=sys.stderr)  # noqa: T201
    return answer.strip().lower() in {"y", "yes"}
