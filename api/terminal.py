"""A whole terminal for one program: its second screen, keys as they are pressed, its size.

Whatever way the program goes, by an exception or a signal, `screen` puts the terminal back as it was. So does
Ctrl-Z, for as long as the program is stopped.
"""

import os
import re
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field

_ENTER = "\033[?1049h\033[?25l\033[?7l"  # the second screen, no cursor, long lines are cut
_LEAVE = "\033[?7h\033[?25h\033[?1049l"
_BEGIN, _END = "\033[?2026h", "\033[?2026l"  # shown at once, where the terminal can
_KEY = re.compile(r"\033[\[O]([0-9;]*)([A-Za-z~])|\033|[^\033]", re.DOTALL)
_NAMES = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "4~": "end",
    "5~": "page up",
    "6~": "page down",
    "\r": "enter",
    "\n": "enter",
    " ": "space",
    "\033": "escape",
}
_ENDS = (signal.SIGTERM, signal.SIGHUP)


@define(eq=False)
class Screen:
    """The terminal while it is ours."""

    _typed: int | None
    _shows: int
    _before: list[Any] | None = field(default=None, init=False)
    _shown: bool = field(default=False, init=False)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""
        size = os.get_terminal_size(self._shows)
        return size.columns or 80, size.lines or 24

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, which must fit, from the top."""
        # Each line is cleared before it is written: after a full one the cursor stands on its last character.
        body = "\r\n".join(f"\033[2K{line}" for line in lines)
        self._write(f"{_BEGIN}\033[H{body}\033[0J{_END}")

    async def keys(self) -> AsyncIterator[str]:
        """Keys by name, or the character typed; none at all where there is nothing to type on."""
        if self._typed is None:
            await trio.sleep_forever()
        while True:
            await trio.lowlevel.wait_readable(self._typed)
            data = os.read(self._typed, 1024)
            if not data:
                return
            for key in names_of(data.decode(errors="replace")):
                yield key

    def enter(self) -> None:
        """Take the terminal."""
        if self._typed is not None:
            self._before = termios.tcgetattr(self._typed)
            tty.setcbreak(self._typed)
        self._shown = True
        self._write(_ENTER)

    def leave(self) -> None:
        """Give it back; again, it does nothing."""
        if self._shown:
            self._shown = False
            self._write(_LEAVE)
        if self._typed is not None and self._before is not None:
            termios.tcsetattr(self._typed, termios.TCSADRAIN, self._before)
            self._before = None

    def _write(self, text: str) -> None:
        data = text.encode(errors="replace")
        while data:
            data = data[os.write(self._shows, data) :]


@asynccontextmanager
async def screen(redraw: Callable[[], None]) -> AsyncIterator[Screen]:
    """Have the terminal while the block lasts; `redraw` is called when what it shows is lost or does not fit.

    SIGTERM and SIGHUP end the block by SystemExit, with the exit code that a shell gives to them.
    """
    shown = Screen(_keyboard(), sys.stdout.fileno())
    with trio.open_signal_receiver(signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT, *_ENDS) as signals:
        try:
            shown.enter()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, signals, shown, redraw)
                yield shown
                nursery.cancel_scope.cancel()
        finally:
            shown.leave()


async def _watch(signals: AsyncIterator[int], shown: Screen, redraw: Callable[[], None]) -> None:
    async for number in signals:
        if number in _ENDS:
            raise SystemExit(128 + number)
        if number == signal.SIGTSTP:
            shown.leave()
            os.kill(os.getpid(), signal.SIGSTOP)  # and here it goes on when it is continued
            shown.enter()
        redraw()


def names_of(typed: str) -> Iterator[str]:
    """The keys that were typed: `up`, `page down`, `enter`, `q`; what has no name here is left out."""
    for found in _KEY.finditer(typed):
        whole, number, letter = found[0], found[1], found[2]
        if letter:
            name = _NAMES.get(f"{number}~" if letter == "~" else letter)
        else:
            name = _NAMES.get(whole, whole if whole.isprintable() else None)
        if name is not None:
            yield name


def _keyboard() -> int | None:
    """Where keys come from: standard input, if that is a terminal."""
    return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
