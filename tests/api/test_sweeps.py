"""What is swept: as the configuration says, over the real database."""

from pathlib import Path

import pytest

from api.config import Retention
from api.idempotency import LIFETIME
from api.sweeps import partition_days, sweeps
from storage.expiry import Expiry
from storage.media import MediaStore
from storage.pool import Pool
from storage.rows import Claim, now
from storage.writes import Insert
from tests.storage.gateway import running_writer


@pytest.mark.parametrize(
    ("kept", "days"), [(1, 1), (30, 1), (90, 3), (365, 12), (900, 30), (36500, 30), (0, 30)]
)
def test_a_partition_is_a_thirtieth_of_what_is_kept_and_at_most_a_month(kept: int, days: int) -> None:
    assert partition_days(kept) == days


def test_what_is_kept_for_ever_is_not_swept(tmp_path: Path) -> None:
    pool = Pool(f"host={tmp_path}")
    default = sweeps(Retention(), Expiry(pool), MediaStore(pool))
    assert list(default) == ["media", "sign-ins", "claims", "heard", "events"]
    everything = sweeps(Retention(messages_days=30, audit_days=365), Expiry(pool), MediaStore(pool))
    assert list(everything) == [*default, "messages", "batches", "audit"]


async def test_all_that_is_swept_can_be_and_claims_go_when_their_time_is_over(database: str) -> None:
    pool = Pool(database, 1, writable=True)
    retention = Retention(messages_days=1, audit_days=1)
    async with running_writer(database) as gateway:
        for name, age in (("old", LIFETIME), ("young", LIFETIME / 2)):
            claim = Claim(id=name, owner="s1", key=name, request=b"", created_at=now() - age)
            await gateway.writer.call(Insert(claim))
        found = sweeps(retention, Expiry(pool), MediaStore(pool))
        swept = {name: await delete(10) for name, delete in found.items()}
        assert {name for name, count in swept.items() if count} == {"claims"}
        assert await gateway.reads.claim("s1", "young") is not None
    pool.close()
