"""What the model of the leases takes the database's statements to do, PostgreSQL does.

    MODEL_EXAMPLES=500 [MODEL_SEED=N] pytest -s tests/actors/cluster/test_statements.py

walks the model at random so many times (10 without), each step of the database's carried out by the product
as well, and prints the seed with which the same walks come again.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator

import psycopg
import pytest
from attrs import define, field

from runtime import Ref
from storage import Append, Insert, NewEvent, Session, WriteRefused
from storage.fencing import LEASE_MOVED, Fence, FencedWriter
from storage.nodes import Load, Nodes
from tests.actors.cluster.explorer import Step
from tests.actors.cluster.leases import Leases, Setting
from tests.actors.cluster.world import NONE, World
from tests.storage.gateway import running_writer

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "10"))
SEED = int(os.environ.get("MODEL_SEED") or random.randrange(2**32))
STEPS = 200
SYSTEM = Leases(Setting(sessions=2, hands_over=True, writes=True, crashes=True))
LEASE = 3600.0
"""Seconds: a row expires when the model says so, by being set."""


@define(eq=False)
class Database:
    """The real one, with what the model does not tell: names and whole epochs."""

    rows: psycopg.Connection
    nodes: Nodes
    writer: Ref
    ids: dict[int, str] = field(factory=dict)
    """The node of each of the model's ids."""
    epochs: list[int] = field(factory=lambda: [0] * SYSTEM.setting.sessions)
    carried_out: int = 0

    async def carry_out(self, step: Step, before: World, after: World) -> World | None:
        """Do what a step of the model does to the database; the world then, or None where it cannot be done.

        What it cannot do is to claim another session than the first, and to tell earlier ids of a machine
        apart.
        """
        machines = zip(before.machines, after.machines, strict=True)
        n = next((n for n, (was, now) in enumerate(machines) if was != now), NONE)
        done = " ".join(str(word) for word in step)
        if "gives up its id" in done or "crashes" in done:
            return self._outlived(before, after, n)
        if done.startswith("a tick"):
            expired = [id_ for id_, left in enumerate(after.rows) if left == 0 < before.rows[id_]]
            self._expire(expired)
            for id_ in expired:
                assert not await self._renew(id_), "it is too late"
            if 0 not in after.rows:
                assert await self.nodes.reap() == []
        elif "is reaped" in done:
            expired = [id_ for id_, left in enumerate(before.rows) if left == 0]
            assert set(await self.nodes.reap()) == {self.ids[id_] for id_ in expired}
            living = [id_ for id_, left in enumerate(before.rows) if left > 0]
            for session, row in enumerate(before.sessions):
                if row.owner in expired and living:
                    assert not await self._hand_over(session, row.owner, 0, living[0]), "it is nobody's"
            for id_ in expired:
                after = after.forget(id_)
                del self.ids[id_]
        elif "is registered" in done:
            if (outlived := self._outlived(before, before.without_id(n, stops=False), n)) is None:
                return None
            predecessor = self.ids.pop(2 * n + 1, None)
            self.ids[2 * n] = await self.nodes.register(
                name="n",
                url="http://n",
                process=f"run_{n}",
                version="1",
                lease=LEASE,
                predecessor=predecessor,
            )
            assert after == outlived.forget(2 * n + 1).row(2 * n, after.rows[2 * n]).machine(
                n, after.machines[n]
            )
        elif "has its id renewed" in done:
            assert await self._renew(2 * n)
        elif "claims session" in done:
            session = int(str(step[-1]))
            owner = after.sessions[session].owner
            if session != next(s for s, row in enumerate(before.sessions) if row.owner == NONE):
                return None
            self.epochs[session] += 1
            assert await self.nodes.claim(self.ids[owner], 1) == {f"s{session}": self.epochs[session]}
        elif "is told what it has" in done:
            found = after.machines[n].found
            mine = {f"s{s}": self.epochs[s] for s, lag in enumerate(found) if lag != NONE}
            assert (await self.nodes.holding(self.ids[2 * n])).sessions == mine
        elif "is handed over" in done:
            session = int(str(step[1]))
            owner, to = before.sessions[session].owner, after.sessions[session].owner
            assert not await self._hand_over(session, owner, 1, to), "that epoch is over"
            assert await self._hand_over(session, owner, 0, to)
            assert not await self._hand_over(session, owner, 0, owner), "it is another's"
            self.epochs[session] += 1
        elif "has its write" in done:
            session, lag = before.machines[n].write
            assert ("committed" in done) == await self._write(session, lag)
        else:
            return after  # it is nothing to the database
        self.carried_out += 1
        return after

    def _outlived(self, before: World, after: World, n: int) -> World | None:
        """A node's id becomes an earlier one."""
        if before.rows[2 * n] != NONE:
            if before.rows[2 * n + 1] != NONE:
                return None
            self.ids[2 * n + 1] = self.ids.pop(2 * n)
        return after

    async def _renew(self, id_: int) -> bool:
        return await self.nodes.renew(self.ids[id_], LEASE, Load(memory=1, memory_total=2))

    async def _hand_over(self, session: int, owner: int, lag: int, to: int) -> bool:
        return await self.nodes.hand_over(
            f"s{session}", node_id=self.ids[owner], epoch=self.epochs[session] - lag, to=self.ids[to]
        )

    async def _write(self, session: int, lag: int) -> bool:
        fence = Fence("sessions", f"s{session}", self.epochs[session] - lag)
        try:
            await FencedWriter(self.writer, fence).call(Append(f"s{session}", (NewEvent("e", {}),)))
        except WriteRefused as refused:
            if refused.reason != LEASE_MOVED:
                raise
            return False
        return True

    def _expire(self, ids: list[int]) -> None:
        self.rows.execute(
            "UPDATE nodes SET expires_at = clock_timestamp() WHERE id = ANY(%s)",
            ([self.ids[id_] for id_ in ids],),
        )

    def check(self, world: World) -> None:
        """The tables are as the model has them."""
        nodes = self.rows.execute("SELECT id, expires_at > clock_timestamp() FROM nodes").fetchall()
        sessions = self.rows.execute("SELECT id, node, epoch FROM sessions ORDER BY id").fetchall()
        assert dict(nodes) == {self.ids[id_]: left > 0 for id_, left in enumerate(world.rows) if left != NONE}
        assert sessions == [
            (f"s{s}", self.ids.get(row.owner), self.epochs[s]) for s, row in enumerate(world.sessions)
        ]


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[Database]:
    nodes = Nodes(database)
    async with running_writer(database, batch_ms=0.0) as gateway:
        with psycopg.connect(database, autocommit=True) as rows:
            yield Database(rows, nodes, gateway.writer)
    nodes.close()


async def test_the_statements_do_what_the_model_says(postgres: Database) -> None:
    print(f"\n{EXAMPLES} walks, MODEL_SEED={SEED}")  # noqa: T201 - shown when one fails, or with -s
    rng = random.Random(SEED)
    for _ in range(EXAMPLES):
        await walk(postgres, rng)
    assert postgres.carried_out > EXAMPLES * STEPS / 4


def likelihood(step: Step) -> float:
    """What ends a tenure is to be rare, so that there is something to hand over and to write."""
    if "crashes" in step or "does not get the answer" in step:
        return 0.02
    return 0.7 if "a tick" in step or "has its cell crash" in step else 1.0


async def walk(postgres: Database, rng: random.Random) -> None:
    """From an empty database on."""
    postgres.rows.execute("TRUNCATE sessions CASCADE")
    postgres.rows.execute("DELETE FROM nodes")
    for session in range(SYSTEM.setting.sessions):
        await postgres.writer.call(Insert(Session(id=f"s{session}", name=f"s{session}")))
    postgres.ids, postgres.epochs = {}, [0, 0]
    world = SYSTEM.initial
    story: list[str] = []
    for _ in range(STEPS):
        steps = [*SYSTEM.orderly(world), *SYSTEM.troubles(world)]
        step, after = rng.choices(steps, [likelihood(step) for step, _ in steps])[0]
        story.append(" ".join(map(str, step)))
        try:
            done = await postgres.carry_out(step, world, after)
            if done is not None:
                world = done
            postgres.check(world)
        except AssertionError as error:
            raise AssertionError("\n".join([*story[-25:], str(error)])) from error
