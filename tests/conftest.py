"""What takes longest begins first, so that test processes side by side end at about the same time."""

import os
import signal

import pytest

# A shell lets what it starts in the background ignore SIGINT, as would all that is started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FIRST = ("tests/whole/test_contract", "tests/whole", "tests/browser")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much of the time a test waits for what it started."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((n for n, start in enumerate(_FIRST) if item.nodeid.startswith(start)), 9)
    )
