"""The example in docs/runtime.md runs, and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "runtime.md"


def test_the_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    program, output = found.groups()
    exec(compile(program, PAGE, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == output
