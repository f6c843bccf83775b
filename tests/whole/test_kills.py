"""Whatever is killed, whenever: every request with a key has one outcome, and no message is sent twice.

    KILLS=100 KILLS_SEED=7 pytest -s tests/whole/test_kills.py

makes it longer, and the same again.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.whole.asking import Story, outcomes
from tests.whole.conftest import QUICK
from tests.whole.processes import Gateway, Network, gateway, kill_something

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("KILLS_SEED") or random.randrange(2**32))
CUSTOMER = "628190000000"
PATIENCE = 90.0  # seconds for everything to have an outcome once nothing is killed any more


@pytest.fixture
async def gw(tmp_path: Path, wa: Network) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path / "gateway", wa, QUICK) as running:
        yield running


async def test_every_key_has_one_outcome_and_nothing_is_sent_twice(gw: Gateway, wa: Network) -> None:
    await wa.phone(CUSTOMER)
    sessions = [await gw.pair(name, f"62819000000{n}") for n, name in enumerate(("ana", "budi"), 1)]
    story = Story(lambda: gw, random.Random(SEED))
    stop = trio.Event()
    with trio.move_on_after(PATIENCE + 15 * KILLS):
        async with trio.open_nursery() as nursery:
            for session in sessions:
                nursery.start_soon(story.send, session, CUSTOMER, stop)
            for _ in range(KILLS):
                await trio.sleep(story.chance.uniform(0.2, 1.5))
                story.counted[await kill_something(gw, story.chance)] += 1
            await trio.sleep(1)
            stop.set()
    assert story.waiting() == {}, f"seed {SEED}, {dict(story.counted)}"
    for session in sessions:
        await gw.until_connected(session, within=60)

    found = await outcomes(story, wa)
    ends = Counter(found.ends.values())
    print(f"seed {SEED}: {len(found.ends)} requests, {dict(story.counted)}, {dict(ends)}")  # noqa: T201
    assert (found.wrong, found.changed) == ({}, {}), f"seed {SEED}"
    assert ends["sent"] > KILLS
