"""The supervision tree as a list one moves about in: what is chosen, folded and opened, and its lines.

Nothing here knows of a terminal or a connection: messages and keys go in, lines come out.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from attrs import Factory, define, field, frozen

from api.tree import AT_REST, SYMBOLS, span

Json = dict[str, Any]

STUCK = timedelta(seconds=5)
"""A message in hand, or one that waits, for longer than this is worth a colour."""

_OK, _WARN, _BAD, _DIM, _PLAIN, _HEAD = "32", "33", "31", "2", "39", "1"
_CHOSEN = ";48;5;238"  # a grey behind the line
_BAD_STATES = frozenset({"failed", "unresponsive"})
_RESTING = frozenset({"stopped", "ended", "ignored"})
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KEYS = "↑↓ jk move   ⏎ e traceback, stack   ␣ fold   q quit"

Part = tuple[str, str]
"""A piece of a line: its colour and its text."""


@frozen
class Row:
    """One line of the list: of a node, or of what was opened below it."""

    path: str
    number: int
    """0 is the node's own line."""
    parts: Callable[[], Iterable[Part]]
    """Asked only of what is in sight: a tree may have thousands of nodes."""


@define(eq=False)
class TreeView:
    """The whole state of the view."""

    title: str
    nodes: dict[str, Json] = Factory(dict)
    opened: dict[str, Json | None] = Factory(dict)
    """By path, what `GET /api/tree/{path}` said; None until it does."""
    folded: set[str] = Factory(set)
    trouble: str | None = "connecting"
    """Why what is shown is not what is."""
    _chosen: tuple[str, int] = ("", 0)
    _top: int = 0
    _height: int = 1
    _ahead: timedelta = field(factory=timedelta)
    """How far the gateway's clock is ahead of ours."""

    # What comes in

    def hear(self, message: Json, now: datetime) -> None:
        """Take over what the gateway told."""
        self.trouble = None
        self._ahead = datetime.fromisoformat(message["at"]) - now
        if message["type"] == "snapshot":
            self.nodes = {}
        for path in message["gone"]:
            self.nodes.pop(path, None)
            self.opened.pop(path, None)
        for node in message["nodes"]:
            self.nodes[node["path"]] = node

    def press(self, key: str, now: datetime) -> None:
        """Do what a key asks for."""
        rows = self._rows(now, 80)
        if not rows:
            return None
        at = self._index(rows)
        path = rows[at].path
        match key:
            case "up" | "k":
                at -= 1
            case "down" | "j":
                at += 1
            case "page up":
                at -= self._height
            case "page down":
                at += self._height
            case "home" | "g":
                at = 0
            case "end" | "G":
                at = len(rows) - 1
            case "enter" | "e" if path in self.opened:
                del self.opened[path]
                return self._choose(path)
            case "enter" | "e":
                self.opened[path] = None
                return None
            case "space" if path in self.folded:
                self.folded.remove(path)
                return None
            case "space" if self._children().get(path):
                self.folded.add(path)
                return self._choose(path)
            case "right":
                self.folded.discard(path)
                return None
            case "left":
                return self._choose(path if rows[at].number else path.rpartition("/")[0])
            case _:
                return None
        row = rows[max(0, min(at, len(rows) - 1))]
        self._chosen = (row.path, row.number)
        return None

    def _choose(self, path: str) -> None:
        self._chosen = (path, 0)

    # What is shown

    def lines(self, columns: int, height: int, now: datetime, *, colour: bool = True) -> list[str]:
        """The screen: a heading, as much of the list as fits, what is chosen in full, and the keys."""
        then = now + self._ahead
        rows = self._rows(then, columns)
        self._height = max(1, height - 4)
        at = self._index(rows) if rows else 0
        if rows:
            self._chosen = (rows[at].path, rows[at].number)
        self._top = max(0, min(self._top, at, len(rows) - self._height))
        self._top = max(self._top, at - self._height + 1)
        body = rows[self._top : self._top + self._height]
        shown = [
            _drawn(self._heading(then, columns), columns, colour),
            _drawn([(_DIM, _columns(_name_width(self._names(), columns)))], columns, colour),
            *(_drawn(self._faded(row.parts()), columns, colour, chosen=row is rows[at]) for row in body),
            *[""] * (self._height - len(body)),
            _drawn(self._footing(then), columns, colour),
            _drawn([(_DIM, _KEYS)], columns, colour),
        ]
        return shown[:height]

    def _faded(self, parts: Iterable[Part]) -> Iterable[Part]:
        """Without its colours while it is not known to be so still."""
        return ((_DIM, text) for _, text in parts) if self.trouble else parts

    def _heading(self, now: datetime, columns: int) -> list[Part]:
        counts: dict[str, int] = {}
        for node in self.nodes.values():
            counts[node["state"]] = counts.get(node["state"], 0) + 1
        stuck = sum(_age(node["messageSince"], now) > STUCK for node in self.nodes.values())
        parts: list[Part] = [(_HEAD, self.title)]
        if stuck:
            parts += [(_PLAIN, "  "), (_BAD, f"{stuck} stuck")]
        for state, count in sorted(counts.items(), key=lambda each: -each[1]):
            parts += [(_PLAIN, "  "), (_state_colour(state), f"{count} {state}")]
        live = (_BAD, f"✗ {self.trouble}") if self.trouble else (_OK, f"live {now.astimezone():%H:%M:%S}")
        room = columns - sum(len(text) for _, text in parts) - len(live[1])
        return [*parts, (_PLAIN, " " * max(2, room)), live]

    def _footing(self, now: datetime) -> list[Part]:
        node = self.nodes.get(self._chosen[0])
        if node is None:
            return []
        return [(_HEAD, node["path"] or node["id"]), (_PLAIN, "  "), *_remarks(node, now, short=False)]

    def _index(self, rows: list[Row]) -> int:
        """Where the chosen line is; the node's own where that line is gone, the nearest above without it."""
        path, number = self._chosen
        while True:
            found = [index for index, row in enumerate(rows) if row.path == path and row.number <= number]
            if found or not path:
                return found[-1] if found else 0
            path, number = path.rpartition("/")[0], 0

    def _children(self) -> dict[str, list[str]]:
        below: dict[str, list[str]] = {}
        for path in self.nodes:
            if path:
                below.setdefault(path.rpartition("/")[0], []).append(path)
        return below

    def _walk(self) -> Iterator[tuple[str, str, str]]:
        """Each node in sight: its path, what leads to its name, and what leads past it."""
        below = self._children()

        def walk(path: str, lead: str, past: str) -> Iterator[tuple[str, str, str]]:
            yield path, lead, past
            if path not in self.folded:
                children = below.get(path, [])
                for child in children:
                    ends = child is children[-1]
                    yield from walk(
                        child, past + ("└─ " if ends else "├─ "), past + ("   " if ends else "│  ")
                    )

        if "" in self.nodes:
            yield from walk("", "", "")

    def _names(self) -> Iterable[int]:
        return (len(lead) + 2 + len(self.nodes[path]["id"]) for path, lead, _ in self._walk())

    def _rows(self, now: datetime, columns: int) -> list[Row]:
        width = _name_width(self._names(), columns)
        below = self._children()
        rows: list[Row] = []
        for path, lead, past in self._walk():
            node = self.nodes[path]
            hidden = [self.nodes[each] for each in _hidden(path, below)] if path in self.folded else []
            rows.append(Row(path, 0, partial(_node_parts, node, lead, width, now, hidden)))
            if path in self.opened:
                told = _detail(node, self.opened[path], now, columns - len(past) - 2)
                margin = past + ("│ " if below.get(path) and path not in self.folded else "  ")
                rows += [
                    Row(path, number, partial(list[Part], [(_DIM, margin), *parts]))
                    for number, parts in enumerate(told, 1)
                ]
        return rows


def _hidden(path: str, below: dict[str, list[str]]) -> list[str]:
    found = list(below.get(path, []))
    for each in found:
        found += below.get(each, [])
    return found


# One node


def _health(node: Json, now: datetime) -> str:
    """The colour of a node."""
    if node["state"] in _BAD_STATES or _age(node["messageSince"], now) > STUCK:
        return _BAD
    waits = node["mailbox"] is not None and _age(node["mailbox"]["oldestSince"], now) > STUCK
    if waits or (node.get("cell") or {}).get("retiring"):
        return _WARN
    return _state_colour(node["state"])


def _state_colour(state: str) -> str:
    if state in _BAD_STATES:
        return _BAD
    return _OK if state == "running" else _DIM if state in _RESTING else _WARN


def _name_width(lengths: Iterable[int], columns: int) -> int:
    """All names, but at least 59 columns are for what follows them."""
    return max(12, min(max(lengths, default=0), columns - 59))


def _columns(width: int) -> str:
    return f"{'':{width}} {'state':12} {'since':>8} {'↻':>3} {'mail/peak':>9} {'busy':>4}  now, last exit"


def _node_parts(node: Json, lead: str, width: int, now: datetime, hidden: list[Json]) -> list[Part]:
    colour = _health(node, now)
    symbol = SYMBOLS.get(node["state"], AT_REST)
    room = max(1, width - len(lead) - 2)
    name = _clean(node["id"])
    name = name if len(name) <= room else f"{name[: room - 1]}…"
    time = span(node["due"] or node["since"], now).replace(" ", "")
    time = f"in {time}" if node["due"] else time
    mailbox, busy = node["mailbox"], node["busy"]
    mail = f"{mailbox['depth']}/{mailbox['peak']}" if mailbox else ""
    share = "" if busy is None else f"{busy:.0%}"
    parts: list[Part] = [
        (_DIM, lead),
        (colour, symbol),
        (_PLAIN, f" {name:{room}} "),
        (colour if colour != _OK else _PLAIN, f"{node['state']:12}"),
        (_PLAIN, f" {time:>8} "),
        (_WARN if node["restarts"] else _DIM, f"{node['restarts']:>3}"),
        (_PLAIN, f" {mail:>9} {share:>4}  "),
        *_remarks(node, now, short=True),
    ]
    if hidden:
        worst = [_health(each, now) for each in hidden]
        shade = _BAD if _BAD in worst else _WARN if _WARN in worst else _DIM
        parts.append((shade, f"+{len(hidden)} folded"))
    return parts


def _remarks(node: Json, now: datetime, *, short: bool) -> list[Part]:
    """What else there is to say: what it does, its process, what it died of."""
    found: list[Part] = []
    if node["message"]:
        age = _age(node["messageSince"], now)
        shade = _BAD if age > STUCK else _PLAIN
        found.append((shade, f"{_clean(node['message'])} {max(0, round(age.total_seconds()))}s"))
    mailbox = node["mailbox"]
    if mailbox:
        waits = _age(mailbox["oldestSince"], now)
        if waits > timedelta(seconds=1):
            found.append((_WARN, f"waits {round(waits.total_seconds())}s"))
        if mailbox["dropped"]:
            found.append((_WARN, f"{mailbox['dropped']} dropped"))
    if cell := node.get("cell"):
        found.append((_PLAIN, f"{cell['memoryMb']}MB pid {cell['pid']}"))
        if not short:
            found.append((_PLAIN, f"sessions {cell['sessions']}, clients started {cell['starts']}"))
        if cell["retiring"]:
            found.append((_WARN, f"retiring: {_clean(cell['retiring'])}"))
    if node["lastExit"]:
        shade = _BAD if node["state"] in _BAD_STATES else _DIM
        text = _clean(node["lastExit"])
        if short and text.startswith("error (") and text.endswith(")"):
            text = text[7:-1]
        found.append((shade, text if short else f"last exit: {text}"))
    parts: list[Part] = []
    for each in found:
        parts += [(_DIM, " · "), each] if parts else [each]
    return parts


def _detail(node: Json, told: Json | None, now: datetime, width: int) -> list[list[Part]]:
    """The lines of an opened node."""
    if told is None:
        return [[(_DIM, "asking …")]]
    lines: list[list[Part]] = [
        [(_DIM, line)] for line in textwrap.wrap(_settings(told["settings"]), max(20, width))
    ]
    if told["traceback"]:
        lines += [[(_BAD, "last exit:")], *([(_PLAIN, _clean(line))] for line in told["traceback"])]
    tasks = told.get("tasks") or []
    if node["message"] and tasks:
        age = round(_age(node["messageSince"], now).total_seconds())
        lines.append(
            [(_WARN, f"{_clean(node['message'])} has been in hand for {max(0, age)} s; it stands at")]
        )
        lines += [[(_PLAIN, f"  {_clean(frame)}")] for frame in _handler(tasks[0]["stack"])]
        tasks = tasks[1:]
    if tasks:
        lines.append([(_DIM, "tasks, and where they are:")])
    for task in tasks:
        frames = [frame for frame in task["stack"] if not frame.startswith("_")] or task["stack"] or ["?"]
        lines.append([(_DIM, f"  {_clean(task['name'])}: {_clean(frames[-1])}")])
    return lines


def _handler(stack: list[str]) -> list[str]:
    """The frames of the handler alone, without those that lead to it in every actor."""
    below = [index for index, frame in enumerate(stack) if frame.endswith(" _converse")]
    return stack[below[-1] + 1 :] if below else stack


def _settings(settings: Json) -> str:
    """`restart permanent, shutdown 5 s, …`."""
    said = []
    if "restart" in settings:
        said.append(f"restart {settings['restart']}")
        stop = settings["shutdown"]
        said.append("shutdown as long as it takes" if stop is None else f"shutdown {stop:g} s")
    if backoff := settings.get("backoff"):
        most = backoff["maxFailures"]
        ends = "for ever" if most is None else f"then {backoff['onExhausted'].replace('_', ' ')} after {most}"
        said.append(f"back-off {backoff['min']:g} to {backoff['max']:g} s by {backoff['factor']:g}, {ends}")
    if mailbox := settings.get("mailbox"):
        said.append(f"mailbox {mailbox['capacity']}, {mailbox['overflow'].replace('_', ' ')}")
    if "strategy" in settings:
        said.append(
            f"{settings['strategy']}, {settings['intensity']} restarts in {settings['period']:g} s borne"
        )
    return ", ".join(said)


def _age(since: str | None, now: datetime) -> timedelta:
    return timedelta() if since is None else now - datetime.fromisoformat(since)


def _clean(text: str) -> str:
    """The text with nothing in it that a terminal would obey."""
    return _UNSAFE.sub("�", text)


def _drawn(parts: Iterable[Part], columns: int, colour: bool, *, chosen: bool = False) -> str:
    """A line no wider than the screen; the chosen one is as wide, and has a colour behind it."""
    left = columns
    drawn = []
    for shade, text in parts:
        cut = text if len(text) <= left else f"{text[: max(0, left - 1)]}…" if left else ""
        left -= len(cut)
        if cut and colour:
            drawn.append(f"\033[0;{shade}{_CHOSEN if chosen else ''}m{cut}\033[0m")
        else:
            drawn.append(cut)
    if chosen:
        drawn.append(f"\033[0{_CHOSEN}m{' ' * left}\033[0m" if colour else "")
    return "".join(drawn)
