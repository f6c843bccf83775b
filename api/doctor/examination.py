"""All that is looked at, in the order in which one thing needs the other, and how it is told."""
# ruff: noqa: PLC0415, T201

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from api.doctor import directory, installation
from api.doctor.finding import Finding, Level, ok, problem

if TYPE_CHECKING:
    from api.config import Config

ROOT = Path(__file__).resolve().parents[2]


def examine(read: "Callable[[], Config | str]", data: Path, *, offline: bool) -> Iterator[Finding]:
    """Look at everything, and give each finding when it is made.

    `read` gives the configuration, or what is wrong with it. With `offline` nothing but the database is
    connected to.
    """
    yield from installation.python()
    packages = list(installation.packages(ROOT))
    yield from packages
    if any(each.level is Level.PROBLEM for each in packages):
        return  # the rest needs them
    yield from directory.check(data)

    from api.doctor import database, machine, occupancy, whatsapp

    yield from machine.files()
    configuration = read()
    if isinstance(configuration, str):
        for line in configuration.splitlines():
            yield problem("config", line, "correct it; what depends on it was not looked at")
        return
    yield ok("config", "every key is known and makes sense")
    yield from machine.memory(configuration)
    occupied = occupancy.occupied(data)
    yield from occupancy.gateway(data, occupied=occupied)
    yield from occupancy.port(configuration, occupied=occupied)
    yield from database.check(configuration, data, occupied=occupied)
    if not offline:
        yield from whatsapp.check(configuration.whatsapp)


def report(findings: Iterator[Finding], *, as_json: bool) -> int:
    """Print what is found; 1 if there is a problem, else 0."""
    found = []
    for each in findings:
        found.append(each)
        if not as_json:
            print(line(each), flush=True)
    healthy = all(each.level is not Level.PROBLEM for each in found)
    if as_json:
        print(json.dumps({"ok": healthy, "findings": [attrs.asdict(each) for each in found]}, indent=2))
    return 0 if healthy else 1


def line(finding: Finding) -> str:
    """`warning  files       only 1024 may be open → ulimit -n 65536; …`."""
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:8} {finding.check:11} {finding.text}{remedy}"
