"""A password set anew by the command line, as its user types it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from api.running import Running, leave
from tests.api.stage import ADMIN_KEY, PASSWORD, Stage
from tests.api.test_users import may_sign_in

ROOT = Path(__file__).parents[2]
NEW = "another battery horse"


async def ran(stage: Stage, data: Path, *arguments: str, said: str) -> "subprocess.CompletedProcess[str]":
    """Run the command on what this gateway has left, with something said to it."""
    leave(data / "gateway.json", Running(str(stage.client.base_url), ADMIN_KEY))
    command = [sys.executable, "-m", "api", "password", "--data", str(data), *arguments]

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, cwd=ROOT, input=said, capture_output=True, text=True, check=False)

    return await trio.to_thread.run_sync(run)


async def test_a_password_is_taken_from_a_pipe(stage: Stage, tmp_path: Path) -> None:
    await stage.user("admin")
    async with stage.browser("admin") as browser:
        ended = await ran(stage, tmp_path, said=f"{NEW}\nand more")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "admin has a new password" in ended.stdout
        assert NEW not in ended.stdout
        assert (await browser.get("/api/me")).json()["code"] == "sign_in_expired"
    assert await may_sign_in(stage, "admin", NEW)
    assert not await may_sign_in(stage, "admin", PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "said", "told"),
    [
        (("--user", "nobody"), NEW, "there is no user nobody; there are: admin, Eva"),
        (("--user", "eva"), "short", "a password has 10 to 256 characters"),
        (("--user", "eva"), "", "a password has 10 to 256 characters"),
    ],
)
async def test_what_cannot_be_set_is_told_in_a_line(
    stage: Stage, tmp_path: Path, arguments: tuple[str, ...], said: str, told: str
) -> None:
    await stage.user("admin")
    await stage.user("Eva", "operator")
    ended = await ran(stage, tmp_path, *arguments, said=said)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"terzetto: {told}\n")
    assert await may_sign_in(stage, "eva")


@pytest.mark.parametrize(("again", "code"), [(NEW, 0), ("another", 1)])
async def test_at_a_terminal_it_is_typed_twice_and_not_shown(
    stage: Stage, tmp_path: Path, again: str, code: int
) -> None:
    await stage.user("admin")
    leave(tmp_path / "gateway.json", Running(str(stage.client.base_url), ADMIN_KEY))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "api", "password", "--data", str(tmp_path)]

    def run() -> tuple[int, bytes]:
        # In a session of its own it has no terminal but this one.
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        shown = b""
        for asked, typed in ((b"New password of admin: ", NEW), (b"Once more: ", again)):
            while not shown.endswith(asked):
                shown += os.read(ours, 1024)
            os.write(ours, f"{typed}\n".encode())
        try:
            while more := os.read(ours, 1024):
                shown += more
        except OSError:  # it has ended
            pass
        return process.wait(), shown

    with trio.fail_after(60):
        ended, shown = await trio.to_thread.run_sync(run)
    os.close(ours)
    assert ended == code, shown
    assert NEW.encode() not in shown
    assert await may_sign_in(stage, "admin", NEW) is (code == 0)
