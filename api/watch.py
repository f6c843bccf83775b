"""`terzetto tree --watch`: the supervision tree live, over the whole terminal or line by line into a pipe."""

import json
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import httpx
import trio
from attrs import define, field

from api.live import hear
from api.running import Running
from api.terminal import Screen, screen
from api.tree import plain
from api.treeview import TreeView

_PATH = "/api/tree/ws"
_FRAME = 0.05  # seconds between two pictures, at least
_TICK = 1.0  # and at most: ages grow
_DETAILS = 1.0  # seconds between two looks at what is opened and busy


def watch(running: Running, *, as_json: bool) -> None:
    """Show the tree until the user has seen enough. Raises NotRunningError."""
    try:
        if sys.stdout.isatty() and not as_json:
            trio.run(_on_screen, running)
        else:
            trio.run(_into_pipe, running, as_json)
    except BaseExceptionGroup as group:
        # One thing ended it; what the tasks beside it were cancelled by is no news.
        raise _first(group) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _into_pipe(running: Running, as_json: bool) -> None:
    def heard(message: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(message, ensure_ascii=False), flush=True)  # noqa: T201
            return
        for line in plain(message):
            print(line)  # noqa: T201
        sys.stdout.flush()

    def lost(reason: str) -> None:
        print(f"terzetto: connection lost ({reason}); coming back", file=sys.stderr)  # noqa: T201

    await hear(running, lambda: _PATH, heard, lost)


async def _on_screen(running: Running) -> None:
    # The terminal is taken once there is something to show: without a gateway, a plain line says so.
    watcher = _Watcher(running, TreeView(f"terzetto {running.url.partition('://')[2]}"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watcher.listen)
        await watcher.began.wait()
        async with screen(watcher.redraw) as shown, trio.open_nursery() as inner:
            inner.start_soon(watcher.paint, shown)
            inner.start_soon(watcher.look_closer)
            await watcher.obey(shown)
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


@define(eq=False)
class _Watcher:
    """What goes on at once: listening, painting, obeying keys, asking for what is opened."""

    running: Running
    view: TreeView
    began: trio.Event = field(factory=trio.Event)
    _changed: trio.Event = field(factory=trio.Event)
    _wanted: trio.Event = field(factory=trio.Event)

    def redraw(self) -> None:
        self._changed.set()

    async def listen(self) -> NoReturn:
        def heard(message: dict[str, Any]) -> None:
            self.view.hear(message, _now())
            self.began.set()
            self._wanted.set()
            self.redraw()

        def lost(reason: str) -> None:
            self.view.trouble = f"connection lost ({reason})"
            self.redraw()

        await hear(self.running, lambda: _PATH, heard, lost)

    async def paint(self, shown: Screen) -> NoReturn:
        while True:
            self._changed = trio.Event()
            columns, height = shown.size
            shown.draw(self.view.lines(columns, height, _now()))
            await trio.sleep(_FRAME)
            with trio.move_on_after(_TICK):
                await self._changed.wait()

    async def obey(self, shown: Screen) -> None:
        """Until `q`."""
        async for key in shown.keys():
            if key == "q":
                return
            self.view.press(key, _now())
            self._wanted.set()
            self.redraw()

    async def look_closer(self) -> NoReturn:
        """Keep what is opened up to date: when its node changes, and while it has a message in hand."""
        seen: dict[str, tuple[dict[str, Any], float]] = {}
        headers = {"x-api-key": self.running.admin_key}
        async with httpx.AsyncClient(base_url=self.running.url, headers=headers, timeout=10) as http:
            while True:
                self._wanted = trio.Event()
                for path in tuple(self.view.opened):
                    node, now = self.view.nodes.get(path), trio.current_time()
                    last, at = seen.get(path, (None, 0.0))
                    fresh = node is last and self.view.opened.get(path) is not None
                    if node is None or (fresh and not (node["message"] and now - at >= _DETAILS)):
                        continue
                    seen[path] = (node, now)
                    await self._ask(http, path)
                with trio.move_on_after(_DETAILS):
                    await self._wanted.wait()
                await trio.sleep(_FRAME)

    async def _ask(self, http: httpx.AsyncClient, path: str) -> None:
        try:
            answer = await http.get(f"/api/tree/{path}" if path else "/api/tree")
        except httpx.HTTPError:
            return  # the connection's own loss is told elsewhere
        if answer.is_success and path in self.view.opened:
            self.view.opened[path] = {"traceback": None} | answer.json()
            self.redraw()


def _now() -> datetime:
    return datetime.now(UTC)
