"""Files in the database: whole or not at all, read in any range, gone when their time is over."""

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.lowlevel

from storage import (
    BadQuery,
    Delete,
    Insert,
    Message,
    MessageStatus,
    Pool,
    Session,
    StoreMessage,
    WriteRefused,
)
from storage.media import PART, MediaFile, MediaSource, MediaStore
from tests.storage.gateway import Gateway

AT = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
async def store(gateway: Gateway) -> AsyncIterator[MediaStore]:
    await gateway.session()
    pool = Pool(gateway.dsn, 2, name="media", writable=True)
    yield MediaStore(pool)
    pool.close()


def file(data: bytes, **more: Any) -> MediaFile:
    fields: dict[str, Any] = {
        "session_id": "s1",
        "sha256": hashlib.sha256(data).digest(),
        "mime_type": "image/png",
        "size": len(data),
        "source": MediaSource.UPLOAD,
    }
    return MediaFile(**fields | more)


async def put(store: MediaStore, data: bytes = b"data", **more: Any) -> MediaFile:
    made = file(data, **more)
    await store.put(made, data)
    return made


async def rows(gateway: Gateway, table: str) -> int:
    return await count(gateway, f"SELECT count(*) FROM {table}")


async def count(gateway: Gateway, query: str) -> int:
    pool = Pool(gateway.dsn, 1)
    async with pool.connection() as connection:
        cursor = await connection.execute(query.encode())
        found = await cursor.fetchone()
    pool.close()
    assert found is not None
    return int(found[0])


async def test_what_is_known_of_a_file_is_found_again(store: MediaStore) -> None:
    details = {"width": 640, "waveform": "AAEC"}
    made = await put(store, file_name="a.png", details=details, thumbnail=b"\xff\xd8", expires_at=AT)
    assert await store.get("s1", made.id) == made
    assert await store.get("s2", made.id) is None
    assert await store.get("s1", "med_0") is None
    with pytest.raises(BadQuery):
        await store.get("s1", "a\0b")


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7])
async def test_any_range_of_a_file_of_any_size_is_its_bytes(store: MediaStore, size: int) -> None:
    data = os.urandom(size)
    made = await put(store, data)
    assert await store.content(made) == data
    ranges = ((0, 1), (1, size), (PART - 1, PART + 1), (PART, 2 * PART), (max(0, size - 3), size + 9))
    for start, end in ranges:
        assert b"".join([part async for part in store.read(made, start, end)]) == data[start:end]


async def test_a_part_at_a_time_is_read(store: MediaStore) -> None:
    made = await put(store, bytes(2 * PART + 5))
    assert [len(part) async for part in store.read(made)] == [PART, PART, 5]


async def test_a_file_whose_storing_is_broken_off_leaves_nothing(store: MediaStore, gateway: Gateway) -> None:
    under_way = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'terzetto media' AND backend_xid IS NOT NULL"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, store, bytes(400 * PART))
        while not await count(gateway, under_way):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert (await rows(gateway, "media"), await rows(gateway, "media_parts")) == (0, 0)
    await put(store)
    assert await rows(gateway, "media_parts") == 1


async def test_a_file_of_no_session_is_refused(store: MediaStore) -> None:
    with pytest.raises(WriteRefused) as refused:
        await put(store, session_id="nobody")
    assert refused.value.reason == "unknown_session"


async def test_files_go_with_their_session_and_by_themselves(store: MediaStore, gateway: Gateway) -> None:
    await gateway.writer.call(Insert(Session(id="s2", name="s2")))
    one = await put(store, bytes(3 * PART))
    await put(store, session_id="s2")
    assert not await store.delete("s2", one.id)
    assert await store.delete("s1", one.id)
    assert not await store.delete("s1", one.id)
    with pytest.raises(LookupError):
        await store.content(one)
    assert await rows(gateway, "media_parts") == 1
    await gateway.writer.call(Delete(Session, "s2"))
    assert await rows(gateway, "media_parts") == 0


async def test_files_are_listed_newest_first_a_page_at_a_time(store: MediaStore) -> None:
    ids = [(await put(store, b"%d" % number)).id for number in range(5)]
    first = await store.listing("s1", limit=3)
    assert [each.id for each in first.items] == ids[:1:-1]
    assert first.cursor is not None
    rest = await store.listing("s1", cursor=first.cursor, limit=3)
    assert ([each.id for each in rest.items], rest.cursor) == (ids[1::-1], None)
    assert (await store.listing("s2")).items == []


async def test_the_sweep_takes_what_is_over_save_what_a_message_waits_for(
    store: MediaStore, gateway: Gateway
) -> None:
    kept = await put(store)
    later = await put(store, expires_at=AT + timedelta(seconds=1))
    over = [await put(store, expires_at=AT - timedelta(days=n)) for n in range(1, 4)]
    wanted = [await put(store, expires_at=AT) for _ in range(3)]
    contents: list[dict[str, Any]] = [
        {"media_id": wanted[0].id},
        {"intent": {"content": {"media_id": wanted[1].id}}},
        {"intent": {"content": {"preview": {"thumbnail": wanted[2].id}}}},
        {"status": MessageStatus.SENT, "media_id": over[0].id},
    ]
    for number, content in enumerate(contents):
        fields: dict[str, Any] = {
            "session_id": "s1",
            "id": f"m{number}",
            "chat": "1@lid",
            "sender": "2@lid",
            "from_me": True,
            "type": "image",
            "status": MessageStatus.QUEUED,
        }
        await gateway.writer.call(StoreMessage(message=Message(**fields | content)))
    assert await store.sweep(AT, limit=2) == 2
    assert await store.get("s1", over[0].id) is not None
    assert await store.sweep(AT + timedelta(seconds=1)) == 1
    assert {each.id for each in (await store.listing("s1")).items} == {
        kept.id,
        later.id,
        *(each.id for each in wanted),
    }
