"""The program itself: Python, and the packages at the versions of the lock file."""

import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from api.doctor.finding import Finding, ok, problem

OLDEST = (3, 11)

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(\[(?P<extras>[^]]*)\])?[^;]*(;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra == ["']([^"']+)["']""")


def python() -> Iterator[Finding]:
    """Whether this Python is new enough."""
    if sys.version_info >= OLDEST:
        yield ok("python", f"{platform.python_version()} at {sys.executable}")
    else:
        oldest = ".".join(map(str, OLDEST))
        yield problem(
            "python",
            f"{platform.python_version()} is older than {oldest}",
            f"install Python {oldest} or newer, or name one in TERZETTO_PYTHON",
        )


def packages(root: Path) -> Iterator[Finding]:
    """Whether all that pyproject.toml asks for to run is here, and at no version but the locked one."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    locked = _locked((root / "requirements.lock").read_text().splitlines())
    here = {name: version for name in locked if (version := _version(name))}
    missing = sorted(_missing(project["project"]["dependencies"]))
    other = [
        f"{name} {version} for {locked[name]}" for name, version in here.items() if version != locked[name]
    ]
    remedy = "remove .venv, and ./terzetto makes it anew; an image has to be built anew"
    if missing:
        yield problem("packages", f"missing: {_some(missing)}", remedy)
    if other:
        yield problem("packages", f"not as in requirements.lock: {_some(other)}", remedy)
    if not missing and not other:
        yield ok("packages", f"{len(here)} as in requirements.lock")


def _locked(lines: Iterable[str]) -> dict[str, str]:
    """The version of each package in a lock file."""
    pairs = (line.partition(";")[0].partition("==") for line in lines if "==" in line and line[0] != "#")
    return {_plain(name): version.strip() for name, _, version in pairs}


def _missing(asked: Iterable[str]) -> set[str]:
    """What these requirements need, directly or not, and is not here.

    A requirement under a condition counts where it belongs to an extra that was asked for; other conditions
    are left to who installed.
    """
    missing: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo = [(text, "") for text in asked]
    while todo:
        text, given = todo.pop()
        if (parts := _REQUIREMENT.match(text)) is None:
            continue
        if marker := parts["marker"]:
            extra = _EXTRA.search(marker)
            if extra is None or extra[1] != given:
                continue
        name = _plain(parts["name"])
        if _version(name) is None:
            missing.add(name)
            continue
        for extra_ in ("", *((parts["extras"] or "").replace(" ", "").split(","))):
            if (name, extra_) not in seen:
                seen.add((name, extra_))
                todo += [(needed, extra_) for needed in metadata.requires(name) or ()]
    return missing


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _some(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
