"""What is kept for a time only goes when that is over, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from storage import AuditEntry, Expiry, Insert, MessageStatus, Pool, StoreHeard, StoreMessage
from storage.rows import Batch, Claim, Role, SignIn, User, now
from tests.storage.gateway import Gateway
from tests.storage.test_writer import message, outgoing

DAY = timedelta(days=1)
BEFORE = datetime(2026, 6, 1, tzinfo=UTC)
OLD, YOUNG = BEFORE - DAY, BEFORE + DAY


@pytest.fixture
async def expiry(database: str) -> AsyncIterator[Expiry]:
    pool = Pool(database, 1, writable=True)
    yield Expiry(pool)
    pool.close()


async def test_claims_and_audit_entries_go_by_age_so_many_at_once(gateway: Gateway, expiry: Expiry) -> None:
    rows: list[Claim | AuditEntry] = []
    for number, at in enumerate((OLD, OLD, OLD, BEFORE, YOUNG)):
        rows.append(Claim(id=f"c{number}", owner="s1", key=f"k{number}", request=b"", created_at=at))
        rows.append(
            AuditEntry(
                id=f"a{number}",
                at=at,
                key_id="k",
                key_prefix="tz",
                address=None,
                request_id="r",
                action="session.stop",
                target=None,
                outcome="ok",
            )
        )
    await gateway.together(*map(Insert, rows))
    for delete in (expiry.claims, expiry.audit):
        assert [await delete(BEFORE, 2) for _ in range(3)] == [2, 1, 0]
    assert await gateway.reads.claim("s1", "k2") is None
    assert await gateway.reads.claim("s1", "k3") is not None
    assert [entry.id for entry in (await gateway.reads.audit()).items] == ["a4", "a3"]


async def test_sign_ins_go_when_unused_or_when_their_time_is_over(gateway: Gateway, expiry: Expiry) -> None:
    await gateway.writer.call(Insert(User(id="u1", name="ana", password="x", role=Role.ADMIN)))
    ahead = now() + DAY
    for number, (seen, expires) in enumerate(
        ((OLD, ahead), (OLD, ahead), (OLD, ahead), (YOUNG, now() - DAY), (YOUNG, ahead))
    ):
        row = SignIn(
            id=f"s{number}",
            user_id="u1",
            hash=bytes([number]) * 32,
            address=None,
            expires_at=expires,
            last_seen_at=seen,
        )
        await gateway.writer.call(Insert(row))
    assert [await expiry.sign_ins(BEFORE, 3) for _ in range(3)] == [3, 1, 0]
    assert [each.id for each in await gateway.reads.sign_ins("u1")] == ["s4"]


async def test_old_messages_of_every_session_go_save_those_that_wait_or_are_being_sent(
    gateway: Gateway, expiry: Expiry
) -> None:
    for session_id in ("s1", "s2"):
        await gateway.session(session_id)
        for each in (
            message(session_id=session_id, id="old", occurred_at=OLD),
            message(session_id=session_id, id="older", occurred_at=OLD - DAY),
            message(session_id=session_id, id="young", occurred_at=YOUNG),
            outgoing(session_id=session_id, id="sending", occurred_at=OLD),
            outgoing(session_id=session_id, id="queued", occurred_at=OLD, status=MessageStatus.QUEUED),
        ):
            await gateway.writer.call(StoreMessage(message=each))
    assert [await expiry.messages(BEFORE, 3) for _ in range(3)] == [3, 1, 0]
    for session_id in ("s1", "s2"):
        kept = {each.id for each in (await gateway.reads.messages(session_id)).items}
        assert kept == {"young", "sending", "queued"}


async def test_a_row_that_somebody_changes_waits_for_the_next_time(gateway: Gateway, expiry: Expiry) -> None:
    await gateway.session()
    for name in ("a", "b"):
        await gateway.writer.call(StoreMessage(message=message(id=name, occurred_at=OLD)))
    with psycopg.connect(gateway.dsn) as other:
        other.execute("UPDATE messages SET text = 'changed' WHERE id = 'a'")
        assert await expiry.messages(BEFORE, 10) == 1
    assert await expiry.messages(BEFORE, 10) == 1


async def test_ids_that_were_heard_go_by_age_and_those_of_swept_messages_are_kept_as_heard(
    gateway: Gateway, expiry: Expiry
) -> None:
    await gateway.session()
    await gateway.writer.call(StoreMessage(message=message(wa_id="W1", occurred_at=OLD)))
    for name, at in (("W2", OLD), ("W3", OLD), ("W4", YOUNG)):
        await gateway.writer.call(StoreHeard(session_id="s1", wa_id=name, at=at))
    assert [await expiry.heard(BEFORE, 1) for _ in range(3)] == [1, 1, 0]
    assert await expiry.messages(BEFORE, 10) == 1
    again = {name: StoreHeard(session_id="s1", wa_id=name) for name in ("W1", "W2", "W4")}
    applied = {name for name, write in again.items() if (await gateway.writer.call(write)).applied}
    assert applied == {"W2"}


async def test_a_batch_goes_after_the_last_of_its_messages(gateway: Gateway, expiry: Expiry) -> None:
    await gateway.session()
    for name, at in (("empty", OLD), ("full", OLD), ("young", YOUNG)):
        await gateway.writer.call(Insert(Batch(id=name, session_id="s1", total=1, created_at=at)))
    await gateway.writer.call(StoreMessage(message=message(batch_id="full")))
    assert await expiry.batches(BEFORE, 10) == 1
    kept = {each.id for each in (await gateway.reads.queue.batches("s1")).items}
    assert kept == {"full", "young"}
