"""Nodes in any trouble: no session is ever answered by two, and nothing promised is lost or doubled.

    CHAOS_SECONDS=600 CHAOS_SEED=7 pytest -n 0 -s tests/nodes/test_chaos.py

makes it longer, and nearly the same again. CHAOS_NODES, CHAOS_SESSIONS and CHAOS_LEASE are how many there are
and how long a lease is; CHAOS_WAYS is `namespaces` or `relays`, where the long form prefers namespaces.
"""

import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from tests.nodes.findings import Findings, line
from tests.nodes.gaps import gaps
from tests.nodes.load import Load
from tests.nodes.namespaces import private_network
from tests.nodes.relays import Relays
from tests.nodes.stage import Stage, stage
from tests.nodes.troubles import Trouble, Troubles, at_random, one_of_each
from tests.nodes.ways import Ways
from tests.nodes.witness import login_of, owned, trespasses
from tests.whole.asking import outcomes
from tests.whole.consumers import Told, UnreliableEndpoint
from tests.whole.processes import until

LONG = "CHAOS_SECONDS" in os.environ
SECONDS = float(os.environ.get("CHAOS_SECONDS", "inf"))
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
NODES = int(os.environ.get("CHAOS_NODES", "3"))
SESSIONS = int(os.environ.get("CHAOS_SESSIONS") or (60 if LONG else 6))
LEASE = float(os.environ.get("CHAOS_LEASE") or (5 if LONG else 2))
WAYS = os.environ.get("CHAOS_WAYS", "")
PATIENCE = 90.0  # seconds for each part of being well again


@pytest.fixture
async def ways(nursery: trio.Nursery) -> AsyncIterator[Ways]:
    with ExitStack() as stack:
        if WAYS == "namespaces" or (LONG and not WAYS and os.geteuid() == 0):
            yield stack.enter_context(private_network())
        else:
            yield Relays(nursery)


async def test_nodes_in_trouble_keep_every_promise(tmp_path: Path, ways: Ways) -> None:
    chance = random.Random(SEED)
    course: Iterable[Trouble] = at_random(chance, NODES, LEASE) if LONG else one_of_each(NODES, LEASE)
    say(f"\nseed {SEED}: {NODES} nodes in {ways.kind}, {SESSIONS} sessions, lease {LEASE:g} s")
    async with stage(tmp_path, ways, lease=LEASE, chance=random.Random(SEED + 1)) as on:
        troubles = Troubles(on)
        try:
            found = await through(on, troubles, course)
        except BaseException:
            say("\n".join(map(line, troubles.happened)))
            with trio.CancelScope(shield=True):
                say(f"{await on.connections()}")
            raise
    say(found.told())
    broken = found.broken()
    say("\n".join(broken))
    assert broken == [], f"seed {SEED}"
    assert list(found.outcomes.ends.values()).count("sent") > SESSIONS


async def through(on: Stage, troubles: Troubles, course: Iterable[Trouble]) -> Findings:
    """Let it all happen under load, and see to what it came once all is well again."""
    endpoint = UnreliableEndpoint(Told("webhook"), random.Random(SEED), calm=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        hook = {"url": f"http://{on.ways.hub}:{endpoint.port}/hook"}
        await on.nodes[0].call("POST", "/api/webhooks", hook, status=201)
        # On one node: what others are handed while it is being paired has another code.
        await on.pair(SESSIONS)
        await on.grow(NODES)
        load = Load(on, random.Random(SEED + 2), endpoint)
        load.watch(nursery)
        await until(on.balanced, "sessions are spread over the nodes", within=PATIENCE)
        begin = time.time()
        async with trio.open_nursery() as loading:
            load.begin(loading)
            await troubles.run(course, SECONDS)
            await trio.sleep(LEASE)
            load.stop.set()
            await until(on.all_connected, "all sessions are connected", within=PATIENCE)
            loading.cancel_scope.deadline = trio.current_time() + PATIENCE
        assert load.story.waiting() == {}
        balance = await until(on.balanced, "sessions are spread over the nodes", within=PATIENCE)
        await until(load.all_delivered, "what was written is delivered", within=PATIENCE)
        inbound = await load.inbound()
        ends = await outcomes(load.story, on.wa)
        await until(load.all_told, "every consumer has every event", within=PATIENCE)
        events = await on.events()
        nursery.cancel_scope.cancel()
    logins = [login_of(each) for each in (await on.wa.control.get("/logins")).json()["logins"]]
    async with on.database() as connection:
        history = await owned(connection)
    phones = {session.id: session.phone for session in on.sessions}
    return Findings(
        happened=troubles.happened,
        logins=logins,
        trespasses=trespasses(logins, history, on.hosts, phones),
        gaps=gaps(logins, begin),
        events=events,
        consumers=load.consumers,
        answers=load.story.counted,
        outcomes=ends,
        inbound=inbound,
        written=load.written,
        balance=balance,
    )


def say(text: str) -> None:
    """For who watches."""
    sys.stdout.write(f"{text}\n")
