"""A database of its own for each test, and an API over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.stage import Stage, running_api
from tests.storage.conftest import admin, database, gateway, migrated, server

__all__ = ["admin", "database", "gateway", "migrated", "server"]


@pytest.fixture
async def stage(database: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with running_api(database, tmp_path) as running:
        yield running
