"""The supervision tree as `terzetto tree` prints it."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from api.running import Running, ask

Json = dict[str, Any]

SYMBOLS = {
    "running": "●",
    "starting": "◐",
    "restarting": "◐",
    "stopping": "◐",
    "backing_off": "◌",
    "suspended": "‖",
    "unresponsive": "!",
    "failed": "✗",
}
AT_REST = "○"
_COLOURS = {"●": "32", "◐": "33", "◌": "33", "‖": "33", "!": "31", "✗": "31", AT_REST: "2"}


def show(running: Running, *, as_json: bool) -> None:
    """Print the tree of a running gateway. Raises NotRunningError."""
    root = ask(running, "GET", "/api/tree")
    if as_json:
        print(json.dumps(root, indent=2, ensure_ascii=False))  # noqa: T201
        return
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    for line in render(
        root, datetime.now(UTC), width=width, colour=terminal and "NO_COLOR" not in os.environ
    ):
        print(line)  # noqa: T201


def render(root: Json, now: datetime, *, width: int | None = None, colour: bool = False) -> Iterator[str]:
    """A heading and one line a node; no line is wider than `width` where that is given."""
    rows = [(lead, node) for lead, node in _walk(root, "", "")]
    column = max(len(lead) + 2 + len(node["id"]) for lead, node in rows)
    if width is not None:
        # 48 columns go to what follows the name.
        column = max(12, min(column, width - 48))
    yield f"{'':{column}}  {'state':12} {'since':>9} {'restarts':>8} {'mail':>5}  last exit"[:width].rstrip()
    for lead, node in rows:
        symbol = SYMBOLS.get(node["state"], AT_REST)
        name = f"{lead}{symbol} {node['id']}"
        if len(name) > column:
            name = f"{name[: column - 1]}…"
        mail = node["mailbox"]["depth"] if node["mailbox"] else ""
        time = f"in {span(node['due'], now)}" if node["due"] else span(node["since"], now)
        line = f"{name:{column}}  {node['state']:12} {time:>9} {node['restarts']:>8} {mail:>5}"
        line = f"{line}  {node['lastExit'] or ''}"[:width].rstrip()
        yield line.replace(symbol, f"\033[{_COLOURS[symbol]}m{symbol}\033[0m", 1) if colour else line


def plain(message: Json) -> Iterator[str]:
    """What a watcher was told, a line a node: time, path, state and what else there is to say of it."""
    time = datetime.fromisoformat(message["at"]).astimezone()
    for path in message["gone"]:
        yield f"{time:%H:%M:%S} {path} gone"
    for node in message["nodes"]:
        said = [f"{time:%H:%M:%S}", node["path"] or node["id"], node["state"], f"restarts={node['restarts']}"]
        if node["mailbox"]:
            said.append(f"mail={node['mailbox']['depth']}")
        if node["message"]:
            said.append(f"message={node['message']}")
        if node.get("cell"):
            said.append(f"pid={node['cell']['pid']} memory={node['cell']['memoryMb']}MB")
        if node["lastExit"]:
            said.append(f"exit={node['lastExit']}")
        yield " ".join(said)


def _walk(node: Json, lead: str, below: str) -> Iterator[tuple[str, Json]]:
    yield lead, node
    *others, last = node["children"] or [None]
    for child in others:
        yield from _walk(child, f"{below}├─ ", f"{below}│  ")
    if last:
        yield from _walk(last, f"{below}└─ ", f"{below}   ")


def span(moment: str | None, now: datetime) -> str:
    """How far a moment is from now, in its two greatest units: `3d 4h`, `2m 05s`."""
    if moment is None:
        return ""
    seconds = round(abs((now - datetime.fromisoformat(moment)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d {hours % 24:02}h"
    if hours:
        return f"{hours}h {minutes % 60:02}m"
    return f"{minutes}m {seconds % 60:02}s" if minutes else f"{seconds}s"
