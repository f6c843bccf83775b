"""Makes `.venv` from the lock file: complete or not at all, one process at a time, with Python alone.

The launcher runs this with the system's Python when `.venv` is missing or its copy of the lock file differs.
The environment is built beside the old one and takes its place when complete, so a set-up that is interrupted
or fails leaves things as they were. Whoever comes second waits for the first and uses what it made.
"""

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = "requirements.lock"


class SetupError(Exception):
    """The environment could not be made; the text is for the user."""


def up_to_date(venv: Path, lock_file: Path) -> bool:
    """Whether `venv` is complete and was made from this lock file."""
    python, stamp = venv / "bin" / "python", venv / LOCK_FILE
    return python.exists() and stamp.exists() and filecmp.cmp(stamp, lock_file, shallow=False)


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Hold the right to set up; the system gives it back when its holder dies, however that happens."""
    held = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is setting up .venv; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def build(venv: Path, lock_file: Path) -> None:
    """Make a new environment in `venv` with every package of the lock file."""
    python = str(venv / "bin" / "python")
    install = ["--no-deps", "--requirement", str(lock_file)]
    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(venv)])
        run([uv, "pip", "install", "--python", python, *install])
        return
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian packs it apart from Python
    except ImportError:
        raise SetupError(
            f"{sys.executable} cannot make environments: install its venv package "
            "(on Debian and Ubuntu: apt install python3-venv), or uv"
        ) from None
    run([sys.executable, "-m", "venv", str(venv)])
    run([python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *install])


def run(command: list[str]) -> None:
    """Run one step and show where it is; raises SetupError with the end of what it printed."""
    terminal = sys.stderr.isatty()
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if terminal and line.startswith("Collecting "):
                sys.stderr.write(f"\r\033[Kterzetto: fetching {line.split()[1]}")
            elif terminal and line.startswith("Installing "):
                sys.stderr.write("\r\033[Kterzetto: installing")
    if terminal:
        sys.stderr.write("\r\033[K")
    if process.returncode != 0:
        raise SetupError("\n".join(["setting up .venv failed:", *lines[-15:]]))


def move(built: Path, venv: Path) -> None:
    """Put a new environment in the old one's place, and its own path into its scripts."""
    for script in (built / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if str(built).encode() in content and b"\0" not in content:
            script.write_bytes(content.replace(str(built).encode(), str(venv).encode()))
    old = venv.with_name(".venv.old")
    shutil.rmtree(old, ignore_errors=True)
    if venv.exists():
        venv.rename(old)
    built.rename(venv)
    shutil.rmtree(old, ignore_errors=True)


def make(root: Path) -> None:
    """Bring `root/.venv` in step with `root/requirements.lock`. Raises SetupError."""
    venv, lock_file = root / ".venv", root / LOCK_FILE
    with only_one(root):
        if up_to_date(venv, lock_file):
            return
        began = time.monotonic()
        version = sys.version.split()[0]
        say(f"setting up .venv with Python {version}; this is done once and takes a minute or two")
        built = venv.with_name(".venv.new")
        shutil.rmtree(built, ignore_errors=True)
        wanted = lock_file.read_bytes()
        build(built, lock_file)
        (built / LOCK_FILE).write_bytes(wanted)
        move(built, venv)
        say(f"ready after {time.monotonic() - began:.0f} s")


def say(text: str) -> None:
    """Tell the user; standard output is the command's own."""
    print(f"terzetto: {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        make(Path(sys.argv[1]))
    except (SetupError, OSError) as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next start begins again")
        sys.exit(130)
