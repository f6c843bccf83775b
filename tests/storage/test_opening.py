"""Opening a database that runs elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from storage import DatabaseUnavailable, Expiry, Pool, Reads, Storage, open_storage
from storage.media import MediaStore


async def test_an_open_database_is_migrated_and_can_be_read(empty_database: str) -> None:
    async with open_storage(empty_database) as storage:
        assert await storage.reads.last_position() == 0
    with pytest.raises(DatabaseUnavailable):
        await storage.reads.last_position()


async def test_a_database_that_is_not_there_in_time_is_unavailable(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with open_storage(make_conninfo(server, host=str(tmp_path)), patience=0):
            pass


async def test_a_database_may_appear_a_little_later(server: str, empty_database: str, tmp_path: Path) -> None:
    socket = Path(str(conninfo_to_dict(server)["host"]), ".s.PGSQL.5432")

    async def appear() -> None:
        await trio.sleep(0.2)
        (tmp_path / socket.name).symlink_to(socket)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(appear)
        async with open_storage(make_conninfo(empty_database, host=str(tmp_path))) as storage:
            assert await storage.reads.last_position() == 0


def test_a_connection_string_shows_in_no_representation() -> None:

    pool = Pool("password=hunter2")
    assert "hunter2" not in repr(Storage("password=hunter2", Reads(pool), MediaStore(pool), Expiry(pool)))
