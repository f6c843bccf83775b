"""The version, which is written in pyproject.toml alone."""

import tomllib
from pathlib import Path


def version() -> str:
    """Such as `0.1.0`."""
    with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
