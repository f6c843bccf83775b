"""What takes longest begins first, so that test processes side by side end at about the same time."""

import pytest

_FIRST = ("tests/whole/test_contract", "tests/whole", "tests/browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((n for n, start in enumerate(_FIRST) if item.nodeid.startswith(start)), 9)
    )
