"""What something died of, as its operator may see it: kinds, places, and words that quote nobody.

What this program, Trio or the system say of an error are facts. The words of any other exception may quote
what it failed on, a message's text or a key, and are left out. Local variables are never shown.
"""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from api.logs import masked
from runtime import Exit

_OURS = frozenset({"runtime", "storage", "actors", "api", "trio"})
_PLAIN = (OSError, AttributeError, NameError, ImportError)
_ROOT = Path(__file__).resolve().parents[1]
_MOST_FRAMES = 40
_MOST_ERRORS = 8
_MOST_CHARACTERS = 300


def in_a_line(exit_: Exit) -> str:
    """`killed`, `error (ValueError)`, `error (CellCrashed: cell-1: killed by SIGKILL)`."""
    return exit_.kind if exit_.cause is None else f"{exit_.kind} ({_said(exit_.cause)})"


def trace_of(error: BaseException) -> list[str]:
    """Its traceback in lines, as Python prints it: what it came from first, each frame with its source."""
    return list(_lines(error, _MOST_ERRORS))


def _lines(error: BaseException, left: int) -> Iterator[str]:
    if left == 0:
        yield "..."
        return
    if error.__cause__ is not None:
        yield from _lines(error.__cause__, left - 1)
        yield from ("", "The above was the direct cause of:", "")
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _lines(error.__context__, left - 1)
        yield from ("", "While that was being handled:", "")
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__, limit=-_MOST_FRAMES):
        yield f"  {_file(frame.filename)}:{frame.lineno} in {frame.name}"
        if frame.line:
            yield f"    {frame.line}"
    yield _said(error)
    if isinstance(error, BaseExceptionGroup):
        for number, each in enumerate(error.exceptions[:_MOST_ERRORS], 1):
            yield f"  --- {number} of {len(error.exceptions)} ---"
            yield from (f"  {line}" for line in _lines(each, left - 1))


def _said(error: BaseException) -> str:
    """Its kind, and its words where they are known to be harmless, in one line."""
    kind = type(error)
    known = kind.__module__.partition(".")[0] in _OURS or isinstance(error, _PLAIN)
    words = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(error)).strip() if known else ""
    if len(words) > _MOST_CHARACTERS:
        words = words[: _MOST_CHARACTERS - 1] + "…"
    return f"{kind.__name__}: {masked(words)}" if words else kind.__name__


def _file(name: str) -> str:
    """The file as it is called in this program, or in the package that it is of."""
    path = Path(name)
    if "site-packages" in path.parts:
        return str(Path(*path.parts[path.parts.index("site-packages") + 1 :]))
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
