"""`terzetto tree --watch`: what it shows for what it hears and for each key, and the terminal given back."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from api.running import Running, leave
from api.terminal import names_of
from api.tree import plain
from api.treeview import TreeView

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
PLAIN = re.compile(r"\033\[[0-9;?]*[A-Za-z]")


def node(path: str, state: str = "running", **more: Any) -> Json:
    since = (NOW - timedelta(seconds=125)).isoformat()
    empty = {"depth": 0, "peak": 2, "dropped": 0, "oldestSince": None}
    usual = {
        "id": path.rpartition("/")[2] or "root",
        "path": path,
        "type": "worker",
        "state": state,
        "since": since,
        "restarts": 0,
        "lastExit": None,
        "due": None,
        "mailbox": empty if path.count("/") else None,
        "message": None,
        "messageSince": None,
        "busy": 0.0 if path.count("/") else None,
    }
    return usual | more


CELL = {"pid": 4242, "memoryMb": 38, "sessions": 2, "starts": 7, "retiring": None}
NODES = [
    node(""),
    node("cells"),
    node("cells/cell-1", cell=CELL),
    node("sessions"),
    node("sessions/ana"),
    node("sessions/budi"),
]
DETAIL = {
    "traceback": ["Traceback (most recent call last):", "  api/x.py:1 in f", "Boom: \033[31mred"],
    "tasks": [
        {"name": "ana", "stack": ["acting.py:78 _converse", "faults.py:57 Session.handle", "_t.py:1 sleep"]},
        {"name": "Keeper.run", "stack": ["keeper.py:95 Keeper.run", "_channel.py:4 receive"]},
    ],
    "settings": {
        "restart": "permanent",
        "shutdown": 5.0,
        "backoff": {"min": 1.0, "max": 60.0, "factor": 2.0, "maxFailures": 10, "onExhausted": "give_up"},
        "mailbox": {"capacity": 1000, "overflow": "drop_oldest"},
    },
}


def told(kind: str = "changes", *nodes: Json, gone: tuple[str, ...] = ()) -> Json:
    return {"type": kind, "at": NOW.isoformat(), "nodes": list(nodes), "gone": list(gone)}


def view() -> TreeView:
    made = TreeView("terzetto")
    made.hear(told("snapshot", *NODES), NOW)
    return made


def shown(seen: TreeView, columns: int = 80, height: int = 24, *, after: float = 0) -> list[str]:
    lines = seen.lines(columns, height, NOW + timedelta(seconds=after), colour=False)
    return [line.rstrip() for line in lines]


def body(seen: TreeView, **how: Any) -> list[str]:
    return [line for line in shown(seen, **how)[2:-2] if line]


def line_of(seen: TreeView, name: str, **how: Any) -> str:
    (line,) = (line for line in body(seen, **how) if f" {name} " in line)
    return line


# What it hears


def test_the_view_is_the_tree_a_line_a_node() -> None:
    assert shown(view(), height=12) == [
        f"terzetto  6 running{'live ' + format(NOW.astimezone(), '%H:%M:%S'):>61}",
        "               state           since   ↻ mail/peak busy  now, last exit",
        "● root         running         2m05s   0",
        "├─ ● cells     running         2m05s   0",
        "│  └─ ● cell-1 running         2m05s   0       0/2   0%  38MB pid 4242",
        "└─ ● sessions  running         2m05s   0",
        "   ├─ ● ana    running         2m05s   0       0/2   0%",
        "   └─ ● budi   running         2m05s   0       0/2   0%",
        "",
        "",
        "root",
        "↑↓ jk move   ⏎ e traceback, stack   ␣ fold   q quit",
    ]


def test_what_changes_and_what_goes_is_taken_over() -> None:
    seen = view()
    seen.hear(
        told("changes", node("sessions/citra"), node("sessions/ana", "failed"), gone=("sessions/budi",)), NOW
    )
    names = [re.sub(r"[^a-z0-9-]+", " ", line).split()[0] for line in body(seen)]
    assert names == ["root", "cells", "cell-1", "sessions", "ana", "citra"]
    assert "✗ ana" in line_of(seen, "ana")
    assert "1 failed" in shown(seen)[0]


def test_ages_go_on_between_two_messages() -> None:
    seen = view()
    seen.hear(told("changes", node("sessions/ana", message="Wedge", messageSince=NOW.isoformat())), NOW)
    assert "Wedge 0s" in line_of(seen, "ana")
    assert "stuck" not in shown(seen, after=4)[0]
    assert "Wedge 7s" in line_of(seen, "ana", after=7)
    assert "1 stuck" in shown(seen, after=7)[0]
    assert "\033[0;31mWedge 7s" in "".join(seen.lines(80, 24, NOW + timedelta(seconds=7)))


def test_ages_are_reckoned_by_the_gateways_clock() -> None:
    seen = TreeView("terzetto")
    seen.hear(told("snapshot", *NODES), NOW + timedelta(hours=3))
    assert "2m07s" in line_of(seen, "ana", after=3 * 3600 + 2)


def test_a_wait_for_a_restart_counts_down() -> None:
    seen = view()
    due = (NOW + timedelta(seconds=9)).isoformat()
    seen.hear(told("changes", node("sessions/ana", "backing_off", due=due, restarts=3)), NOW)
    assert re.search(r"◌ ana +backing_off +in 5s +3 ", line_of(seen, "ana", after=4))


def test_while_the_connection_is_lost_the_heading_says_so_and_the_colours_fade() -> None:
    seen = view()
    assert "\033[0;32m" in seen.lines(80, 24, NOW)[3]
    seen.trouble = "connection lost (closed)"
    assert "✗ connection lost (closed)" in shown(seen)[0]
    assert "\033[0;32m" not in seen.lines(80, 24, NOW)[3]
    seen.hear(told(), NOW)
    assert "live " in shown(seen)[0]


@pytest.mark.parametrize(("columns", "height"), [(80, 24), (60, 10), (132, 50), (20, 5), (1, 1)])
def test_the_screen_is_exactly_as_large_as_the_terminal(columns: int, height: int) -> None:
    seen = view()
    long = "error (" + "Ω" * 200 + ")"
    seen.hear(told("changes", node("sessions/" + "x" * 90, "failed", lastExit=long)), NOW)
    for key in ("end", "enter"):
        seen.press(key, NOW)
    seen.opened = dict.fromkeys(seen.opened, DETAIL)
    lines = seen.lines(columns, height, NOW)
    assert len(lines) == height
    assert max(len(PLAIN.sub("", line)) for line in lines) <= columns


# Keys


def test_keys_are_known_by_what_terminals_send() -> None:
    typed = "\033[A\033OB\033[5~\033[6~\033[H\033[1;5Cjq \r\033"
    assert list(names_of(typed)) == [
        *("up", "down", "page up", "page down", "home", "right", "j", "q", "space", "enter", "escape")
    ]


def test_the_chosen_line_moves_and_is_told_of_in_full_below() -> None:
    seen = view()
    exit_ = "error (CellCrashed: cell-1: SIGKILL)"
    seen.hear(told("changes", node("cells/cell-1", cell=CELL, lastExit=exit_)), NOW)
    for key in ("j", "down", "down", "k"):
        seen.press(key, NOW)
    assert shown(seen)[-2] == (
        f"cells/cell-1  38MB pid 4242 · sessions 2, clients started 7 · last exit: {exit_}"[:79] + "…"
    )
    seen.press("G", NOW)
    assert shown(seen)[-2].startswith("sessions/budi")
    seen.press("page up", NOW)
    assert shown(seen)[-2].startswith("root")


def test_the_list_scrolls_so_that_the_chosen_line_is_in_sight() -> None:
    seen = view()
    seen.press("end", NOW)
    assert body(seen, height=7)[-1].startswith("   └─ ● budi")
    seen.press("home", NOW)
    assert body(seen, height=7)[0].startswith("● root")


def test_space_folds_what_has_children_and_tells_how_they_are() -> None:
    seen = view()
    seen.hear(told("changes", node("sessions/budi", "failed")), NOW)
    for key in ("end", "left", "space"):
        seen.press(key, NOW)
    assert [line.split()[2] for line in body(seen)[1:]] == ["cells", "●", "sessions"]
    assert line_of(seen, "sessions").endswith("+2 folded")
    assert "\033[0;31;48;5;238m+2 folded" in "".join(seen.lines(80, 24, NOW))
    seen.press("space", NOW)
    assert len(body(seen)) == 6


@pytest.mark.parametrize("key", ["enter", "e"])
def test_a_node_opens_to_its_traceback_and_closes_again(key: str) -> None:
    seen = view()
    for press in ("end", "up", key):
        seen.press(press, NOW)
    assert list(seen.opened) == ["sessions/ana"]
    assert "asking" in body(seen)[5]
    seen.opened["sessions/ana"] = DETAIL
    text = "\n".join(body(seen))
    assert "restart permanent, shutdown 5 s, back-off 1 to 60 s by 2, then give" in text
    assert "mailbox 1000, drop oldest" in text
    assert "Boom: �[31mred" in text, "a terminal would obey that"
    assert "Keeper.run: keeper.py:95 Keeper.run" in text
    for press in ("down", "down", key):
        seen.press(press, NOW)
    assert seen.opened == {}
    assert shown(seen)[-2] == "sessions/ana"


def test_a_stuck_actor_opens_to_where_its_handler_stands() -> None:
    seen = view()
    seen.hear(told("changes", node("sessions/ana", message="Wedge", messageSince=NOW.isoformat())), NOW)
    seen.opened["sessions/ana"] = DETAIL
    lines = [line.strip("│ ") for line in body(seen, after=8)]
    at = lines.index("Wedge has been in hand for 8 s; it stands at")
    assert lines[at + 1 : at + 3] == ["faults.py:57 Session.handle", "_t.py:1 sleep"]


def test_what_is_gone_is_chosen_no_more() -> None:
    seen = view()
    seen.press("end", NOW)
    seen.hear(told("changes", gone=("sessions/budi",)), NOW)
    assert shown(seen)[-2].startswith("sessions")


def test_a_pipe_gets_a_line_for_each_change() -> None:
    at = f"{NOW.astimezone():%H:%M:%S}"
    message = told(
        "changes", node("cells/cell-1", "backing_off", restarts=2, lastExit="killed"), gone=("sessions/ana",)
    )
    assert list(plain(message)) == [
        f"{at} sessions/ana gone",
        f"{at} cells/cell-1 backing_off restarts=2 mail=0 exit=killed",
    ]


# The terminal


@define(eq=False)
class Terminal:
    """A terminal with the command in it."""

    process: "subprocess.Popen[bytes]"
    master: int
    slave: int
    before: list[Any]
    output: str = ""

    def until(self, text: str) -> None:
        """Read until the screen was sent this."""
        deadline = time.monotonic() + 15
        while text not in PLAIN.sub("", self.output) and text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.output[-3000:]}"
            self.read(0.1)

    def read(self, wait: float) -> None:
        if select.select([self.master], [], [], wait)[0]:
            self.output += os.read(self.master, 65536).decode()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        """The exit code; whatever is left was read."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.output[-3000:]}"
            self.read(0.05)
        self.read(0.05)
        return int(self.process.returncode)

    @property
    def is_given_back(self) -> bool:
        """As it was: the first screen, the cursor, and typing in lines that are echoed."""
        last = max(self.output.rfind("\033[?1049h"), self.output.rfind("\033[?25l"))
        freed = min(self.output.rfind("\033[?1049l"), self.output.rfind("\033[?25h"))
        return last < freed and termios.tcgetattr(self.slave) == self.before


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Any]:
    opened: list[Terminal] = []

    def open_one(url: str, *, columns: int = 80, lines: int = 24) -> Terminal:
        leave(tmp_path / "gateway.json", Running(url, "key"))
        master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        before = termios.tcgetattr(slave)
        command = [sys.executable, "-m", "api", "tree", "--watch", "--data", str(tmp_path)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        opened.append(Terminal(process, master, slave, before))
        return opened[-1]

    yield open_one
    for each in opened:
        each.process.kill()
        each.process.wait()
        os.close(each.master)
        os.close(each.slave)


@asynccontextmanager
async def gateway(*, port: int = 0) -> AsyncIterator[tuple[str, trio.MemorySendChannel[Json]]]:
    """Serves the tree as a gateway does, and then what is put into the channel."""
    put, take = trio.open_memory_channel[Json](10)

    async def serve(request: WebSocketRequest) -> None:
        assert request.path == "/api/tree/ws"
        connection = await request.accept()
        try:
            await connection.send_message(json.dumps(told("snapshot", *NODES)))
            async for message in take.clone():
                await connection.send_message(json.dumps(message))
        except ConnectionClosed:
            return

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, serve, "127.0.0.1", port, None)
        yield f"http://127.0.0.1:{server.port}", put
        nursery.cancel_scope.cancel()


async def test_it_shows_changes_as_they_come_and_q_gives_the_terminal_back(terminals: Any) -> None:
    async with gateway() as (url, put):
        seen: Terminal = await trio.to_thread.run_sync(terminals, url)
        await trio.to_thread.run_sync(seen.until, "sessions")
        assert "\033[?1049h" in seen.output
        await put.send(told("changes", node("sessions/ana", "failed", lastExit="killed")))
        await trio.to_thread.run_sync(seen.until, "1 failed")
        ioctl(seen.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 50, 0, 0))
        seen.process.send_signal(signal.SIGWINCH)
        seen.output = ""
        seen.type("G")
        await trio.to_thread.run_sync(seen.until, "sessions/budi")
        picture = seen.output[seen.output.rindex("\033[H") :]
        assert picture.count("\r\n") <= 9
        seen.type("q")
        assert await trio.to_thread.run_sync(seen.ended) == 0
        assert "\033[?1049l" in seen.output
        assert termios.tcgetattr(seen.slave) == seen.before


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_signal_gives_the_terminal_back_too(
    terminals: Any, number: signal.Signals, code: int
) -> None:
    async with gateway() as (url, _):
        seen: Terminal = await trio.to_thread.run_sync(terminals, url)
        await trio.to_thread.run_sync(seen.until, "sessions")
        seen.process.send_signal(number)
        assert await trio.to_thread.run_sync(seen.ended) == code
        assert seen.is_given_back


async def test_a_refusal_gives_the_terminal_back_and_then_says_why(terminals: Any) -> None:
    async with gateway() as (url, _):
        seen: Terminal = await trio.to_thread.run_sync(terminals, url)
        await trio.to_thread.run_sync(seen.until, "sessions")
        port = int(url.rpartition(":")[2])
    await trio.to_thread.run_sync(seen.until, "connection lost")

    async def refuse(request: WebSocketRequest) -> None:
        await request.reject(401, body=b'{"code": "key_revoked", "detail": "This key was revoked."}')

    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, refuse, "127.0.0.1", port, None)
        assert await trio.to_thread.run_sync(seen.ended) == 1
        nursery.cancel_scope.cancel()
    assert seen.is_given_back
    assert seen.output.rstrip().endswith("answered 401: key_revoked: This key was revoked.")


def test_without_a_gateway_the_terminal_is_not_even_taken(terminals: Any) -> None:
    seen: Terminal = terminals("http://127.0.0.1:9")
    assert seen.ended() == 1
    assert "\033[?1049h" not in seen.output
    assert "no gateway answers" in seen.output
