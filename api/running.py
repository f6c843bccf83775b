"""Where a running gateway is: the file it leaves in its data directory, and how commands find and ask it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from attrs import field, frozen

_NAMES = ("gateway.json", "sandbox.json")


class NotRunningError(Exception):
    """No gateway answers there, or not to this key; the text is for the user."""


class NoAnswerError(NotRunningError):
    """Nothing answers there, not even with a refusal."""


@frozen
class Account:
    """A user's name and password."""

    name: str
    password: str = field(repr=False)


@frozen
class Running:
    """A gateway's address (`http://127.0.0.1:8080`), its admin key, and whom to sign in as there if known."""

    url: str
    admin_key: str = field(repr=False)
    user: Account | None = None


def leave(file: Path, running: Running, **more: Any) -> None:
    """Write the file, for none but its owner to read; `more` goes into it beside url, adminKey and user."""
    known: dict[str, Any] = {"url": running.url, "adminKey": running.admin_key}
    if running.user is not None:
        known["user"] = {"name": running.user.name, "password": running.user.password}
    content = json.dumps({**known, **more}, indent=2)
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content + "\n")
    new.replace(file)


def find(directories: Iterable[Path]) -> Running:
    """The gateway that left its file last in one of these. Raises NotRunningError when none did."""
    directories = list(directories)
    files = [file for directory in directories for name in _NAMES if (file := directory / name).is_file()]
    if not files:
        places = " or ".join(str(directory) for directory in directories)
        raise NotRunningError(f"no gateway has left its address in {places}; say which with --data or --url")
    newest = max(files, key=lambda file: file.stat().st_mtime)
    try:
        content = json.loads(newest.read_text())
        return Running(content["url"], content["adminKey"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotRunningError(f"{newest} cannot be read: {error}") from None


def ask(running: Running, method: str, path: str, body: Any = None) -> Any:
    """The JSON that a gateway answers at `path`. Raises NotRunningError."""
    url, headers = f"{running.url.rstrip('/')}{path}", {"x-api-key": running.admin_key}
    try:
        answer = httpx.request(method, url, headers=headers, json=body, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswerError(f"no gateway answers at {running.url}: {error}") from None
    if answer.is_success:
        return answer.json()
    raise NotRunningError(refusal(running, answer.status_code, answer.content))


def refusal(running: Running, status: int, body: bytes | None) -> str:
    """A refused request in a line for the user: `http://… answered 401: key_missing: …`."""
    try:
        problem = json.loads(body or b"")
        reason = ": ".join(str(problem[key]) for key in ("code", "detail") if problem.get(key))
    except (ValueError, AttributeError):
        reason = ""
    return f"{running.url} answered {status}" + (f": {reason}" if reason else "")
