"""A user's password set anew at a running gateway, by who runs it and has its admin key."""

import getpass
import sys

from actors.passwords import LEAST, MOST
from api.running import Running, ask


class NotSetError(Exception):
    """The password stays what it was; the text is for the user."""


def set_anew(running: Running, name: str) -> None:
    """Ask for a password, twice at a terminal, else for a line, and give it to the user of this name.

    Raises NotSetError, NotRunningError.
    """
    users = ask(running, "GET", "/api/users")["users"]
    user = next((each for each in users if each["name"].lower() == name.lower()), None)
    if user is None:
        others = ", ".join(each["name"] for each in users)
        raise NotSetError(f"there is no user {name}; there are: {others}")
    ask(running, "PATCH", f"/api/users/{user['id']}", {"password": _asked(user["name"])})
    note = "; the user is disabled still" if user["disabled"] else ""
    print(f"terzetto: {user['name']} has a new password, and is signed out everywhere{note}")  # noqa: T201


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        password = getpass.getpass(f"New password of {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise NotSetError("these are not the same")
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if not LEAST <= len(password) <= MOST:
        raise NotSetError(f"a password has {LEAST} to {MOST} characters")
    return password
