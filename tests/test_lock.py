"""The lock file: complete, exact, in step with pyproject.toml, and naming no place."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
]
LOCKED = {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, LINES)}


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, to run and to test."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [
        Requirement(text)
        for text in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    ]


def version(name: NormalizedName) -> str:
    """The version that is locked."""
    (specifier,) = LOCKED[name].specifier
    assert specifier.operator == "=="
    return specifier.version


def reached() -> dict[NormalizedName, Requirement]:
    """Every package that those of pyproject.toml need here, directly or not, as the installed ones say."""
    found: dict[NormalizedName, Requirement] = {}
    todo = [(requirement, "") for requirement in wanted()]
    seen: set[tuple[NormalizedName, str]] = set()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        assert name in LOCKED, f"{name} is not in requirements.lock"
        assert version(name) in requirement.specifier, f"{requirement} is asked for, {version(name)} locked"
        found[name] = requirement
        for wanted_extra in {"", *requirement.extras}:
            if (name, wanted_extra) not in seen:
                seen.add((name, wanted_extra))
                needs = metadata.requires(name) or []
                todo += [(Requirement(text), wanted_extra) for text in needs]
    return found


def test_each_line_is_a_name_and_an_exact_version() -> None:
    line = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^/@]+)?")
    assert [text for text in LINES if not line.fullmatch(text)] == []
    assert len(LOCKED) == len(LINES)


def test_all_that_is_needed_is_locked_and_nothing_else() -> None:
    assert set(LOCKED) == set(reached())


def test_the_environment_has_what_is_locked() -> None:
    installed = {name: metadata.version(name) for name in LOCKED}
    assert installed == {name: version(name) for name in LOCKED}
