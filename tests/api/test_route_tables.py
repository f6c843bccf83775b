"""The tables of routes in the documentation are those of the routes there are. UPDATE_DOCS=1 writes them."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import api.app  # noqa: F401 - every route is declared by now
from api.openapi import _path
from api.operation import OPERATIONS, At, Operation

DOCS = Path(__file__).parents[2] / "docs"


def every_route() -> Iterator[str]:
    """Tables of all routes, by tag."""
    for tag in sorted({each.tag for each in OPERATIONS}):
        yield f"### {tag}\n"
        yield "| | | scope | |"
        yield "| --- | --- | --- | --- |"
        for each in sorted((one for one in OPERATIONS if one.tag == tag), key=_place):
            state = "done" if each.lacks is None else f"not possible: {each.lacks}"
            yield f"| {_route(each)} | {_summary(each)} | {_scope(each)} | {state} |"
        yield ""


def impossible_routes() -> Iterator[str]:
    """A table of the routes that always answer 501, and why."""
    yield "| | | why |"
    yield "| --- | --- | --- |"
    for each in sorted((one for one in OPERATIONS if one.lacks is not None), key=_place):
        yield f"| {_route(each)} | {_summary(each)} | {each.lacks} |"


@pytest.mark.parametrize(
    ("page", "name", "lines"),
    [("api.md", "operations", every_route), ("limits.md", "impossible", impossible_routes)],
)
def test_a_table_of_routes_is_up_to_date(page: str, name: str, lines: Callable[[], Iterator[str]]) -> None:
    path = DOCS / page
    written = path.read_text()
    table = "\n".join(lines()).strip()
    marked = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    wanted = re.sub(marked, lambda marks: f"{marks[1]}\n{table}\n\n{marks[2]}", written, flags=re.DOTALL)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(wanted)
    assert table in wanted, f"{page} has its marks"
    assert wanted == path.read_text(), f"{page} is to be written anew: UPDATE_DOCS=1"


def _place(declared: Operation) -> tuple[str, str]:
    return _path(declared.rules[0]), declared.method


def _route(declared: Operation) -> str:
    return f"`{declared.method} {_path(declared.rules[0])}`"


def _summary(declared: Operation) -> str:
    return " ".join(declared.about.partition("\n\n")[0].split()).removesuffix(".").replace("|", "\\|")


def _scope(declared: Operation) -> str:
    if declared.scope is None:
        return "none asked" if declared.at is At.ROOT else "any key"
    return f"`{declared.scope}`"
