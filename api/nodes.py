"""The nodes of the supervision tree as the API gives them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import trio
from attrs import define, field

from actors.cells import Cell
from actors.envelope import stamp
from api.causes import in_a_line
from runtime import TreeNode
from storage.rows import Json

_MB = 1024 * 1024


def _zero() -> float:
    return datetime.now(UTC).timestamp() - trio.current_time()


@define(eq=False)
class Moments:
    """Turns times of the loop's clock into moments in UTC: one time is the same moment in every look."""

    zero: float = field(factory=_zero)
    """Where that clock's zero lies, in Unix seconds."""

    def keep_right(self) -> None:
        """Follow the wall clock if it was set since."""
        present = _zero()
        if abs(present - self.zero) > 1:
            self.zero = present

    def of(self, clock: float | None) -> str | None:
        """The moment of a time, in ISO 8601."""
        return None if clock is None else stamp(datetime.fromtimestamp(self.zero + clock, UTC))


def nested(node: TreeNode, path: str, now: float, moments: Moments, cells: Iterable[Cell]) -> Json:
    """A node, and all beneath it as `children`; `path` is its own, and `now` when it was looked at."""
    known = _by_path(cells)

    def grown(node: TreeNode, path: str) -> Json:
        children = [grown(child, _below(path, child.id)) for child in node.children]
        return _view(node, path, now, moments, known) | {"children": children}

    return grown(node, path)


def flat(root: TreeNode, now: float, moments: Moments, cells: Iterable[Cell]) -> dict[str, Json]:
    """Every node by its path, parents before their children."""
    known = _by_path(cells)
    views: dict[str, Json] = {}

    def add(node: TreeNode, path: str) -> None:
        views[path] = _view(node, path, now, moments, known)
        for child in node.children:
            add(child, _below(path, child.id))

    add(root, "")
    return views


def _below(path: str, id_: str) -> str:
    return f"{path}/{id_}" if path else id_


def _by_path(cells: Iterable[Cell]) -> dict[str, Cell]:
    return {f"cells/{cell.id}": cell for cell in cells}


def _view(node: TreeNode, path: str, now: float, moments: Moments, cells: Mapping[str, Cell]) -> Json:
    """One node. Ages are given as the moments they count from: they change only when something does."""
    mailbox, oldest = node.mailbox, None
    if mailbox is not None and mailbox.oldest_age is not None:
        oldest = now - mailbox.oldest_age
    view = {
        "id": node.id,
        "path": path,
        "type": node.type,
        "state": node.state,
        "since": moments.of(node.since),
        "restarts": node.restarts,
        "lastExit": None if node.last_exit is None else in_a_line(node.last_exit),
        "due": moments.of(node.due),
        "mailbox": mailbox
        and {
            "depth": mailbox.depth,
            "peak": mailbox.peak,
            "dropped": mailbox.dropped,
            "oldestSince": moments.of(oldest),
        },
        "message": node.message,
        "messageSince": None if node.message_age is None else moments.of(now - node.message_age),
        "busy": None if node.busy is None else round(node.busy, 2),
    }
    if (cell := cells.get(path)) is not None:
        view["cell"] = {
            "pid": cell.pid,
            "memoryMb": round(cell.memory / _MB),
            "sessions": cell.clients,
            "starts": cell.starts,
            "retiring": cell.retiring,
        }
    return view
