"""Imports go one way: runtime <- storage <- actors <- api, with loopback apart."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "runtime": set[str](),
    "storage": {"runtime"},
    "actors": {"runtime", "storage"},
    "api": {"runtime", "storage", "actors", "loopback"},
    "loopback": set[str](),
}
# Parts of the composition root that may know the loopback network.
MAY_KNOW_LOOPBACK = {"sandbox", "demo"}


def imported(source: str) -> Iterator[str]:
    """The absolute names that a module imports, wherever in it; a relative import stays within its layer."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def modules(layer: str) -> list[Path]:
    """The files of one layer."""
    return sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_those_below_it(layer: str) -> None:
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[layer] - {layer} | {"tests", "bench"}
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(layer)
        for name in imported(file.read_text())
        if name.partition(".")[0] in forbidden
    ]
    assert wrong == []


def test_nothing_in_the_api_but_the_sandbox_and_the_demo_knows_the_loopback_network() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules("api")
        if not MAY_KNOW_LOOPBACK & {file.stem, file.parent.name}
        for name in imported(file.read_text())
        if name.partition(".")[0] == "loopback"
    ]
    assert wrong == []


def test_the_runtime_needs_trio_and_attrs_alone() -> None:
    allowed = set(sys.stdlib_module_names) | {"runtime", "trio", "attrs", "outcome"}
    foreign = {
        name.partition(".")[0] for file in modules("runtime") for name in imported(file.read_text())
    } - allowed
    assert foreign == set()


def test_what_sets_the_environment_up_needs_nothing_but_python() -> None:
    names = imported((ROOT / "api" / "environment.py").read_text())
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
