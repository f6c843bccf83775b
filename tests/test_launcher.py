"""The launcher: makes its environment once, completely or not at all, and hands over from anywhere.

It runs here on a project of its own that needs one package, which lies on this disk.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import json, sys, tiny
print(json.dumps({"argv": sys.argv[1:], "prefix": sys.prefix, "tiny": tiny.VERSION, "api": __spec__.origin}))
sys.exit(7 if "fail" in sys.argv else 0)
"""


def wheel(folder: Path, version: str) -> None:
    """A package `tiny` that can be installed from `folder`."""
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@frozen
class Project:
    """A checkout with the launcher in it."""

    root: Path
    packages: Path

    def lock(self, version: str) -> None:
        (self.root / "requirements.lock").write_text(f"# exact\ntiny=={version}\n")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.packages.as_uri(),
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": str(self.packages),
            "TERZETTO_PYTHON": sys.executable,
        }

    def start(self, *arguments: str, launcher: Path | None = None, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [launcher or self.root / "terzetto", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **{"env": self.environment} | more,
        )

    def run(self, *arguments: str, **more: Any) -> tuple[int, str, str]:
        process = self.start(*arguments, **more)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors


def project_in(folder: Path) -> Project:
    """A new checkout, in a folder whose name has a space and a quote."""
    project = Project(folder / "it's here", folder / "packages")
    (project.root / "api").mkdir(parents=True)
    project.packages.mkdir()
    shutil.copy2(ROOT / "terzetto", project.root)
    shutil.copy2(ROOT / "api" / "environment.py", project.root / "api")
    (project.root / "api" / "__init__.py").touch()
    (project.root / "api" / "__main__.py").write_text(PROGRAM)
    for version in ("1.0", "2.0"):
        wheel(project.packages, version)
    project.lock("1.0")
    return project


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout that has been started once."""
    project = project_in(tmp_path_factory.mktemp("ready"))
    code, output, errors = project.run("a b", "--c")
    assert code == 0, errors
    assert json.loads(output) == {
        "argv": ["a b", "--c"],
        "prefix": str(project.root / ".venv"),
        "tiny": "1.0",
        "api": str(project.root / "api" / "__main__.py"),
    }
    assert "setting up .venv" in errors
    assert "ready after" in errors
    return project


def test_the_launcher_can_be_run() -> None:
    assert os.access(ROOT / "terzetto", os.X_OK)


def test_a_second_start_sets_nothing_up_and_costs_little(ready: Project) -> None:
    def fastest(*command: str | Path) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(command, cwd=ready.root, env=environment, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - began)
        return min(times)

    environment = ready.environment | {"PYTHONPATH": str(ready.root)}
    assert ready.run()[2] == ""
    launched = fastest(ready.root / "terzetto")
    bare = fastest(ready.root / ".venv" / "bin" / "python", "-m", "api")
    assert launched - bare < 0.2


def test_the_programs_exit_code_is_the_launchers(ready: Project) -> None:
    assert ready.run("fail")[0] == 7


def test_it_runs_from_any_directory_and_through_links(ready: Project, tmp_path: Path) -> None:
    (tmp_path / "api.py").write_text("raise SystemExit('this is not ours')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "far").symlink_to(ready.root)
    (tmp_path / "bin" / "first").symlink_to("../far/terzetto")
    (tmp_path / "second").symlink_to(tmp_path / "bin" / "first")
    code, output, errors = ready.run(launcher=tmp_path / "second", cwd=tmp_path)
    assert code == 0, errors
    assert json.loads(output)["api"] == str(ready.root / "api" / "__main__.py")


def test_the_environments_scripts_run_it(ready: Project) -> None:
    pip = ready.root / ".venv" / "bin" / "pip"
    if pip.exists():  # uv makes environments without it
        shown = subprocess.run([pip, "--version"], capture_output=True, text=True, check=True).stdout
        assert str(ready.root / ".venv") in shown


def test_a_changed_lock_file_makes_it_anew_and_a_failure_leaves_it_as_it_was(ready: Project) -> None:
    ready.lock("3.0")
    code, output, errors = ready.run()
    assert (code, output) == (1, "")
    assert "setting up .venv failed:" in errors
    assert "tiny==3.0" in errors
    ready.lock("1.0")
    assert json.loads(ready.run()[1])["tiny"] == "1.0"
    ready.lock("2.0")
    assert json.loads(ready.run()[1])["tiny"] == "2.0"
    assert sorted(path.name for path in ready.root.iterdir() if path.name.startswith(".venv")) == [".venv"]


def test_two_at_once_after_one_was_killed_make_it_once(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    victim = project.start(start_new_session=True)
    while not (project.root / ".venv.new").exists():
        assert victim.poll() is None
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert not (project.root / ".venv").exists()

    both = [project.start(), project.start()]
    results = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, code in results] == [0, 0]
    assert [json.loads(output)["tiny"] for (output, _), _ in results] == ["1.0", "1.0"]
    said = "".join(errors for (_, errors), _ in results)
    assert said.count("setting up .venv with") == 1
    assert said.count("waiting for it") <= 1


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    project = project_in(tmp_path / "project")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("dirname", "readlink", "cmp"):
        (programs / name).symlink_to(shutil.which(name) or name)
    old = programs / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit\nexit 1\n')
    old.chmod(0o755)
    code, _, errors = project.run(env={"PATH": str(programs)})
    assert code == 1
    assert errors == (
        "terzetto: needs Python 3.11 or newer, found Python 3.9.2; name one in TERZETTO_PYTHON\n"
    )
