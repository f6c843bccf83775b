"""One look at the tree for all who watch it, taken only while somebody does.

What did not change between two looks is the same object in both, so that each watcher finds by identity what
is new to him: nothing is kept for a slow one, who just finds more changed when he looks again.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import trio
from attrs import define, field

from actors.cells import Cell
from api.nodes import Moments, flat
from runtime import Supervisor
from storage.rows import Json

INTERVAL = 0.25
"""Seconds between two looks, at least."""
SHARE = 20
"""And so many times what the last look took of a processor: a tree of many thousands leaves it to others."""

Views = Mapping[str, Json]
"""Every node by its path, in the order of the tree."""


@define(eq=False)
class Lookout:
    """Looks at the tree below `root`, at most once an interval, when asked."""

    root: Supervisor
    cells: Callable[[], Iterable[Cell]]
    looks: int = field(default=0, init=False)
    """How often it looked."""
    pause: float = field(default=INTERVAL, init=False)
    """Seconds until it is worth asking again."""
    moments: Moments = field(factory=Moments, init=False)
    _views: Views = field(factory=dict, init=False)
    _good_until: float = field(default=0.0, init=False)

    def look(self) -> Views:
        """The tree as it was a moment ago."""
        now = trio.current_time()
        if now < self._good_until:
            return self._views
        began = time.thread_time()
        self.moments.keep_right()
        new = flat(self.root.tree(now), now, self.moments, self.cells())
        last = self._views
        self._views = {path: last[path] if last.get(path) == view else view for path, view in new.items()}
        self.looks += 1
        self.pause = max(INTERVAL, SHARE * (time.thread_time() - began))
        self._good_until = now + self.pause
        return self._views


def changes(known: Views, views: Views) -> tuple[list[Json], list[str]]:
    """What is new or other in `views` than in `known`, parents first, and the paths that are gone."""
    if known is views:
        return [], []
    changed = [view for path, view in views.items() if known.get(path) is not view]
    return changed, [path for path in known if path not in views]
