"""What the doctor found: of one thing, how bad it is, and what to do about it."""

from enum import StrEnum

from attrs import frozen


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it runs, but not well, or not for long
    PROBLEM = "problem"  # it does not run, or loses something


@frozen
class Finding:
    """One thing looked at. `text` and `remedy` are one line each, without secrets."""

    check: str
    level: Level
    text: str
    remedy: str = ""
    """What to do; empty where nothing needs to be done."""


def ok(check: str, text: str) -> Finding:
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, Level.WARNING, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, Level.PROBLEM, text, remedy)
